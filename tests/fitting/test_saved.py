import json
from contextlib import suppress

import numpy as np
import pytest

import tinygrad_poly as tg
from tests.proof.fits import route
from tinygrad_poly.engine.errors import DataError
from tinygrad_poly.fitting import fit, resume, saved
from tinygrad_poly.fitting.optimizers import OPTIMIZERS


class Momentum(tg.optim.Optimizer):
    """An optimizer whose state holds a counter, tensors, arrays, and keys that are no texts."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})
        self.params = self.param_groups[0]["params"]
        self.count = 0
        self.velocity = {i: 0 * p.array for i, p in enumerate(self.params)}

    def step(self):
        self.count += 1
        for i, p in enumerate(self.params):
            self.velocity[i] = 0.9 * self.velocity[i] + p.grad.array
            p.array = p.array - self.lr * (1 + 1 / self.count) * self.velocity[i]

    def state_dict(self):
        return super().state_dict() | {
            "count": self.count,
            "velocity": {i: tg.tensor(v) if i % 2 else np.asarray(v) for i, v in self.velocity.items()},
            "nothing": [None, True, "text"],
        }

    def load_state_dict(self, state):
        super().load_state_dict(state)
        assert state["nothing"] == [None, True, "text"]
        self.count = state["count"]
        self.velocity = {i: getattr(v, "array", v) for i, v in state["velocity"].items()}


def bits(result):
    return [(w.dtype, w.shape, w.tobytes()) for w in result.run.params.values()], result.losses


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, Momentum])
@pytest.mark.parametrize("problem", ["sine", "sine_in_float32"])
def test_a_resumed_fit_is_bit_for_bit_the_uninterrupted_one(request, tmp_path, problem, optimizer):
    problem = request.getfixturevalue(problem)
    lr = {"sgd": 1e-6, "asgd": 1e-6, "radam": 1e-6, Momentum: 1e-7}.get(optimizer, 1e-2)
    whole = fit(*problem.arguments, steps=500, lr=lr, optimizer=optimizer, progress=False)
    part = fit(*problem.arguments, steps=250, lr=lr, optimizer=optimizer, progress=False)
    part.save(tmp_path / "run.json")
    factory = Momentum if optimizer is Momentum else None
    resumed = resume(tmp_path / "run.json", problem.loss, problem.x, problem.y, 500, optimizer=factory, progress=False)
    assert bits(resumed) == bits(whole) == bits(part.resume(500, progress=False))
    assert resumed.losses.keys() == {99, 199, 299, 399, 499}


def test_an_interrupted_fit_resumes_to_the_steps_that_it_was_to_take(sine, tmp_path):
    calls = 0

    def loss(params, x, y):
        nonlocal calls
        calls += 1
        if calls == 151:
            raise KeyboardInterrupt
        return sine.loss(params, x, y)

    fit(loss, sine.start, sine.x, sine.y, steps=300, progress=False).save(tmp_path / "run.json")
    resumed = resume(tmp_path / "run.json", sine.loss, sine.x, sine.y, progress=False)
    assert bits(resumed) == bits(fit(*sine.arguments, steps=300, progress=False))
    assert not resumed.interrupted


def test_a_list_of_weights_of_any_shape_comes_back_as_one(tmp_path):
    def loss(params, x, y):
        return ((x @ params[0] + params[1] - y) ** 2).mean()

    x, y = np.eye(2, dtype=np.float32), np.ones((2, 3), np.float32)
    fit(loss, [np.zeros((2, 3), np.float32), 1 / 3], x, y, steps=2, lr=0.1, progress=False).save(tmp_path / "run.json")
    resumed = resume(tmp_path / "run.json", loss, x, y, 4, progress=False)
    assert [w.shape for w in resumed.params] == [(2, 3), ()]
    assert [w.shape for w in resumed.start] == [(2, 3), ()]


def test_a_resumed_fit_can_take_another_learning_rate(sine, tmp_path):
    fit(*sine.arguments, steps=10, progress=False).save(tmp_path / "run.json")
    resumed = resume(tmp_path / "run.json", sine.loss, sine.x, sine.y, 20, lr=2e-6, progress=False)
    assert resumed.lr == 2e-6
    assert bits(resumed) != bits(fit(*sine.arguments, steps=20, progress=False))


def test_fewer_steps_than_are_complete_cannot_be_resumed(sine):
    result = fit(*sine.arguments, steps=10, progress=False)
    with pytest.raises(
        ValueError, match=r"steps must be a whole number of 10 or more \(10 are already complete\), not 5"
    ):
        result.resume(5, progress=False)


def test_an_optimizer_of_ones_own_has_to_be_passed_again(sine, tmp_path):
    fit(*sine.arguments, steps=1, optimizer=Momentum, lr=1e-7, progress=False).save(tmp_path / "run.json")
    with pytest.raises(DataError, match="has to be passed again: unknown optimizer 'custom: Momentum'"):
        resume(tmp_path / "run.json", sine.loss, sine.x, sine.y, 2, progress=False)


@pytest.fixture
def run_file(sine, tmp_path):
    path = tmp_path / "run.json"
    fit(*sine.arguments, steps=200, progress=False).save(path, problem={"what": "sin"})
    return path


def test_a_saved_run_is_readable(run_file):
    document = json.loads(run_file.read_text())
    assert document["format"] == "tinygrad_poly fit"
    assert document["written by"]["tinygrad_poly"] == tg.__version__
    assert document["problem"] == {"what": "sin"}
    assert (document["step"], document["steps"], document["optimizer"], document["lr"]) == (200, 200, "sgd", 1e-6)
    assert list(document["losses"]) == ["99", "199"]
    assert document["params"]["a"]["=array"] == "float64"


def test_saving_leaves_no_other_file_behind(run_file):
    assert list(run_file.parent.iterdir()) == [run_file]


def test_a_failed_save_keeps_what_was_there(run_file, sine, monkeypatch):
    before = run_file.read_bytes()

    def fails(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fails)
    with pytest.raises(DataError, match=r"cannot write .*: No space left on device"):
        fit(*sine.arguments, steps=1, progress=False).save(run_file)
    assert run_file.read_bytes() == before
    assert list(run_file.parent.iterdir()) == [run_file]


def without(name):
    return lambda document: {key: value for key, value in document.items() if key != name}


def changed(name, value):
    return lambda document: document | {name: value}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without("format"), 'is not a saved fit: its "format" is not'),
        (changed("version", 99), "saved in version 99 of the format, and this program reads version 1"),
        (without("params"), "is damaged: it has no 'params'"),
        (without("losses"), "is damaged: it has no 'losses'"),
        (changed("step", -1), "is damaged: -1 is not a number of steps"),
        (changed("step", 1.5), "is damaged: 1.5 is not a number of steps"),
        (changed("params", {}), "is damaged: it holds no weights$"),
        (changed("params", {"a": 1.0}), "is damaged: it holds no weights"),
        (
            changed("start", {"a": {"=array": "float64", "shape": [], "values": [1.0]}}),
            "differ in name, shape or dtype",
        ),
        (changed("params", {"a": {"=array": "float64", "shape": [3], "values": [1.0]}}), "is damaged: cannot reshape"),
        (changed("params", {"a": {"=array": "nonsense", "shape": [], "values": [1.0]}}), "data type 'nonsense'"),
        (changed("losses", {"ninety": 1.0}), "is damaged: invalid literal"),
        (changed("lr", None), "None is not a learning rate"),
        (changed("version", "1"), "its \"version\" is '1', and not a number such as 1"),
        (changed("version", True), 'its "version" is True, and not a number such as 1'),
        (changed("lr", -1), "is damaged: -1 is not a learning rate"),
        (changed("lr", "0.1"), "is damaged: '0.1' is not a learning rate"),
        (changed("log_every", 0), "is damaged: 0 is not a number of steps \\(in its 'log_every'\\)"),
        (changed("listed", 1), "is damaged: 1 is not true or false \\(in its 'listed'\\)"),
        (changed("optimizer", {}), "is damaged: {} is not the name of an optimizer"),
        (changed("optimizer_state", []), r"is damaged: \[\] is not the state of an optimizer"),
        (changed("optimizer_state", {"=dict": 3}), "is damaged: 'int' object is not iterable"),
        (changed("problem", None), "is damaged: None is not the description"),
        (changed("losses", {"1_0": 1.0}), "is damaged: it holds something else than numbers of steps"),
        (changed("losses", {"9": "low"}), "than numbers of steps and their losses$"),
        (changed("params", {"a": {"=array": "float64", "shape": [-1], "values": [1.0]}}), r"\[-1\] is not a shape"),
        (changed("params", {"a": {"=array": "float32", "shape": [], "values": [1e300]}}), "is damaged: overflow"),
        (
            changed("params", {"a": {"=array": "float64", "shape": [], "values": ["1"]}}),
            "float64 holds something",
        ),
        (changed("params", {"a": {"=array": "U9", "shape": [], "values": [1.0]}}), "array of <U9 holds something"),
        (changed("step", 10**400), "is damaged: it was changed after it was saved"),
        (changed("step", 199), "it was changed after it was saved, its sha256 is that of another content$"),
        (changed("more", 1), "its sha256 is that of another content$"),
        (without("sha256"), "is damaged: it has no 'sha256'"),
        (changed("sha256", 0), "is damaged: 0 is not a checksum"),
        (lambda document: [document], "is not a saved fit"),
    ],
)
def test_a_damaged_or_foreign_run_is_refused(run_file, damage, message):
    run_file.write_text(json.dumps(damage(json.loads(run_file.read_text()))))
    with pytest.raises(DataError, match=message):
        saved.load(run_file)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"x,y\n1,2\n"])
def test_what_is_not_json_is_refused(tmp_path, content):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(DataError, match="is not a saved fit"):
        saved.load(tmp_path / "run.json")


def test_a_truncated_run_is_refused_wherever_it_ends(run_file):
    content = run_file.read_bytes()
    for end in range(0, len(content) - 2, 97):
        run_file.write_bytes(content[:end])
        with pytest.raises(DataError):
            saved.load(run_file)


def test_no_bit_of_a_run_can_change_unseen(run_file):
    """A changed bit is found, or changes nothing but the layout."""
    content, run = run_file.read_bytes(), bits_of(saved.load(run_file))
    for i in range(0, len(content), 3):
        run_file.write_bytes(content[:i] + bytes([content[i] ^ 1 << i % 7]) + content[i + 1 :])
        with suppress(DataError):
            assert bits_of(saved.load(run_file)) == run


def bits_of(run):
    return repr(vars(run))


def test_a_run_may_be_laid_out_anew(run_file):
    before = bits_of(saved.load(run_file))
    run_file.write_bytes(json.dumps(json.loads(run_file.read_text())).replace(", ", " ,\r\n").encode())
    assert bits_of(saved.load(run_file)) == before


def test_lists_nested_too_deeply_are_damage(run_file):
    text = run_file.read_text()
    for depth in (500, 990, 20_000):
        run_file.write_text(text.replace('"param_groups": [', f'"param_groups": [{"[" * depth}{"]" * depth}, ', 1))
        with pytest.raises(DataError, match="is damaged"):
            saved.load(run_file)


@pytest.mark.parametrize("odd", [{"=array": 1}, {"=dict": [], "b": 2}, {1: {"=tensor": None}}, [{"=": "="}]])
def test_keys_that_look_like_marks_come_back(sine, tmp_path, odd):
    result = fit(*sine.arguments, steps=1, progress=False)
    result.save(tmp_path / "run.json", problem={"odd": odd})
    assert saved.load(tmp_path / "run.json").problem == {"odd": odd}


def test_the_state_of_another_optimizer_is_refused(sine, tmp_path):
    fit(*sine.arguments, steps=1, optimizer="adam", progress=False).save(tmp_path / "run.json")
    with pytest.raises(DataError, match="the saved state is not one of this optimizer: 'nothing'"):
        resume(tmp_path / "run.json", sine.loss, sine.x, sine.y, 2, optimizer=Momentum, progress=False)


def test_a_missing_run_and_a_folder_are_named(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none.json: No such file"):
        saved.load(tmp_path / "none.json")
    with pytest.raises(DataError, match="cannot read"):
        saved.load(tmp_path)


def test_what_could_not_be_read_back_is_not_saved(sine, tmp_path):
    class Odd(tg.optim.SGD):
        def state_dict(self):
            return {"lr": self.lr, "odd": self.odd}

    result = fit(*sine.arguments, steps=1, optimizer=lambda params, lr: odd(Odd(params, lr), {1, 2}), progress=False)
    with pytest.raises(TypeError, match="a set cannot be saved"):
        result.save(tmp_path / "run.json")
    result = fit(
        *sine.arguments, steps=1, optimizer=lambda params, lr: odd(Odd(params, lr), np.array(1j)), progress=False
    )
    with pytest.raises(TypeError, match="an array of complex128 cannot be saved exactly"):
        result.save(tmp_path / "run.json")


def odd(optimizer, value):
    optimizer.odd = value
    return optimizer


@pytest.mark.parametrize("compile", [False, True])
def test_groups_with_rates_of_their_own_keep_them_in_a_resumed_fit(sine, tmp_path, compile):
    def two_groups(params, lr):
        first, *rest = params
        return tg.optim.SGD([{"params": [first], "lr": 2 * lr}, {"params": rest}], lr=lr)

    how = {"progress": False, "optimizer": two_groups}
    with route("NumPy"):
        whole, part = (fit(*sine.arguments, steps=n, compile=compile, **how) for n in (20, 8))
        part.save(tmp_path / "run.json")
        later = resume(tmp_path / "run.json", sine.loss, sine.x, sine.y, steps=20, compile=compile, **how)
        faster = part.resume(9, lr=2e-6, progress=False)
        again = part.resume(20, progress=False)
    for resumed in (again, later):
        assert bits(resumed) == bits(whole)
    assert [group["lr"] for group in faster.run.optimizer_state["param_groups"]] == [4e-6, 2e-6]
