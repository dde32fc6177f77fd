# Everything a fresh machine with Python 3.11+ and make needs. `make help` lists the targets.
PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2

BIN := $(VENV)/bin
READY := $(VENV)/.ready
UV := $(shell command -v uv 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help demo test lint long bench ptx lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## sweep on a local Ray cluster and write a report
	$(BIN)/phalanx demo

# In the order that tests/conftest.py gives: what takes long (compiled passes, Ray) comes before the
# many small files of tests/unit, which then fill up whatever worker is free.
test: lint ## lint, then the whole suite
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

lint: $(READY) ## ruff, mypy --strict and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

long: $(READY) ## the tests that take minutes, on fresh random examples: within an hour
	$(BIN)/pytest -m long --hypothesis-profile explore \
		-n $(WORKERS) --dist loadfile --no-loadscope-reorder

bench: $(READY) ## measure speed and print it
	$(BIN)/pytest tests/bench -m bench -s

# Compilers that nothing else needs lie in an environment of their own, made for the locked versions.
ptx: $(READY) ## compile the GPU's kernel to PTX for 8.0 and 9.0, without a GPU
	$(BIN)/python -m venv --without-pip build/gpu
ifneq ($(UV),)
	$(UV) pip install --quiet --python build/gpu/bin/python -c requirements.txt "numba-cuda[cu12]"
else
	$(BIN)/python -m pip --python build/gpu/bin/python install --quiet \
		--disable-pip-version-check -c requirements.txt "numba-cuda[cu12]"
endif
	PYTHONPATH="$$PWD:$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
		build/gpu/bin/python -m tests.device.compile_ptx

# `fewest` locks one version of each package for every Python: the same numbers everywhere.
lock: ## rewrite requirements.txt from pyproject.toml (newer versions: make lock UPGRADE=--upgrade)
	@test -n "$(UV)" || { echo "make lock needs uv on the PATH." >&2; exit 1; }
	$(UV) pip compile pyproject.toml --extra dev --universal --python-version 3.11 --quiet \
		--fork-strategy fewest --no-header --no-annotate --no-emit-index-url \
		--no-emit-find-links $(UPGRADE) --output-file requirements.txt

clean: ## remove the environment and every cache
	rm -rf $(VENV) build out *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache
	find $(wildcard cluster actors engines strategies serve tests) -name __pycache__ -prune \
		-exec rm -rf {} +

# phalanx itself is installed last, editable, with the locked setuptools: no isolated build, hence
# nothing unlocked is ever fetched. An environment that exists is brought up to date, not replaced.
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "phalanx needs Python 3.11 or newer, and $(PYTHON) is not: try make PYTHON=python3.11." >&2; \
		exit 1; }
ifneq ($(UV),)
	test -x $(BIN)/python || $(UV) venv --quiet --python "$$(command -v $(PYTHON))" $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python --compile-bytecode -r requirements.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
else
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation -e .
endif
	@touch $(READY)
