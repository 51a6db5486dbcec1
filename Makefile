# make fit and make test need nothing but Python 3.11 or newer: they make their own environment in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# How many processes run tests: a number, or auto for one on each core.
JOBS ?= auto
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# A file of tests stays in one process, which makes its fixtures once. Nothing is measured here and no log is looked at.
TESTS := $(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -p no:benchmark -p no:logging

# The first NumPy 2 that there is for a Python; a newer one has to do where it was not made yet.
NUMPY_OLDEST := 'numpy==2.0.0; python_version<"3.13"' 'numpy==2.1.0; python_version=="3.13"' \
	'numpy==2.3.2; python_version>"3.13"'
CORE := tests/engine tests/functions tests/func tests/optim tests/nn tests/test_tensor.py tests/test_autograd.py \
	tests/test_creation.py $(filter-out %_on_device.py %_other_libraries.py, $(wildcard tests/derivatives/test_*.py))

.PHONY: help fit test test-all test-numpy-oldest lint types size wheel docs bench bench-quick gpu prove doctor clean

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*##/make \1\t/p' $(MAKEFILE_LIST)

fit: $(VENV)/.installed  ## Fit sin(x) and save a picture
	$(BIN)/tinygrad-poly fit sin

test: $(VENV)/.test  ## Run the tests, on all cores (JOBS=1: on one), but for the slow ones
	$(TESTS) -m "not slow"

test-all: $(VENV)/.test  ## Run all tests, with five times as many random examples
	$(TESTS) --hypothesis-profile=thorough

test-numpy-oldest: $(VENV)/.test  ## Run the core's tests with the oldest NumPy that pyproject.toml allows
	rm -rf build/numpy-oldest
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target build/numpy-oldest $(NUMPY_OLDEST)
	PYTHONPATH=build/numpy-oldest $(TESTS) -m "not slow" $(CORE)

lint: $(VENV)/.lint  ## Check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.lint $(VENV)/.test  ## Check types
	$(BIN)/mypy

size:  ## Count the lines of code
	@$(PYTHON) -m tests.size

wheel: $(VENV)/.installed  ## Build the wheel and try it alone, outside the checkout
	rm -rf build/wheel && mkdir -p build/wheel
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
	$(PYTHON) -m venv build/wheel/env
	build/wheel/env/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt build/wheel/*.whl
	cd build/wheel && env/bin/tinygrad-poly fit line --no-picture && env/bin/tinygrad-poly tutorials T8

docs: $(VENV)/.docs  ## Write the pages that are made from the code, and build the book in build/docs
	$(BIN)/python -m tests.derivatives.page > docs/derivatives.md
	$(BIN)/python -W ignore -m tests.names > docs/names.md
	$(BIN)/python -m benchmarks.report
	$(BIN)/python -m tests.proof.doctor --page
	$(BIN)/python -m sphinx -b html -d build/doctrees --fresh-env --fail-on-warning --keep-going --quiet docs build/docs
	@echo "The book: build/docs/index.html"

bench: $(VENV)/.bench  ## Measure speed against torch (half an hour; goes on where it was interrupted)
	$(BIN)/python -m benchmarks --results
	$(BIN)/python -m benchmarks.experiments
	$(BIN)/python -m benchmarks.report

bench-quick: $(VENV)/.quick  ## Measure what README claims, in a minute
	$(BIN)/tinygrad-poly bench --quick

gpu: $(VENV)/.test  ## Test, measure and tune on a GPU in six minutes; without one, on stand-ins
	$(BIN)/python -m benchmarks.gpu --out build/gpu

prove: $(VENV)/.test  ## Check generated programs, wrong engines, fits, files and writes by the thousand (two hours)
	$(BIN)/python -m tests.proof.prove
	$(BIN)/python -m tests.proof.prove --mutants
	$(BIN)/python -m tests.proof.fits
	$(BIN)/python -m tests.proof.files
	$(BIN)/python -m tests.proof.compiled --count 20000
	$(BIN)/python -m tests.proof.writes --count 20000

doctor: $(VENV)/.bench  ## Measure the gradient doctor beside other checkers: 30,000 right gradients (hours)
	$(BIN)/python -m tests.proof.doctor --save tests/proof/doctor/results.json

clean:  ## Remove what the other commands made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks

$(VENV)/.environment:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed, and $(PYTHON) is ' + sys.version.split()[0] + '; name another: make PYTHON=python3.12 ...')"
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	@touch $@

$(VENV)/.installed: $(VENV)/.environment pyproject.toml constraints.txt
	$(PIP) --editable '.[cli,plot]'
	@touch $@

$(VENV)/.test: $(VENV)/.installed
	$(PIP) --group test
	@touch $@

$(VENV)/.docs: $(VENV)/.test
	$(PIP) --group docs
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	$(PIP) --group peers
	@touch $@

$(VENV)/.quick: $(VENV)/.installed
	@echo "Installing torch, JAX and Numba into $(VENV), once: some minutes"
	$(PIP) --group quick
	@touch $@

$(VENV)/.lint: $(VENV)/.environment pyproject.toml constraints.txt
	$(PIP) --group lint
	@touch $@
