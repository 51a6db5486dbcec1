"""What a compiled function reads without being given it: noticed when it changes, or refused by name."""

import io
import itertools
import math
import pathlib
import random
import time
import types

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.compiler import compile
from tinygrad_poly.engine.errors import TraceError

pytestmark = pytest.mark.usefixtures("uncompiled")

TOGETHER = """
import collections, dataclasses, enum, functools, types
import numpy as np
import tinygrad_poly as tg

def tensor(*numbers):
    return tg.tensor(list(numbers))
"""

# What a function reads, and what is done to it between calls: source, then changes.
READS = {
    "a global": ("w = tensor(3.0)\ndef f(x): return (w * x).sum()", ["w += 1", "w = w * 10", "w = tg.tensor(7.0)"]),
    "a number": ("k = 2.0\ndef f(x): return (x * k).sum()", ["k = 3.0", "k = -0.0", "k = 1", "k = True"]),
    "a list": ("v = [tensor(3.0), 2]\ndef f(x): return (v[0] * x * v[1]).sum()",
               ["v[0] += 1", "v[0] = tensor(30.0)", "v[1] = 5", "v.reverse()", "v = [tensor(1.0), 1]"]),
    "a deque": ("v = collections.deque([tensor(3.0)])\ndef f(x): return (v[0] * x).sum()",
                ["v[0] += 27", "v.appendleft(tensor(1.0))"]),
    "a dict": ("v = {'w': tensor(3.0), 'n': {'k': [1, 2]}}\ndef f(x): return (v['w'] * x * v['n']['k'][1]).sum()",
               ["v['w'] += 1", "v['n']['k'][1] = 4", "v['n'] = {'k': (0, 7)}"]),
    "the order of a dict": ("v = {'a': 1, 'b': 2}\ndef f(x): return x * list(v)[0].count('a')",
                            ["v['a'] = v.pop('a')"]),
    "a set": ("v = {1, 2}\ndef f(x): return x * sum(v)", ["v.add(5)", "v.discard(1)"]),
    "an array": ("v = np.array([1.0, 2.0])\ndef f(x): return x * v", ["v[0] = 10", "v = -v", "v[1] = np.nan"]),
    "a module": ("m = types.ModuleType('settings')\nm.w, m.k = tensor(3.0), 2\ndef f(x): return (m.w * x * m.k).sum()",
                 ["m.w += 1", "m.w = tensor(1.0)", "m.k = 5"]),
    "an attribute": ("class C: pass\nc = C(); c.w = tensor(3.0); c.k = 1\ndef f(x): return (c.w * x * c.k).sum()",
                     ["c.w += 1", "c.w = tensor(1.0)", "c.k = 5", "c = C(); c.w = tensor(2.0); c.k = 2"]),
    "an attribute of a class": ("class B: w = tensor(3.0)\nclass C(B): pass\nc = C()\ndef f(x): return (c.w * x).sum()",
                                ["B.w += 1", "B.w = tensor(1.0)", "C.w = tensor(2.0)", "c.w = tensor(7.0)"]),
    "slots": ("class C: __slots__ = ('w',)\nc = C(); c.w = tensor(3.0)\ndef f(x): return (c.w * x).sum()",
              ["c.w += 1", "c.w = tensor(1.0)"]),
    "a property": ("class C:\n    v = tensor(3.0)\n    @property\n    def w(self): return self.v * 2\nc = C()\n"
                   "def f(x): return (c.w * x).sum()", ["C.v += 1", "c.v = tensor(1.0)"]),
    "an attribute by a computed name": (
        "class C: pass\nc = C(); c.w1 = tensor(3.0); c.n = 1; c.w2 = tensor(5.0)\n"
        "def f(x): return (getattr(c, 'w' + str(c.n)) * x).sum()", ["c.w1 += 1", "c.n = 2", "c.w2 = tensor(1.0)"]),
    "a dataclass": ("@dataclasses.dataclass\nclass C:\n    w: object\n    k: int\nc = C(tensor(3.0), 1)\n"
                    "def f(x): return (c.w * x * c.k).sum()", ["c.w += 1", "c.k = 4", "c = C(tensor(1.0), 2)"]),
    "a namespace": ("c = types.SimpleNamespace(k=2)\ndef f(x): return x * c.k", ["c.k = 3", "c.k = 0.5"]),
    "a helper": ("w = tensor(3.0)\ndef h(x): return x * w\ndef f(x): return h(x).sum()",
                 ["w += 1", "w = tensor(1.0)", "def h(x): return x + w"]),
    "a helper in a container": ("w = tensor(3.0)\nhs = [lambda x: x * w]\ndef f(x): return hs[0](x).sum()",
                                ["w = tensor(1.0)", "hs[0] = lambda x: x + w"]),
    "a function of the library": ("act = tg.relu\ndef f(x): return act(x)", ["act = tg.tanh"]),
    "a loss of the library": ("h = tg.nn.functional.mse_loss\ndef f(x): return h(x, x * 2)",
                              ["h = tg.nn.functional.l1_loss"]),
    "a closure": ("def make():\n    w = tensor(3.0)\n    def f(x): return (w * x).sum()\n    def put(v):\n"
                  "        nonlocal w\n        w = v\n    return f, put\nf, put = make()", ["put(tensor(1.0))"]),
    "a default": ("def f(x, w=tensor(3.0), k=[2]): return (w * x * k[0]).sum()",
                  ["f.__defaults__[0].add_(1)", "f.__defaults__[1][0] = 5", "f.__defaults__ = (tensor(1.0), [1])"]),
    "partial": ("w = tensor(3.0)\nf = functools.partial(lambda w, x, k: (w * x * k[0]).sum(), w, k=[2])",
                ["w += 1", "f.keywords['k'][0] = 5"]),
    "a bound method": ("class C:\n    def m(self, x): return (self.w * x).sum()\nc = C(); c.w = tensor(3.0)\nf = c.m",
                       ["c.w += 1", "c.w = tensor(1.0)"]),
    "an inherited __call__": ("w = tensor(3.0)\nclass B:\n    def __call__(self, x): return (w * x).sum()\n"
                              "class C(B): pass\nf = C()", ["w += 1", "w = tensor(1.0)"]),
    "an operator": ("w = tensor(3.0)\nclass C:\n    def __mul__(self, x): return x * w\nc = C()\n"
                    "def f(x): return (c * x).sum()", ["w += 1", "w = tensor(1.0)"]),
    "the environment": ("import os\nos.environ['K'] = '2'\ndef f(x): return x * float(os.environ['K'])",
                        ["os.environ['K'] = '3'"]),
    "code": ("def h(x): return x * 2\ndef f(x): return h(x)", ["h.__code__ = (lambda x: x * 5).__code__"]),
    "the class of an object": ("class C: k = 2\nclass D: k = 5\nc = C()\ndef f(x): return x * c.k",
                               ["c.__class__ = D"]),
    "an attribute of a number": ("class C(float): pass\nc = C(1.0); c.k = 2\ndef f(x): return x * c.k",
                                 ["c.k = 5", "c = C(1.0); c.k = 7"]),
    "a member of an enumeration": (
        "k = 2\nclass C(enum.Enum):\n    A = 1\n    B = 3\n    def m(self): return self.value * k\nc = C.A\nc.n = 1\n"
        "def f(x): return x * c.m() * C.A.n", ["k = 5", "c = C.B", "C.A.n = 7"]),
    "a view": ("t = tensor(3.0, 4.0)\nw = t[0]\ndef f(x): return x * w", ["t += 1", "w = t[1]"]),
    "a module's weights": ("m = tg.nn.Linear(2, 1)\ndef f(x): return m(x)", [
        "tg.no_grad().__enter__(); m.weight += 9; tg.no_grad().__exit__()", "m.weight = tg.nn.Parameter(tg.ones(1, 2))",
        "m.load_state_dict({'weight': tg.full((1, 2), 5.0), 'bias': tg.zeros(1)})", "m = tg.nn.Linear(2, 2)"]),
    "a module's mode": ("class M(tg.nn.Module):\n    k = 2\n    def forward(self, x):\n"
                        "        return x * self.k if self.training else -x\nm = M()\ndef f(x): return m(x)",
                        ["m.eval()", "m.train()", "m.k = 5", "M.k = 7"]),
    "a module inside": ("class M(tg.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
                        "        self.inner = tg.nn.Sequential(tg.nn.Linear(2, 2))\n    def forward(self, x):\n"
                        "        return self.inner(x)\nf = M()",
                        ["f.inner[0].bias = tg.nn.Parameter(tg.ones(2))", "f.inner = tg.nn.Linear(2, 2)"]),
}  # fmt: skip


@pytest.mark.parametrize(("source", "changes"), READS.values(), ids=READS)
def test_what_changes_is_traced_again(source, changes):
    world = {}
    exec(TOGETHER + source, world)
    f, x = compile(world["f"]), tg.tensor([1.0, 2.0])
    for change in ["", *changes]:
        exec(change, world)
        for _ in range(2):
            np.testing.assert_array_equal(f(x).detach().numpy(), world["f"](x).detach().numpy())


ARGUMENTS = {
    "a module": ("m = tg.nn.Linear(2, 1)\nargs = m,\ndef f(x, m): return m(x)", [
        "tg.no_grad().__enter__(); m.weight += 9; tg.no_grad().__exit__()", "m.weight = tg.nn.Parameter(tg.ones(1, 2))",
        "m.load_state_dict({'weight': tg.full((1, 2), 5.0), 'bias': tg.zeros(1)})", "args = tg.nn.Linear(2, 2),"]),
    "an object": ("class C:\n    def __hash__(self): return 1\n    def __eq__(self, other): return True\n"
                  "c = C(); c.k = 2; args = c,\ndef f(x, c): return x * c.k",
                  ["c.k = 5", "c.k = tensor(7.0)", "c = C(); c.k = 3; args = c,"]),
    "a dataclass": ("@dataclasses.dataclass\nclass C:\n    w: object\n    k: int\nargs = C(tensor(3.0), 1),\n"
                    "def f(x, c): return (c.w * x * c.k).sum()",
                    ["args[0].w += 1", "args[0].k = 4", "args = C(tensor(1.0), 2),"]),
    "a function": ("k = 2.0\ndef g(x): return x * k\nargs = g,\ndef f(x, g): return g(x)",
                   ["k = 3.0", "args = tg.exp,", "args = (lambda x: x - k),"]),
    "a set": ("args = {1, 2},\ndef f(x, v): return x * sum(v)", ["args[0].add(7)", "args = {4},"]),
    "a deque": ("args = collections.deque([1]),\ndef f(x, v): return x * v[0]", ["args[0][0] = 7"]),
    "a method of a dataclass": (
        "k = 2.0\n@dataclasses.dataclass\nclass C:\n    w: object\n    def m(self): return self.w * k\n"
        "args = C(tensor(3.0)),\ndef f(x, c): return c.m() * x", ["k = 5.0", "C.m = lambda self: self.w"]),
    "a dataclass with slots": (
        "@dataclasses.dataclass(slots=True)\nclass C:\n    w: object\n    k: int\nargs = C(tensor(3.0), 1),\n"
        "def f(x, c): return (c.w * x * c.k).sum()", ["args[0].w += 1", "args[0].k = 4", "args = C(tensor(1.0), 2),"]),
    "an attribute that is no field": (
        "@dataclasses.dataclass\nclass C:\n    w: object\nargs = C(tensor(3.0)),\nargs[0].k = 2\n"
        "def f(x, c): return c.w * c.k * x", ["args[0].k = 5", "args[0].k = tensor(7.0)"]),
    "a method of a named tuple": ("k = 2\nclass C(collections.namedtuple('C', 'w')):\n"
                                  "    def m(self): return self.w * k\nargs = C(tensor(3.0)),\n"
                                  "def f(x, c): return c.m() * x", ["k = 5"]),
    "a list of one's own": ("k = 2\nclass C(list):\n    n = 1\n    def m(self): return self[0] * k * self.n * self.w\n"
                            "args = C([tensor(3.0)]),\nargs[0].w = tensor(4.0)\ndef f(x, c): return c.m() * x",
                            ["k = 5", "C.n = 7", "args[0].n = 2", "args[0].w = tensor(1.0)", "args[0].w = args[0][0]"]),
    "a dict of one's own": ("class C(dict): n = 1\nargs = C(w=tensor(3.0)),\ndef f(x, c): return c['w'] * c.n * x",
                            ["C.n = 2", "args[0].n = 5", "args[0].n = tensor(4.0)"]),
    "a number of one's own": (
        "k = 2\nclass C(float):\n    def m(self): return self * k\nargs = C(3.0),\nargs[0].n = 1\n"
        "def f(x, c): return c.m() * c.n * x", ["k = 5", "args[0].n = 7", "args = C(4.0),; args[0].n = 2"]),
    "a member of an enumeration": (
        "k = 2\nclass C(enum.Enum):\n    A = 1\n    def m(self): return self.value * k\nargs = C.A,\n"
        "def f(x, c): return c.m() * x", ["k = 5"]),
    "keys of two kinds": ("args = {1: 2},\ndef f(x, v): return x.to(tg.int64) * list(v)[0]",
                          ["args = {1.0: 2},", "args = {True: 2},"]),
    "several": ("args = tensor(1.0), tensor(2.0)\ndef f(*args, **options): return sum(args)",
                ["args += tensor(7.0),", "args = ()"]),
}  # fmt: skip


@pytest.mark.parametrize(("source", "changes"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments_that_are_no_tensors_are_looked_at_in_each_call(source, changes):
    world = {}
    exec(TOGETHER + source, world)
    f, x = compile(world["f"]), tg.tensor([1.0, 2.0])
    for change in ["", *changes]:
        exec(change, world)
        for _ in range(2):
            found, expected = f(x, *world["args"]), world["f"](x, *world["args"])
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found.detach().numpy(), expected.detach().numpy())


def test_modules_that_are_arguments_need_one_program_however_often_they_are_updated():
    traces = []

    @compile
    def loss(model, x):
        traces.append(1)
        return (model(x) ** 2).sum()

    model, x = tg.nn.Linear(2, 1), tg.ones(3, 2)
    optimizer = tg.optim.SGD(model.parameters(), lr=0.01)
    losses = []
    for _ in range(3):
        losses.append(loss(model, x))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert len(traces) == 1
    assert losses[0].item() > losses[1].item() > losses[2].item()


def test_modules_that_are_arguments_may_become_others():
    model, x = tg.nn.Linear(2, 1), tg.ones(3, 2, dtype=tg.float64)
    f = compile(lambda model, x: model(x.to(model.weight.dtype)))
    assert f(model, x).dtype == tg.float32
    model.double()
    assert f(model, x).dtype == tg.float64
    model.requires_grad_(False)
    assert not f(model, x).requires_grad


def test_what_is_not_read_makes_no_new_program():
    class Trainer:
        def __init__(self):
            self.w, self.history, self.rng, self.lines = tg.tensor(2.0), [], np.random.default_rng(0), iter("ab")

        def loss(self, x):
            traces.append(1)
            return self.w * x

    traces, trainer = [], Trainer()
    f = compile(trainer.loss)
    for i in range(3):
        assert f(tg.tensor(3.0)).item() == 6.0
        trainer.history.append(i)
        trainer.step = i
    assert len(traces) <= 2  # a new attribute may hide one of the class


def test_a_method_is_compiled_for_each_object():
    class Scaled:
        def __init__(self, scale):
            self.scale = tg.tensor(scale)

        @compile
        def times(self, x):
            return self.scale * x

    two, three = Scaled(2.0), Scaled(3.0)
    assert [s.times(tg.tensor(5.0)).item() for s in (two, three, two)] == [10.0, 15.0, 10.0]
    two.scale += 2.0
    assert two.times(tg.tensor(5.0)).item() == 20.0
    assert Scaled.times(three, tg.tensor(1.0)).item() == 3.0
    assert "def run" in two.times.source


def test_a_function_without_a_module():
    world = {}
    exec("f = lambda x: x * 2", world)
    del world["__builtins__"]
    assert compile(world["f"])(tg.tensor(2.0)).item() == 4.0


numbers = np.random.default_rng(0)
uniform = random.uniform
iterator, count = iter([1, 2]), itertools.count()
file = io.TextIOWrapper(io.BytesIO())
folder = pathlib.Path("folder")
CHANGING = {
    "random numbers of NumPy": (lambda x: x * np.random.rand(), r"np.random.rand\(\) .*draws random numbers"),  # noqa: NPY002
    "random numbers of Python": (lambda x: x * random.random(), r"random.random\(\) .*draws random numbers"),
    "a function of random numbers": (lambda x: x * uniform(0, 1), r"uniform\(\) .*draws random numbers"),
    "a generator": (lambda x: x * numbers.normal(), r"draws random numbers.* from numbers"),
    "a generator without a seed": (lambda x: x * np.random.default_rng().normal(), r"default_rng\(\) .*draws random"),
    "a generator of Python without one": (lambda x: x * random.Random().random(), r"random.Random\(\) .*draws random"),
    "a file that is read": (lambda x: x * len(folder.read_text()), r"folder.read_text\(\) .*the same in every call"),
    "an array that is read": (lambda x: x * np.loadtxt(folder), r"np.loadtxt\(\) .*the same in every call"),
    "the time": (lambda x: x * time.time(), r"time.time\(\) .*the same in every call"),
    "an iterator": (lambda x: x * next(iterator), "reads iterator, which is of type builtins.list_iterator"),
    "a count": (lambda x: x * next(count), "reads count, which is of type itertools.count"),
    "a file": (lambda x: x * len(file.name), "reads file, which is of type _io.TextIOWrapper"),
}


@pytest.mark.parametrize(("function", "message"), CHANGING.values(), ids=CHANGING)
def test_what_cannot_be_watched_is_refused_by_name(function, message):
    with pytest.raises(TraceError, match=message):
        compile(function)(tg.tensor([1.0, 2.0]))


def test_numpy_arrays_are_no_arguments():
    with pytest.raises(TraceError, match=r"not NumPy arrays, .* pass tensor\(array\)"):
        compile(lambda x, y: x * y)(tg.tensor(1.0), np.ones(2))


def test_arguments_that_hold_themselves_are_refused():
    endless = [tg.tensor(1.0)]
    endless.append(endless)
    with pytest.raises(TraceError, match="hold themselves: pass them one by one"):
        compile(lambda x: x[0])(endless)


def test_seeded_generators_and_parts_of_paths_are_fine():
    f = compile(lambda x: x * np.random.default_rng(0).normal() * len(folder.joinpath("a").name))
    assert f(tg.tensor(1.0)).item() == np.float32(np.random.default_rng(0).normal())


def test_functions_of_numbers_are_fine():
    settings = types.SimpleNamespace(power=2)
    f = compile(lambda x: x * math.sin(0.0) + x ** max(settings.power, abs(-1)) + np.pi * len([1, 2]))
    assert f(tg.tensor(0.0)).item() == np.float32(2 * np.pi)


@pytest.mark.parametrize("reads", [False, True])
def test_what_changes_in_each_call_is_refused_and_put_back(reads):
    calls, log = 0, []

    def counting(x):
        nonlocal calls
        calls += 1
        log.append(calls)
        return x * calls if reads else x

    with pytest.raises(TraceError, match="changes calls, which a program would not do in each call"):
        compile(counting)(tg.tensor(1.0))
    assert (calls, log) == (0, [])


def test_what_is_filled_at_the_first_call_may_stay():
    class Lazy:
        mask = None

        def __call__(self, x):
            if self.mask is None:
                self.mask = tg.tensor([0.0, 1.0])
            return x * self.mask

    lazy = Lazy()
    f = compile(lazy)
    assert f(tg.tensor([1.0, 2.0])).tolist() == [0.0, 2.0]
    lazy.mask = tg.tensor([1.0, 0.0])
    assert f(tg.tensor([1.0, 2.0])).tolist() == [1.0, 0.0]
