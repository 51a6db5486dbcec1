"""A name that is missing says which are near, why torch's is left out, and where the list is; nothing else changes."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly import _missing

from . import names

CASES = [
    ("", "quantil", ""),
    ("", "Linear", "near to it: .*nn.Linear"),
    ("", "fft", "Fourier transforms are left out"),
    ("", "complex64", "complex numbers are left out"),
    ("", "sparse_coo_tensor", "sparse tensors are left out"),
    ("", "quantize_per_tensor", "quantized tensors are left out"),
    ("", "multiprocessing", "several processes are left out"),
    ("", "relu_of", "near to it: .*relu"),
    ("nn", "LSTM", "recurrent modules are left out"),
    ("nn", "MultiheadAttention", "attention is left out"),
    ("nn", "Liner", "near to it: nn.Linear"),
    ("nn.functional", "mse_los", "near to it: nn.functional.mse_loss"),
    ("nn.utils", "clip_grad_nrm_", "near to it: nn.utils.clip_grad_norm_"),
    ("optim", "adamw", "near to it: optim.AdamW"),
    ("optim.lr_scheduler", "StepLr", "near to it: optim.lr_scheduler.StepLR"),
    ("linalg", "solv", "near to it: linalg.solve"),
    ("func", "hesian", "near to it: func.hessian"),
    ("cuda", "is_availabel", "near to it: cuda.is_available"),
    ("random", "manual_sed", "near to it: random.manual_seed"),
    ("autograd", "backwards", "near to it: autograd.backward"),
]


@pytest.mark.parametrize(("module", "name", "words"), CASES)
def test_a_missing_name_says_what_there_is_instead(module, name, words):
    full = f"tinygrad_poly.{module}".rstrip(".")
    there = importlib.import_module(full)
    assert not hasattr(there, name)
    assert getattr(there, name, 7) == 7
    with pytest.raises(AttributeError, match=f"'{full}' has no attribute '{name}'.*{words}.*docs/names.md"):
        getattr(there, name)
    with pytest.raises(ImportError, match=f"'{full}' has no name '{name}'.*{words}.*docs/names.md"):
        exec(f"from {full} import {name}")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("stft", "Fourier transforms are left out"),
        ("to_sparse", "sparse tensors are left out"),
        ("conj", "complex numbers are left out"),
        ("solve", "near to it: linalg.solve"),
        ("geqrf", ""),
        ("apply_", ""),
    ],
)
def test_a_missing_method_says_what_there_is_instead(name, words):
    for x in (tg.ones(2), tg.ones(2, 2)[0], tg.nn.Parameter(tg.ones(2))):
        assert not hasattr(x, name)
        with pytest.raises(AttributeError, match=f"object has no attribute '{name}'.*{words}.*docs/names.md"):
            getattr(x, name)


def test_every_method_of_torchs_is_there_or_explained():
    for name in dir(torch.Tensor):
        if not name.startswith("_") and not hasattr(tg.Tensor, name):
            with pytest.raises(AttributeError, match=r"docs/names\.md"):
                getattr(tg.ones(2), name)


def test_a_misspelt_method_is_pythons_own_error():
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'meen'") as found:
        tg.ones(2).meen
    assert found.value.name == "meen"


def test_private_names_are_missing_in_few_words():
    for module in (tg, tg.nn):
        with pytest.raises(AttributeError, match=r"has no attribute '_nothing'$"):
            module._nothing
    assert inspect.unwrap(tg.nn.Linear) is tg.nn.Linear


def test_what_is_outside_is_not_here():
    for there in (tg, tg.nn, tg.nn.functional, tg.Tensor):
        assert [name for name in dir(there) if _missing.reason(name) and hasattr(there, name)] == []


PAGE = (Path(__file__).parent.parent / "docs" / "names.md").read_text()


def test_the_page_of_names_has_a_section_for_each_module_and_lists_what_is_here():
    sections = dict(re.findall(r"^## torch\.?(\S*)\n\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
    assert list(sections) == list(names.MODULES)
    for path, text in sections.items():
        here = re.findall(r"`(\w+)`", text.partition("\n")[0])
        assert [name for name in here if not hasattr(names.there(tg, path), name)] == []
        assert all(f"- `{name}` {clause}." in text for name, clause in names.DIFFERENCES.get(path, {}).items())
    assert "`softmax`" in sections["nn.functional"].partition("\n")[0]
    assert "- `load` reads files of `save` only" in sections[""]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_page_of_names_is_what_make_docs_writes():
    assert names.page() == PAGE, "run `make docs`"


def test_a_submodule_is_still_imported_by_name():
    from tinygrad_poly.optim import lr_scheduler

    assert lr_scheduler is tg.optim.lr_scheduler
