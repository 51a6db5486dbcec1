"""A fit of an `nn.Module` trains it in place, as the loop that one would write for torch does."""

import numpy as np
import pytest

import tinygrad_poly as tg
from tests.proof.fits import route
from tinygrad_poly import nn
from tinygrad_poly.engine.errors import DataError, DivergenceError, TraceError
from tinygrad_poly.fitting import fit, program, resume

X = np.linspace(-1, 1, 24, dtype=np.float32).reshape(12, 2)
Y = np.sin(X.sum(axis=1, keepdims=True))
OPTIMIZERS = {"sgd": tg.optim.SGD, "adam": tg.optim.Adam}


def loss(model, x, y):
    return nn.functional.mse_loss(model(x), y)


def network(seed=0, normalized=False):
    tg.manual_seed(seed)
    norm = [nn.BatchNorm1d(4)] if normalized else []
    return nn.Sequential(nn.Linear(2, 4), *norm, nn.Tanh(), nn.Linear(4, 1))


def by_hand(model, steps, optimizer="sgd"):
    made = OPTIMIZERS[optimizer](model.parameters(), lr=0.05)
    x, y = tg.tensor(X), tg.tensor(Y)
    for _ in range(steps):
        made.zero_grad()
        loss(model, x, y).backward()
        made.step()
    return model


def assert_same(model, reference, rtol=0.0):
    found, expected = model.state_dict(), reference.state_dict()
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name].numpy(), array.numpy(), rtol=rtol, atol=rtol, err_msg=name)


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_module_is_trained_as_by_hand_buffers_included(optimizer, normalized):
    model = network(normalized=normalized)
    parameters = list(model.parameters())
    result = fit(loss, model, X, Y, steps=20, lr=0.05, optimizer=optimizer, progress=False)
    assert_same(model, by_hand(network(normalized=normalized), 20, optimizer))
    assert all(a is b for a, b in zip(parameters, model.parameters(), strict=True))
    assert {name: w.tolist() for name, w in result.params.items()} == {
        name: w.tolist() for name, w in model.named_parameters()
    }


@pytest.mark.parametrize("way", ["NumPy", "source"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_compiled_fit_trains_the_module_too(optimizer, way):
    model = network()
    with route(way):
        fit(loss, model, X, Y, steps=20, lr=0.05, optimizer=optimizer, progress=False, compile=True)
    assert_same(model, by_hand(network(), 20, optimizer), 1e-5)


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_resumed_fit_is_one_that_never_stopped(optimizer, compile, tmp_path):
    how = {"optimizer": optimizer, "progress": False, "compile": compile}
    with route("NumPy"):
        whole, model, later = (network(normalized=not compile) for _ in range(3))
        fit(loss, whole, X, Y, steps=20, lr=0.05, **how)
        result = fit(loss, model, X, Y, steps=9, lr=0.05, **how)
        result.save(tmp_path / "run.json")
        assert result.verdict.loss == result.loss  # looking at it changes nothing
        result.resume(20, progress=False)
        resume(tmp_path / "run.json", loss, X, Y, steps=20, model=later, progress=False, compile=compile)
    assert_same(model, whole)
    assert_same(later, whole)


def test_a_model_that_is_linear_in_its_parameters_is_taken_to_the_optimum():
    model = nn.Linear(2, 1).double()
    x = np.random.default_rng(0).normal(size=(20, 2))
    result = fit(loss, model, x, x @ np.array([[2.0], [-1.0]]) + 3.0, progress=False)
    assert result.solution is not None
    np.testing.assert_allclose(model.weight.tolist(), [[2.0, -1.0]], rtol=1e-12)
    np.testing.assert_allclose(model.bias.tolist(), [3.0], rtol=1e-12)


@pytest.mark.parametrize("compile", [False, True])
def test_frozen_parameters_stay_and_shared_ones_are_one(compile):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(2, 2)
            self.second = self.again = nn.Linear(2, 2)
            self.again = nn.Linear(2, 2)
            self.again.weight = self.second.weight
            self.first.requires_grad_(False)

        def forward(self, x):
            return self.again(self.second(self.first(x))).sum(1, keepdim=True)

    tg.manual_seed(0)
    model, frozen = Twice(), None
    frozen = model.first.weight.tolist()
    with route("NumPy"):
        result = fit(loss, model, X, Y, steps=10, lr=0.05, progress=False, compile=compile)
    assert list(result.params) == ["second.weight", "second.bias", "again.bias"]
    assert model.first.weight.tolist() == frozen
    assert model.again.weight is model.second.weight
    assert model.second.weight.tolist() == result.params["second.weight"].tolist()
    tg.manual_seed(0)
    reference = Twice()
    trained = tg.optim.SGD([p for p in reference.parameters() if p.requires_grad], lr=0.05)
    for _ in range(10):
        trained.zero_grad()
        loss(reference, tg.tensor(X), tg.tensor(Y)).backward()
        trained.step()
    assert_same(model, reference, 1e-6)


def test_a_loss_may_use_the_module_that_it_has_captured():
    model = network()
    fit(lambda _, x, y: loss(model, x, y), model, X, Y, steps=5, lr=0.05, progress=False)
    assert_same(model, by_hand(network(), 5))


def test_looking_at_a_result_is_in_the_mode_of_the_fit_and_changes_nothing():
    model = network(normalized=True)
    result = fit(loss, model, X, Y, steps=5, lr=0.05, progress=False)
    expected = loss(by_hand(network(normalized=True), 5), tg.tensor(X), tg.tensor(Y)).item()
    before = {name: x.tolist() for name, x in model.state_dict().items()}
    model.eval()
    assert result.loss == expected
    assert result.start_loss != expected
    assert result.verdict.converged is None
    assert result.predict(X).shape == (12, 1)
    assert not any(module.training for module in model.modules())
    assert {name: x.tolist() for name, x in model.state_dict().items()} == before


@pytest.mark.parametrize("compile", [False, True])
def test_after_divergence_the_module_is_that_of_the_last_finite_loss(compile):
    model = nn.Linear(2, 1)
    with route("NumPy"), pytest.raises(DivergenceError) as caught:
        fit(loss, model, X, Y, steps=10_000, lr=30.0, progress=False, compile=compile)
    assert model.weight.tolist() == caught.value.result.params["weight"].tolist()
    assert np.isfinite(model.weight.tolist()).all()
    assert np.isfinite(caught.value.result.loss)


def test_an_interrupted_fit_leaves_the_module_between_two_steps():
    def interrupted(model, x, y):
        calls.append(None)
        found = loss(model, x, y)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return found

    calls, model = [], network(normalized=True)
    result = fit(interrupted, model, X, Y, steps=20, lr=0.05, progress=False)
    assert (result.interrupted, result.step) == (True, 3)
    assert_same(model, by_hand(network(normalized=True), 3))


def test_batch_normalization_is_compiled_with_its_running_statistics_and_refused_by_name_in_training():
    model = network(normalized=True)
    before = {name: x.tolist() for name, x in model.state_dict().items()}
    with pytest.raises(TraceError, match=r"changes the buffer 1\.running_mean .* call eval\(\) of that part"):
        fit(loss, model, X, Y, steps=5, lr=0.05, progress=False, compile=True)
    assert {name: x.tolist() for name, x in model.state_dict().items()} == before
    model[1].eval()
    with route("NumPy"):
        fit(loss, model, X, Y, steps=5, lr=0.05, progress=False, compile=True)
    reference = network(normalized=True)
    reference[1].eval()
    assert_same(model, by_hand(reference, 5), 1e-5)


def test_dropout_is_not_compiled():
    model = nn.Sequential(nn.Linear(2, 1), nn.Dropout(0.5))
    with pytest.raises(TraceError, match="draws random numbers"):
        fit(loss, model, X, Y, steps=5, lr=0.05, progress=False, compile=True)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_program_of_a_module_can_be_read_and_leaves_it_as_it_is(optimizer):
    model = nn.Linear(2, 1)
    before = model.weight.tolist()
    assert "grad_weight" in program(loss, model, X, Y, optimizer=optimizer)
    assert model.weight.tolist() == before


def test_what_does_not_fit_together_is_named(tmp_path):
    model = nn.Linear(2, 1)
    with pytest.raises(ValueError, match="no parameter of the module requires grad"):
        fit(loss, nn.Linear(2, 1).requires_grad_(False), X, Y, progress=False)
    fit(loss, model, X, Y, steps=1, progress=False).save(tmp_path / "module.json")
    fit(lambda p, x, y: (p["w"] * x - y).pow(2).sum(), {"w": 1.0}, X, Y, steps=1).save(tmp_path / "dict.json")
    with pytest.raises(TypeError, match="of a module: pass it as model"):
        resume(tmp_path / "module.json", loss, X, Y, steps=2)
    with pytest.raises(TypeError, match="of no module"):
        resume(tmp_path / "dict.json", loss, X, Y, steps=2, model=model)
    with pytest.raises(DataError, match="not those of this module"):
        resume(tmp_path / "module.json", loss, X, Y, steps=2, model=network())
    assert model.weight.shape == (1, 2)


def test_a_module_on_a_gpu_is_trained_there(cupy):
    model = network(normalized=True).to("cuda")
    x, y = (tg.tensor(data, device="cuda") for data in (X, Y))
    result = fit(loss, model, x, y, steps=20, lr=0.05, progress=False)
    assert {p.device.type for p in (*model.parameters(), *result.params.values())} == {"cuda"}
    assert_same(model.cpu(), by_hand(network(normalized=True), 20), 1e-6)
