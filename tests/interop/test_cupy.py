"""Tensors on a GPU, with `cupy_on_cpu` in CuPy's place: where they are, what waits, and what does not fit together."""

import copy
import math
import pickle
from functools import partial

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DeviceError, DtypeError, SingularMatrixError

from ..optim.choices import FITTING
from . import cupy_on_cpu

GPU = "cuda:0"


def waits(cupy):
    return cupy.counts["to_host"]


# which devices there are


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:-1", "cpu:1:2", "mps"])
def test_a_name_that_is_no_device_is_refused_everywhere(cupy, name):
    for ask in (lambda: tg.device(name), lambda: tg.ones(2).to(name), lambda: tg.ones(2, device=name)):
        with pytest.raises(DeviceError, match="is not a device"):
            ask()


def test_a_gpu_beyond_the_last_is_refused(cupy):
    for ask in (lambda: tg.device("cuda:2"), lambda: tg.ones(2).cuda(2), lambda: tg.cuda.device(2)):
        with pytest.raises(DeviceError, match="cuda:2 does not exist: the GPUs here are cuda:0 to cuda:1"):
            ask()


def test_cupy_without_a_gpu_is_said_to_find_none():
    with cupy_on_cpu.installed(devices=0):
        assert not tg.cuda.is_available()
        assert tg.cuda.device_count() == 0
        with pytest.raises(DeviceError, match=r"finds no GPU or no driver.*cudaErrorNoDevice.*use device 'cpu'"):
            tg.ones(2, device="cuda")


def test_without_cupy_there_is_no_gpu(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)
    assert not tg.cuda.is_available()
    assert tg.cuda.device_count() == 0
    with pytest.raises(DeviceError, match="pip install"):
        tg.cuda.synchronize()


def test_the_module_answers_as_torchs(cupy):
    assert tg.cuda.is_available()
    assert tg.cuda.device_count() == 2
    assert tg.cuda.get_device_name() == tg.cuda.get_device_name("cuda:0") == "Stand-in 0"
    assert tg.cuda.get_device_name(1) == "Stand-in 1"
    assert tg.cuda.mem_get_info() == (1 << 28, 1 << 28)
    with tg.cuda.device(1):
        assert tg.cuda.current_device() == 1
        assert tg.ones(1, device="cuda").device == tg.device("cuda:1") == tg.device("cuda")
    assert tg.cuda.current_device() == 0
    tg.cuda.set_device("cuda:1")
    assert tg.ones(1).cuda().device.index == 1
    before = waits(cupy)
    tg.cuda.synchronize()
    assert waits(cupy) == before + 1
    with pytest.raises(DeviceError, match="expected a GPU"):
        tg.cuda.synchronize("cpu")


def test_devices_compare_by_the_gpu_that_they_mean(cupy):
    assert tg.device("cuda") == tg.device(0) == tg.device("cuda", 0) != tg.device("cuda:1")
    assert len({tg.device("cuda"), tg.device("cuda:0"), tg.device("cpu")}) == 2
    assert repr(tg.device("cuda:1")) == "device(type='cuda', index=1)"


# moving


def test_to_takes_all_of_torchs_forms(cupy):
    x = tg.tensor([1.0, 2.0])
    other = tg.zeros(1, dtype=tg.float64, device=GPU)
    forms = [
        x.to(GPU), x.to("cuda"), x.to(0), x.to(tg.device(GPU)), x.to(device=GPU), x.cuda(), x.cuda(0), x.cuda(GPU),
        x.to(GPU, tg.float64), x.to(GPU, dtype=tg.float64), x.to(other), x.to(dtype="float64", device="cuda"),
    ]  # fmt: skip
    assert all(y.is_cuda and y.device == tg.device(GPU) and y.tolist() == [1.0, 2.0] for y in forms)
    assert [y.dtype for y in forms] == [tg.float32] * 8 + [tg.float64] * 4
    assert x.to(GPU).cpu().numpy().tolist() == [1.0, 2.0]
    assert x.to("float64").dtype == x.to(tg.float64).dtype == tg.float64
    assert not x.is_cuda


def test_a_tensor_that_is_there_already_is_returned_itself(cupy):
    x = tg.ones(2, device=GPU)
    assert x.to(GPU) is x.cuda() is x.to(x) is x.to(tg.float32) is x
    assert x.cpu().cpu().to("cpu").device.type == "cpu"


def test_a_gradient_finds_its_way_back(cupy):
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    (w.to(GPU) * tg.tensor([3.0, 4.0], device=GPU)).sum().backward()
    assert w.grad.device.type == "cpu"
    assert w.grad.tolist() == [3.0, 4.0]


def test_from_one_gpu_to_the_other_nothing_passes_the_host(cupy):
    x = tg.ones(3, device=GPU).to("cuda:1")
    assert x.device.index == 1
    assert cupy.counts == {"to_host": 0, "to_device": 0}
    with tg.cuda.device(1):
        assert (x * 2).sum().item() == 6.0


def test_on_a_gpu_that_is_not_current_the_error_says_what_to_enter(cupy):
    with pytest.raises(
        DeviceError, match=r"on cuda:1, but the current GPU is cuda:0.*with tinygrad_poly.cuda.device\(1\)"
    ):
        tg.ones(3, device="cuda:1") * 2.0


# making


MAKERS = {
    "zeros": lambda device: tg.zeros(2, 3, device=device),
    "ones": lambda device: tg.ones((2,), device=device, requires_grad=True).detach(),
    "full": lambda device: tg.full((2,), 7, device=device),
    "full of floats": lambda device: tg.full((), 0.1, device=device),
    "eye": lambda device: tg.eye(2, 3, device=device),
    "arange": lambda device: tg.arange(5, device=device),
    "arange of floats": lambda device: tg.arange(0.5, 3, 0.25, device=device),
    "arange in another dtype": lambda device: tg.arange(5, dtype=tg.float64, device=device),
    "linspace": lambda device: tg.linspace(-math.pi, math.pi, 101, device=device),
    "linspace of one": lambda device: tg.linspace(2, 3, 1, device=device),
    "linspace of none": lambda device: tg.linspace(2, 3, 0, device=device),
    "zeros_like": lambda device: tg.zeros_like(tg.ones(2, dtype=tg.float64, device=device)),
    "ones_like": lambda device: tg.ones_like(tg.zeros(2, device=device)),
    "full_like": lambda device: tg.full_like(tg.zeros(2, device=device), 3.0),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_tensors_are_made_where_they_are_wanted(cupy, make):
    x = make(GPU)
    assert x.device == tg.device(GPU)
    assert cupy.counts == {"to_host": 0, "to_device": 0}
    expected = make("cpu")
    assert x.dtype == expected.dtype
    np.testing.assert_array_equal(x.cpu().numpy(), expected.numpy())


def test_linspace_in_float64_is_within_two_roundings_and_antisymmetric(cupy):
    # distance · i + first: one rounding on the CPU, where a long double holds the product, and two here
    x, expected = (tg.linspace(-math.pi, math.pi, 2000, dtype=tg.float64, device=d).cpu().numpy() for d in (GPU, "cpu"))
    assert np.all(np.abs(x - expected) <= 3 * 2.0**-53 * math.pi)
    np.testing.assert_array_equal(x, -x[::-1])


def test_data_are_copied_once(cupy):
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]], device=GPU, dtype=tg.float64, requires_grad=True)
    assert cupy.counts == {"to_host": 0, "to_device": 1}
    assert x.requires_grad
    assert x.is_leaf
    again = tg.tensor(x)
    assert again.device == x.device
    assert cupy.counts == {"to_host": 0, "to_device": 1}


def test_arrays_of_cupy_become_tensors_that_nobody_else_can_write_into(cupy):
    mine = cupy.asarray(np.array([1.0, 2.0]))
    x = tg.tensor(mine)
    y = x * mine
    y_saved = (tg.tensor(mine, requires_grad=True) * mine).sum()
    mine[0] = 5.0
    assert x.tolist() == [1.0, 2.0]
    assert y.tolist() == [1.0, 4.0]
    assert y_saved.item() == 5.0


@pytest.mark.parametrize("draw", [tg.rand, tg.randn])
def test_random_numbers_are_drawn_on_the_device(cupy, draw):
    tg.manual_seed(1)
    first = draw(1000, device=GPU)
    assert cupy.counts == {"to_host": 0, "to_device": 0}
    more = draw(1000, device=GPU)
    assert first.tolist() != more.tolist()
    tg.manual_seed(1)
    assert draw(1000, device=GPU).tolist() == first.tolist()
    tg.cuda.manual_seed(1)
    like = (tg.rand_like if draw is tg.rand else tg.randn_like)(first)
    assert like.tolist() == first.tolist()
    assert (like.device, like.dtype) == (tg.device(GPU), tg.float32)
    assert draw(2, dtype=tg.float64, device=GPU).dtype == tg.float64


def test_the_seed_of_the_cpu_gives_the_same_numbers_beside_a_gpu(cupy):
    tg.manual_seed(0)
    tg.rand(3, device=GPU)
    assert tg.rand(2).tolist() == pytest.approx([0.4963, 0.7682], abs=1e-4)


# numbers


def test_numbers_come_to_the_host_when_they_are_asked_for(cupy):
    x = tg.tensor([[2.5]], device=GPU)
    assert (x.item(), float(x), int(x), bool(x), x.tolist(), f"{x.sum():.1f}") == (2.5, 2.5, 2, True, [[2.5]], "2.5")
    assert waits(cupy) == 6
    assert repr(x) == "tensor([[2.5000]], device='cuda:0')"
    assert repr(tg.ones(1, device=GPU, requires_grad=True)) == "tensor([1.], device='cuda:0', requires_grad=True)"


def test_a_tensor_on_a_gpu_is_no_numpy_array(cupy):
    x = tg.ones(2, device=GPU)
    for convert in (x.numpy, lambda: np.asarray(x), lambda: np.array(x, dtype=float)):
        with pytest.raises(TypeError, match=r"cuda:0 is no NumPy array; copy it to the CPU first: .cpu\(\).numpy\(\)"):
            convert()


def test_copies_and_pickles_stay_on_the_device(cupy):
    x = tg.tensor([1.0, 2.0], device=GPU, requires_grad=True)
    for again in (copy.deepcopy(x), copy.copy(x), pickle.loads(pickle.dumps(x))):
        assert again.is_cuda
        assert again.requires_grad
        assert again.tolist() == [1.0, 2.0]


# several devices


def meet(function):
    return lambda: function(tg.ones(3, device=GPU), tg.ones(3))


MIXED = {
    "+": meet(lambda a, b: a + b),
    "reflected": meet(lambda a, b: b - a),
    "array": lambda: tg.ones(3, device=GPU) * np.ones(3),
    "array on the left": lambda: np.ones(3) * tg.ones(3, device=GPU),
    "power": meet(lambda a, b: a**b),
    "matmul": meet(lambda a, b: a @ b),
    "comparison": meet(lambda a, b: b < a),
    "equality": meet(lambda a, b: a == b),
    "maximum": meet(tg.maximum),
    "where": meet(lambda a, b: tg.where(b > 0, a, 0.0)),
    "cat": meet(lambda a, b: tg.cat([a, b])),
    "stack": meet(lambda a, b: tg.stack([b, a])),
    "in place": meet(lambda a, b: a.add_(b)),
    "loss": meet(tg.mse_loss),
    "indices on a GPU": lambda: tg.ones(3)[tg.tensor([0, 2], device=GPU)],
    "two GPUs": lambda: tg.ones(3, device=GPU) + tg.ones(3, device="cuda:1"),
}


@pytest.mark.parametrize("mix", MIXED.values(), ids=MIXED)
def test_tensors_on_several_devices_are_refused_by_name(cupy, mix):
    with pytest.raises(
        DeviceError, match=r"expected all tensors on the same device, not on c.* and c.*: move some with"
    ):
        mix()


def test_shapes_that_do_not_fit_are_still_that(cupy):
    with pytest.raises(ValueError, match=r"add: shapes \(3,\) and \(2,\) do not fit together"):
        tg.ones(3, device=GPU) + tg.ones(2, device=GPU)
    with pytest.raises(TypeError):
        tg.ones(3, device=GPU) + "1"


def test_a_number_on_the_cpu_may_meet_a_gpu_as_in_torch(cupy):
    w = tg.tensor(2.0, requires_grad=True)
    x = tg.tensor([1.0, 3.0], device=GPU)
    for y in (w * x, x * w, x - w, tg.maximum(x, w), tg.tensor(1.0) < x, x * np.array(2.0, np.float32)):
        assert y.is_cuda
    (w * x).sum().backward()
    assert w.grad.device.type == "cpu"
    assert w.grad.item() == 4.0
    with tg.no_grad(), pytest.raises(DeviceError, match="would move a tensor from the CPU to cuda:0"):
        w -= x.sum()
    assert w.item() == 2.0


# indices


def test_indices_may_be_on_either_side(cupy):
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], device=GPU, requires_grad=True)
    for index in ([2, 0, 2], tg.tensor([2, 0, 2]), tg.tensor([2, 0, 2], device=GPU), np.array([2, 0, 2])):
        x.grad = None
        (x[index] * tg.tensor([1.0, 10.0], device=GPU)).sum().backward()
        assert x.grad.tolist() == [[1.0, 10.0], [0.0, 0.0], [2.0, 20.0]]
        assert x.grad.is_cuda
    assert x[x > 2.5].tolist() == [3.0, 4.0, 5.0, 6.0]
    assert x[tg.tensor([True, False, True])].tolist() == [[1.0, 2.0], [5.0, 6.0]]
    assert x[..., -1].detach().index_put((tg.tensor([0, 0]),), tg.tensor([7.0, 8.0], device=GPU)).tolist() == [8, 4, 6]


def test_an_index_from_the_host_that_is_out_of_range_is_refused(cupy):
    x = tg.arange(3, device=GPU)
    for index in (3, -4, [0, 3], tg.tensor([-4]), (tg.tensor([[5]]), None)):
        with pytest.raises(IndexError):
            x[index]


# linear algebra


@pytest.mark.parametrize("function", [tg.linalg.inv, tg.linalg.cholesky, lambda a: tg.linalg.solve(a, a[:, :, :1])])
def test_a_matrix_without_what_is_asked_of_it_is_named(cupy, function):
    stack = tg.tensor([[[2.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]], device=GPU)
    with pytest.raises(SingularMatrixError, match=r"batch element \(1,\)"):
        function(stack)


# what waits: the table in docs/devices.md

ROW = {"dtype": tg.int64, "device": GPU}
WAITING = {
    "item": lambda x: x.sum().item(),
    "if": lambda x: bool((x > 0).all()),
    "allclose": lambda x: x.allclose(x),
    "mask": lambda x: x[x > 0],
    "nonzero": tg.nonzero,
    "masked_select": lambda x: x.masked_select(x > 0),
    "index_put": lambda x: x.index_put((tg.zeros(2, **ROW),), 1.0),
    "cross_entropy": lambda x: tg.nn.functional.cross_entropy(x, tg.zeros(3, **ROW)),
    "lstsq": lambda x: tg.linalg.lstsq(x, x),
    "slope of det": lambda x: x.det().backward(),
}
WORKING_AHEAD = {
    "where": lambda x: tg.where(x > 0, x, 0.0),
    "indices": lambda x: x[tg.zeros(2, **ROW)],
    "slices": lambda x: x[1:, ::2],
    "index_add": lambda x: x.index_add(0, tg.zeros(3, **ROW), x),
    "gather": lambda x: x.gather(0, tg.zeros(1, 3, **ROW)),
    "matmul": lambda x: x @ x.mT,
    "einsum": lambda x: tg.einsum("ij,kj->ik", x, x),
    "sort": lambda x: x.sort().values,
    "median": lambda x: x.median(),
    "erf": tg.erf,
    "clip_grad_norm_": lambda x: [(x * x).sum().backward(), tg.nn.utils.clip_grad_norm_([x], 1.0), x][-1],
}


@pytest.mark.parametrize("function", WAITING.values(), ids=WAITING)
def test_what_has_to_know_a_number_waits(cupy, function):
    x = tg.rand(3, 3, device=GPU).requires_grad_()
    (x * x).sum().backward()
    function(x)
    assert waits(cupy) > 0


@pytest.mark.parametrize("function", WORKING_AHEAD.values(), ids=WORKING_AHEAD)
def test_what_need_not_know_a_number_does_not_wait(cupy, function):
    x = tg.rand(3, 3, device=GPU).requires_grad_()
    y = function(x)
    y.sum().backward()
    assert x.grad.is_cuda
    assert cupy.counts == {"to_host": 0, "to_device": 0}


# modules and optimizers


class Curve(tg.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = tg.nn.Sequential(tg.nn.Linear(1, 8), tg.nn.Tanh(), tg.nn.Linear(8, 1))
        self.register_buffer("scale", tg.tensor([2.0]))
        self.register_buffer("seen", tg.tensor([3]))

    def forward(self, x):
        return self.layers(x) * self.scale


def test_a_module_moves_with_its_gradients_and_buffers(cupy):
    model = Curve()
    parameters = list(model.parameters())
    model(tg.ones(2, 1)).sum().backward()
    assert model.cuda() is model.to(GPU) is model
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))
    assert all(t.is_cuda for p in parameters for t in (p, p.grad))
    assert model.scale.is_cuda
    assert model.seen.dtype == tg.int64
    model(tg.ones(2, 1, device=GPU)).sum().backward()
    model.cpu()
    assert not any(t.is_cuda for p in parameters for t in (p, p.grad, model.scale))
    assert model.to(GPU, tg.float64).scale.dtype == tg.float64


def test_a_state_goes_where_the_module_is(cupy):
    on_cpu, on_gpu = Curve(), Curve().to(GPU)
    on_gpu.load_state_dict(on_cpu.state_dict())
    assert all(p.is_cuda for p in on_gpu.parameters())
    for mine, other in zip(on_gpu.parameters(), on_cpu.parameters(), strict=True):
        np.testing.assert_array_equal(mine.detach().cpu().numpy(), other.detach().numpy())


# One of each, with the last of the options to try that do not go uphill.
OPTIMIZERS = {
    name: partial(getattr(tg.optim, name), lr=0.05, **options)
    for name, options in FITTING
    if not options.get("maximize")
}


def trained(make, device, clip=True):
    tg.manual_seed(0)
    model = Curve().to(device)
    x = tg.linspace(-1, 1, 20, device=device).reshape(-1, 1)
    y = (3 * x).sin()
    optimizer = make(model.parameters())
    scheduler = tg.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    for _ in range(10):
        optimizer.zero_grad()
        tg.nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
        scheduler.step()
    return model, optimizer


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_training_on_a_device_gives_the_weights_of_the_cpu_and_never_waits(cupy, make):
    model, optimizer = trained(make, GPU)
    assert waits(cupy) == 0
    assert all(t.is_cuda for s in optimizer.state.values() for t in s.values() if isinstance(t, tg.Tensor))
    expected, other = trained(make, "cpu")
    for mine, reference in zip(model.parameters(), expected.parameters(), strict=True):
        np.testing.assert_array_equal(mine.detach().cpu().numpy(), reference.detach().numpy())
    # A state from the CPU goes on here.
    optimizer.load_state_dict(other.state_dict())
    assert all(t.is_cuda for s in optimizer.state.values() for t in s.values() if isinstance(t, tg.Tensor))


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_finds_the_same_minimum(cupy, search):
    def minimum(device):
        w = tg.tensor([3.0, -2.0], dtype=tg.float64, device=device, requires_grad=True)
        a = tg.tensor([1.0, 10.0], dtype=tg.float64, device=device)
        optimizer = tg.optim.LBFGS([w], line_search_fn=search)

        def closure():
            optimizer.zero_grad()
            loss = (a * (w - 1) ** 2).sum() + (w**4).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        return w.tolist()

    assert minimum(GPU) == minimum("cpu")


@pytest.mark.parametrize("norm", [2.0, 1.0, math.inf])
def test_gradients_are_clipped_on_the_device(cupy, norm):
    def clipped(device):
        w = tg.tensor([3.0, -4.0], device=device, requires_grad=True)
        (w * w).sum().backward()
        length = tg.nn.utils.clip_grad_norm_([w], 1.0, norm)
        tg.nn.utils.clip_grad_value_([w], 0.5)
        assert w.grad.device == length.device == w.device
        return length.item(), w.grad.tolist()

    assert clipped(GPU) == clipped("cpu")


def test_random_layers_work_on_a_device(cupy):
    dropout = tg.nn.Dropout(0.5)
    assert dropout(tg.ones(100, device=GPU)).is_cuda
    assert tg.nn.Linear(2, 3, device=GPU).weight.is_cuda


def test_a_dtype_that_is_none_is_still_refused(cupy):
    with pytest.raises(DtypeError, match="is not a dtype"):
        tg.ones(2, device=GPU).to(dtype="float31")


def test_a_gradient_to_start_from_has_to_be_on_the_device(cupy):
    x = tg.ones(2, device=GPU).requires_grad_()
    with pytest.raises(DeviceError, match=r"gradient is on cpu, but the tensor on cuda:0; move it with \.to\(\)"):
        (x * x).backward(tg.ones(2))
