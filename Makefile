# Two commands do everything on a bare machine (python3, make): `make demo` and `make test`.
.PHONY: help setup demo test test-all bench docs audit sbom wheel example golden lint clean
.DEFAULT_GOAL := help
SHELL := /bin/bash

VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
JOBS   ?= 2
# The first Python of 3.11 to 3.13 on the path; override with `make PYTHON=...`.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { echo "$$p"; break; }; done)

# uv does not read pip's settings: hand over the wheel folders and the time-out that pip was given.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export UV_HTTP_TIMEOUT ?= $(or $(PIP_DEFAULT_TIMEOUT),120)
# With no local wheels to choose from, let uv look at the machine and pick the matching torch build (CPU without a GPU).
TORCH_BACKEND := $(if $(UV_FIND_LINKS),,--torch-backend=auto)
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --constraint constraints.txt --editable '.[dev]'

# One OpenMP thread per test process: two on a busy machine can be several times slower than one.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

setup: $(STAMP)  ## make .venv with .venv/bin/presage

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "make: no Python of 3.11 to 3.13 found (set PYTHON=/path/to/python3)" >&2; exit 2; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "make: this Python has no pip (on Debian: apt install python3-venv)" >&2; exit 2; }
	@$(BIN)/python -m pip install --quiet uv
	@$(INSTALL) $(TORCH_BACKEND) || { test -n "$(TORCH_BACKEND)" && $(INSTALL); }
	@touch $@

demo: $(STAMP)  ## the whole chain in about twenty minutes, and images: forecast, seal, train, score, report
	$(BIN)/presage demo

test: $(STAMP)  ## the tests (under 15 minutes)
	$(PYTEST) -n $(JOBS) -m 'not slow'

test-all: $(STAMP)  ## every test, the long figures too
	$(PYTEST) -n $(JOBS)

bench: $(STAMP)  ## measure speed on this machine; prints a table
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

docs: $(STAMP)  ## rewrite docs/cli.md and docs/api.md from the program, and write all documentation as pages to build/site
	$(BIN)/python -m presage reference > docs/cli.md.tmp && mv docs/cli.md.tmp docs/cli.md
	$(BIN)/python tools/api.py > docs/api.md.tmp && mv docs/api.md.tmp docs/api.md
	$(BIN)/python tools/pages.py build

audit: $(STAMP)  ## ask for known vulnerabilities of what is installed
	$(BIN)/python tools/audit.py

sbom: $(STAMP)  ## dist/sbom.json: what an installation is made of (CycloneDX)
	mkdir -p dist && $(BIN)/python tools/sbom.py > dist/sbom.json.tmp && mv dist/sbom.json.tmp dist/sbom.json

wheel: $(STAMP)  ## dist/presage-VERSION-py3-none-any.whl, to be installed elsewhere
	rm -rf build/lib build/bdist* && $(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

example: $(STAMP)  ## rebuild docs/example: the demo with five seeds (about two hours)
	$(BIN)/python tools/example.py

golden: $(STAMP)  ## accept the recipes as they stand: rewrite tests/golden/recipes
	$(BIN)/python -m tests.golden_recipes

lint: $(STAMP)  ## ruff and mypy
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

clean:  ## remove the environment and caches; runs stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
