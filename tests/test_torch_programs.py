"""Programs written for torch run here with other import lines and print the same text.

The texts are equal although the numbers differ in their last bits: sums are added up in another order.
The float32 programs print four digits of numbers that agree to a relative 10⁻⁶ or so, the float64
programs up to ten digits of numbers that agree to 10⁻¹³: with their fixed seeds none of the digits is
near enough to the middle between two roundings. `test_digits_are_not_on_the_edge` checks that.

A program runs twice with each library, the second time with one digit more; all tests share the runs.
"""

import ast
import contextlib
import functools
import io
import re
from pathlib import Path

import pytest
import torch

import tinygrad_poly as tg

PROGRAMS = sorted(path for path in (Path(__file__).parent / "programs").glob("*.py") if path.name != "conftest.py")
# torch warns once of float(w), which its tutorials write
pytestmark = pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
each_program = pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)


def ported(source):
    """The program with its import lines replaced, and nothing else."""
    source = re.sub(r"^import torch$", "import tinygrad_poly as torch", source, flags=re.MULTILINE)
    return re.sub(r"^(import|from) torch\b", r"\1 tinygrad_poly", source, flags=re.MULTILINE)


def printed(source):
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(source, "<program>", "exec"), {"__name__": "__main__"})
    return output.getvalue()


@functools.cache
def outputs(path, digits=0):
    """What the program prints here and with torch, its numbers with so many digits more than it asks for."""
    source = path.read_text()
    source = re.sub(r"round\((.*?), (\d)\)", lambda found: f"round({found[1]}, {int(found[2]) + digits})", source)
    source = re.sub(r"([:%+]\d*)\.(\d)([efg])", lambda found: f"{found[1]}.{int(found[2]) + digits}{found[3]}", source)
    try:
        for library in (tg, torch):
            library.set_printoptions(precision=4 + digits)
        return printed(ported(source)), printed(source)
    finally:
        for library in (tg, torch):
            library.set_printoptions(profile="default")


@each_program
def test_the_program_prints_the_same_text(path):
    mine, reference = outputs(path)
    assert len(reference.splitlines()) >= 5
    assert mine == reference


@each_program
def test_only_import_lines_are_replaced(path):
    source = path.read_text()
    assert "tinygrad_poly" not in source
    changed = [line for line in ported(source).splitlines() if line not in source.splitlines()]
    assert changed
    assert all(isinstance(ast.parse(line).body[0], (ast.Import, ast.ImportFrom)) for line in changed)


@functools.cache
def sources():
    return [path.read_text() for path in PROGRAMS]


@pytest.mark.parametrize(
    "call",
    [
        # The five texts that T1 to T10 are from
        "torch.float", 'torch.device("cpu")', "linspace(", "randn((), device=device, dtype=dtype)",
        "requires_grad=True)", "torch.rand(1", "torch.zeros(1, requires_grad=True)",
        "torch.FloatTensor(", "torch.tensor(", "torch.sin(",
        "torch.mean(", ".mean()", ".pow(2).sum().item()", ".view(-1, 1)", "-= learning_rate * a.grad",
        "a.grad = None",
        "torch.no_grad()", "super().__init__()", "super(Line, self).__init__()", "nn.Parameter(", ".parameters()",
        "named_parameters()", "state_dict()", '.to("cpu")', "nn.MSELoss()", "optim.SGD(", "lr=", "zero_grad()",
        "step()", "float(w)", "round(float(w), 7)", "manual_seed(", "retain_grad()", "w = w - learning_rate * w.grad",
        "import torch.nn as nn", "import torch.optim as optim", "from torch import nn",
        # Learning PyTorch with Examples
        "torch.autograd.Function", "ctx.save_for_backward(input)", "ctx.saved_tensors", ".apply\n",
        "torch.full((), 0.3",
        ".mm(w1)", ".clamp(min=0)", "w2.t()", "grad_h[h < 0] = 0", ".clone()", "w1.grad.zero_()",
        "x.unsqueeze(-1).pow(p)", "torch.nn.Flatten(0, 1)", 'torch.nn.MSELoss(reduction="sum")',
        "torch.optim.RMSprop(",
        "linear_layer.weight[:, 0].item()", "momentum=0.9", "random.randint(4, 6)",
        # 60-minute blitz
        "torch.rand_like(", "torch.randn_like(", "torch.empty(", "x.new_ones(", "dtype=torch.long",
        "torch.from_numpy(",
        "tensor[:, 1] = 0", "torch.cat([tensor", ".matmul(tensor.T)", ".add_(5)", "result.copy_(x + y)",
        "y.data.norm()",
        "y.backward(v)", "Q.backward(gradient=external_grad)", "param.requires_grad = False", "x.eq(y).all()",
        "a.requires_grad_(True)", "retain_graph=True", "nn.Conv2d(1, 6, 5)",
        "F.max_pool2d(F.relu(self.conv1(x)), (2, 2))",
        "nn.MaxPool2d(2, 2)", "torch.flatten(x, 1)", "out.backward(torch.randn(1, 10))", "next_functions[0][0]",
        "f.data.sub_(f.grad.data * learning_rate)", "nn.CrossEntropyLoss()", "torch.max(outputs.data, 1)",
        "labels.size(0)", "torch.save(net.state_dict()", "load_state_dict(torch.load(",
        # What is torch.nn really?
        "map(torch.tensor,", "x.exp().sum(-1).log().unsqueeze(-1)", "input[range(target.shape[0]), target]",
        "torch.argmax(out, dim=1)", "F.cross_entropy", "model.zero_grad()", "TensorDataset(", "DataLoader(",
        "shuffle=", "model.train()", "model.eval()", "class Lambda(nn.Module)", "nn.AvgPool2d(", "F.avg_pool2d(",
        "nn.AdaptiveAvgPool2d(1)", "kernel_size=3, stride=2, padding=1", "xb.view(-1, xb.size(1))",
        # 모두를 위한 딥러닝 시즌 2
        "torch.LongTensor(", "torch.ByteTensor(", "torch.Tensor([", ".dim()", ".size()", "t.max(dim=0)[1]",
        ".view([-1, 1, 3])",
        ".squeeze()", "torch.stack([x, y, z], dim=1)", "one_hot.scatter_(1, lt, 1)", ".mul_(2.0)", ".long()",
        ".float()",
        "Dataset)", "def __getitem__(self, idx)", "drop_last=True", "F.binary_cross_entropy(", "torch.nn.BCELoss()",
        "nn.Sigmoid()", "F.softmax(z, dim=1)", "F.log_softmax(z, dim=1)", "F.nll_loss(",
        "torch.randint(5, (3,)).long()",
        "F.one_hot(", "torch.norm(param)", ".max(1)[1]", ".std(dim=0)", "torch.transpose(a1, 0, 1)",
        "torch.add(torch.matmul(",
        "torch.nn.init.normal_(", "xavier_uniform_(", "kaiming_normal_(", 'mode="fan_out", nonlinearity="relu"',
        "nn.init.constant_(", "torch.optim.Adam(", "torch.nn.Dropout(p=", "torch.nn.BatchNorm1d(", "nn.BatchNorm2d(",
        "nn.ReLU(inplace=True)", "StepLR(", "get_last_lr()", "nn.AdaptiveAvgPool2d((2, 2))", "self.modules()",
        ".detach().cpu().numpy()", "avg_cost += cost / total_batch", "weight_decay=5e-4", "torch.cuda.is_available()",
        # makemore
        "dtype=torch.int32", "N[ix1, ix2] += 1", "torch.Generator().manual_seed(", "generator=g",
        "torch.multinomial(",
        "keepdim=True", "keepdims=True", ".nelement()", "p.requires_grad = True", "W.data += -50 * W.grad", "C[X]",
        "torch.randint(0, X.shape[0], (32,), generator=g)", "torch.unbind(emb, 1)", ".view(emb.shape[0], -1)",
        "loss.log10().item()", "@torch.no_grad()", "hpreact.std(0, keepdim=True)", "x.var(dim, keepdim=True)",
        "torch.allclose(dt, t.grad", "logits.max(1, keepdim=True).values", "counts_sum**-1", "torch.zeros_like(",
        "torch.ones_like(", "F.one_hot(logits.max(1).indices, num_classes=logits.shape[1])",
        "dlogits[range(n), Yb] -= 1",
        "dC[ix] += demb[k, j]", "layer.out.retain_grad()", "x.squeeze(1)", "unbiased=True", "torch.tanh(",
        # micrograd
        "torch.Tensor([-4.0]).double()", "x.requires_grad = True", "z.relu()", "p.data -= ", "(p * p).sum()",
    ],
)  # fmt: skip
def test_every_call_of_the_tutorials_occurs(call):
    assert any(call in source for source in sources())


NUMBER = re.compile(r"-?\d+\.\d+")


@pytest.mark.slow
@each_program
def test_digits_are_not_on_the_edge(path):
    """Printed with more digits, the numbers of both libraries still round to what was printed."""
    mine, reference = (NUMBER.findall(text) for text in outputs(path, digits=1))
    assert len(mine) == len(reference)
    for a, b in zip(mine, reference, strict=True):
        # the digit after the last printed one differs by at most one
        digits = len(b.partition(".")[2])
        assert abs(float(a) - float(b)) <= 1.01 * 10.0**-digits


SOURCES = {"examples": 9, "blitz": 5, "really": 4, "zerotoall": 25, "makemore": 9, "micrograd": 3}


def test_the_page_of_programs_names_and_counts_all_of_them():
    page = (Path(__file__).parent.parent / "docs" / "programs.md").read_text()
    named = re.findall(r"^\| `(\w+)\.py` \|", page, flags=re.MULTILINE)
    assert sorted(named) == [path.stem for path in PROGRAMS]
    for source, count in SOURCES.items():
        assert count == sum(name.startswith(f"{source}_") for name in named)
    assert f"{len(PROGRAMS)} programs" in page


def test_a_program_for_the_gpu_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)
    source = (Path(__file__).parent / "programs" / "sine_by_hand.py").read_text().replace('"cpu"', '"cuda:0"')
    with pytest.raises(RuntimeError, match=r"pip install 'tinygrad_poly\[cuda\]'"):
        printed(ported(source))


def test_the_default_dtype_is_left_as_it_was():
    assert tg.get_default_dtype() == tg.float32
    assert torch.get_default_dtype() == torch.float32
