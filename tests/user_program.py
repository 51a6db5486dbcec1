"""What a user writes, with types: each is what it is said to be, and mistakes are found (`make types`)."""

from typing import Any, assert_type

import tinygrad_poly as tg
from tinygrad_poly import nn


@tg.no_grad()
def updated(w: tg.Tensor, lr: float) -> tg.Tensor:
    return w - lr


@tg.enable_grad
def doubled(w: tg.Tensor) -> tg.Tensor:
    return 2 * w


@tg.compile
def product(w: tg.Tensor, x: tg.Tensor) -> tg.Tensor:
    return w * x


@tg.compile(hoist="algebra")
def squares(x: tg.Tensor) -> tg.Tensor:
    return (x * x).sum()


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 1)

    def forward(self, x: tg.Tensor, power: int = 1) -> tuple[tg.Tensor, int]:
        return self.linear(x) ** power, power


def loss(params: dict[str, tg.Tensor], x: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
    return ((params["w"] * x - y) ** 2).mean()


def listed(params: list[tg.Tensor], x: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
    return ((params[0] * x - y) ** 2).mean()


def cost(w: tg.Tensor, x: tg.Tensor) -> tg.Tensor:
    return (w * x).sum()


def shown(fitted: tg.FitResult) -> str:
    return f"{fitted.loss}"


def right() -> None:
    x = tg.tensor([[1.0], [2.0]])

    # Functions, decorated ones too
    assert_type(tg.sin(x), tg.Tensor)
    assert_type(tg.sum(x), tg.Tensor)
    assert_type(tg.max(x), tg.Tensor)
    assert_type(tg.where(x > 1, x, 0.0), tg.Tensor)
    assert_type(tg.relu(x), tg.Tensor)
    assert_type(x.exp() + 1, tg.Tensor)
    assert_type(x.grad, tg.Tensor | None)
    assert_type(updated(x, 0.1), tg.Tensor)
    assert_type(doubled(x), tg.Tensor)
    assert_type(product(x, x), tg.Tensor)
    assert_type(squares(x), tg.Tensor)

    # Modules and losses
    net, model = Net(), nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    assert_type(net(x), tuple[tg.Tensor, int])
    assert_type(net(x, power=2)[0], tg.Tensor)
    assert_type(model(x), tg.Tensor)
    assert_type(nn.MSELoss()(model(x), x), tg.Tensor)
    assert_type(nn.functional.mse_loss(x, x), tg.Tensor)

    # Functions of functions
    assert_type(tg.func.grad(cost)(x, x), tg.Tensor)
    assert_type(tg.func.grad(loss)({"w": x}, x, x), dict[str, tg.Tensor])
    assert_type(tg.func.value_and_grad(cost)(x, x), tuple[tg.Tensor, tg.Tensor])
    assert_type(tg.func.hessian(cost)(x, x), tg.Tensor)
    assert_type(tg.func.grad(cost, (0, 1))(x, x), Any)

    # Fits
    result = tg.fit(loss, {"w": 0.0}, x, x, steps=2, progress=False)
    assert_type(result, tg.FitResult[dict[str, tg.Tensor]])
    assert_type(result.params, dict[str, tg.Tensor])
    assert_type(result.resume(3, progress=False).params["w"], tg.Tensor)
    assert_type(result.loss, float)
    assert_type(tg.fit(listed, [0.0], x, x, steps=2, progress=False).params, list[tg.Tensor])
    tg.fit(lambda params, x, y: ((params[0] * x - y) ** 2).mean(), [0.0], x, x, steps=2, progress=False)


def wrong(x: tg.Tensor, net: Net) -> None:
    updated("w", 0.1)  # type: ignore[arg-type]
    product(x)  # type: ignore[call-arg]
    tg.sinn(x)  # type: ignore[attr-defined]
    nn.Linaer(1, 1)  # type: ignore[attr-defined]
    x.sinn()  # type: ignore[attr-defined]
    net(x, pwoer=2)  # type: ignore[call-arg]
    tg.func.grad(cost)(x)  # type: ignore[call-arg]
    tg.fit(loss, {"w": 0.0}, x, x, stepps=2)  # type: ignore[call-arg]
