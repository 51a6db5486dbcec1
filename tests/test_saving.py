"""What is saved comes back as it was, and a file that was damaged, or is another's, is refused and says why."""

import io
import json
import math
import random
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DataError


def again(value, **options):
    file = io.BytesIO()
    tg.save(value, file)
    file.seek(0)
    return tg.load(file, **options)


def same(a, b):
    """Whether two values are the same, to the types and the last bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, tg.Tensor):
        return a.requires_grad == b.requires_grad and a.is_leaf and same(a.detach().numpy(), b.detach().numpy())
    if isinstance(a, np.ndarray):
        return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    return a == b or a != a != b


VALUES = {
    "numbers": [1, -(10**30), 2.5, math.inf, True, None, "텍스트"],
    "a dict of all keys": {1: "a", (1, 2): "b", "=odd": "c", None: [], 2.5: {}},
    "nested": {"a": [(1, [2.0, ()]), {"b": {"=tensor": 1}}]},
    "ordered": OrderedDict([("b", 1), ("a", 2)]),
    "dtypes and shapes": [tg.float32, tg.bool, tg.Size([2, 3])],
    "arrays": [np.arange(3), np.zeros((0, 2), np.float16), np.asfortranarray(np.eye(3))[:, :2].copy()],
    "tensors": {
        kind.name: tg.tensor([[0, 1], [1, 0]], dtype=kind)
        for kind in (tg.float32, tg.float64, tg.float16, tg.int64, tg.int32, tg.int16, tg.int8, tg.uint8, tg.bool)
    },
    "leaves": [tg.tensor(2.0, requires_grad=True), tg.zeros(0, 3), tg.nn.Parameter(tg.ones(2)), tg.tensor(math.nan)],
    "a frozen parameter": tg.nn.Parameter(tg.ones(2), requires_grad=False),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_values_come_back_as_they_were(value):
    assert same(again(value), value)


def test_views_and_results_come_back_as_plain_leaves():
    x = tg.arange(6.0).reshape(2, 3).requires_grad_()
    found = again([x[1], x.t().detach(), x * 2])
    assert [t.tolist() for t in found] == [[3, 4, 5], [[0, 3], [1, 4], [2, 5]], [[0, 2, 4], [6, 8, 10]]]
    assert [(t.requires_grad, t.is_leaf) for t in found] == [(True, True), (False, True), (True, True)]


def test_a_training_goes_on_from_a_file(tmp_path):
    def made():
        tg.manual_seed(0)
        model = tg.nn.Sequential(tg.nn.Linear(2, 3), tg.nn.Tanh(), tg.nn.Linear(3, 1))
        return model, tg.optim.Adam(model.parameters(), lr=0.1)

    def train(model, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            model(tg.ones(4, 2)).square().sum().backward()
            optimizer.step()

    model, optimizer = made()
    train(model, optimizer, 3)
    tg.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, tmp_path / "state.pt")
    train(model, optimizer, 3)
    other, other_optimizer = made()
    state = tg.load(tmp_path / "state.pt", map_location="cpu", weights_only=True)
    assert state["epoch"] == 3
    other.load_state_dict(state["model"])
    other_optimizer.load_state_dict(state["optimizer"])
    train(other, other_optimizer, 3)
    assert same(dict(other.state_dict()), dict(model.state_dict()))


def test_tensors_go_where_they_are_to_be():
    x = tg.ones(2)
    for target in (None, "cpu", tg.device("cpu"), {"cuda:0": "cpu"}, lambda storage, place: storage):
        assert same(again(x, map_location=target), x)
    with pytest.raises(DataError, match="cuda"):
        again(x, map_location="cuda")


def test_what_cannot_be_saved_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.pt"
    tg.save([1], path)
    circle = []
    circle.append(circle)
    for value, words in [
        ({1, 2}, "a set cannot"),
        (tg.nn.Linear(1, 1), r"Linear cannot be saved: save its state_dict\(\)"),
        (1j, "complex"),
        (np.array(["a"]), "cannot be saved exactly"),
        (print, "cannot be saved"),
        (circle, "holds itself"),
    ]:
        with pytest.raises(TypeError, match=words):
            tg.save({"value": value}, path)
    assert tg.load(path) == [1]
    with pytest.raises(FileNotFoundError):
        tg.load(tmp_path / "none.pt")
    with pytest.raises(DataError, match="does not exist"):
        tg.save([1], tmp_path / "none" / "x.pt")


def others_files():
    def written(write):
        file = io.BytesIO()
        write(file)
        return file.getvalue()

    def archive(**members):
        def write(file):
            with zipfile.ZipFile(file, "w") as target:
                for name, content in members.items():
                    target.writestr(name.replace("_", "."), content)

        return written(write)

    def ours(content):
        return archive(structure_json=json.dumps({"format": "tinygrad_poly tensors", "content": content}))

    state = {"w": torch.ones(2)}
    return {
        "torch's": (written(lambda f: torch.save(state, f)), r"torch\.save.*numpy\.savez"),
        "torch's old one": (
            written(lambda f: torch.save(state, f, _use_new_zipfile_serialization=False)),
            r"torch\.save.*numpy\.savez",
        ),
        "an npz": (written(lambda f: np.savez(f, a=np.ones(2))), "something else"),
        "nothing": (b"", "is no file"),
        "text": (b"a,b\n1,2\n", "is no file"),
        "another archive": (archive(structure_json="{}"), "something else"),
        "a list": (archive(structure_json="[]"), "is no file"),
        "deep": (archive(structure_json="[" * 10**5), "is no file"),
        "no array": (ours({"=array": "7.npy"}), "7.npy"),
        "no numbers": (ours({"=tensor": 1}), "is no file"),
        "a tensor that cannot require grad": (ours({"=dict": [1]}), "is no file"),
        "objects": (
            archive(
                structure_json=json.dumps({"format": "tinygrad_poly tensors", "content": {"=array": "0.npy"}}),
                **{"0_npy": written(lambda f: np.save(f, np.array([{}]), allow_pickle=True))},
            ),
            "allow_pickle",
        ),
    }


OTHERS = others_files()


@pytest.mark.parametrize(("data", "words"), OTHERS.values(), ids=OTHERS)
def test_files_of_others_are_refused_and_say_why(data, words):
    with pytest.raises(DataError, match=words):
        tg.load(io.BytesIO(data))


def test_damaged_files_are_refused_or_right():
    value = {"w": tg.arange(12.0).reshape(3, 4).clone(), "b": tg.tensor([1, 2]), "note": ["text", 1.5, (2, None)]}
    file = io.BytesIO()
    tg.save(value, file)
    data, rng, refused = file.getvalue(), random.Random(0), 0
    for trial in range(300):
        broken = bytearray(data)
        match trial % 3:
            case 0:
                del broken[rng.randrange(len(data)) :]
            case 1:
                broken[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 2:
                start = rng.randrange(len(data))
                broken[start : start + rng.randint(1, 9)] = rng.randbytes(rng.randint(0, 9))
        try:
            assert same(tg.load(io.BytesIO(bytes(broken))), value), trial
        except DataError:
            refused += 1
    assert refused > 200
