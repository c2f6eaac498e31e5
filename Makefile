# Each target sets up what it needs, in .venv, when pyproject.toml or constraints.txt has changed.
PYTHON ?= python3
OUT ?= results/quick
BIN := .venv/bin
WITHOUT_TORCH := gymnasium jinja2 matplotlib numba numpy pettingzoo pillow rich safetensors scipy tyro

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Small matrices: more threads than one only wait for each other.
export OPENBLAS_NUM_THREADS := 1

.PHONY: help study test lint types check coverage lowest without-torch wheel wheel-check docs clean

help:
	@echo "make study   train, shift the rule, compare; leaves $(OUT)/report.html and $(OUT)/results.csv"
	@echo "make test    run the tests"
	@echo "make docs    build the site of the documentation; leaves site/index.html"
	@echo "make wheel   build sdist and wheel; leaves them in dist/"
	@echo "make lint types check clean   style; types; both and the tests; remove what make made"
	@echo "make coverage lowest wheel-check   what the tests reach; with the oldest versions; with the built wheel"
	@echo "make without-torch   run the tests that do not train, without torch"

study: .venv/.ready
	@$(BIN)/ruleshift study --preset quick --out $(OUT)

test: .venv/.ready-dev
	@$(BIN)/pytest -q -n 2

lint: .venv/.ready-dev
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .

types: .venv/.ready-dev
	@$(BIN)/mypy --no-error-summary

check: lint types test

coverage: .venv/.ready-dev
	@$(BIN)/pytest -q -n 2 --cov --cov-report=term:skip-covered

lowest: .venv-lowest/.ready
	@.venv-lowest/bin/pytest -q -n 2

without-torch: .venv-without-torch/.ready
	@.venv-without-torch/bin/pytest -q -n 2

wheel: .venv/.ready-dev
	@$(BIN)/python -m build --outdir dist . >/dev/null
	@ls dist/*

wheel-check: .venv/.ready-dev
	@.ci/wheel-check

docs: .venv/.ready-docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "site/index.html"

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "ruleshift needs Python 3.11 or later; name one: make PYTHON=python3.12 study" >&2; exit 1; }
	@$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/.ready: .venv/.made pyproject.toml constraints.txt
	@echo "installing into .venv"
	@$(BIN)/pip install -qq -c constraints.txt -e .
	@touch $@

.venv/.ready-dev: .venv/.made pyproject.toml constraints.txt
	@echo "installing into .venv, with what the tests need"
	@$(BIN)/pip install -qq -c constraints.txt -e '.[dev]'
	@touch $@ .venv/.ready

.venv/.ready-docs: .venv/.made pyproject.toml constraints.txt
	@echo "installing into .venv, with what the documentation needs"
	@$(BIN)/pip install -qq -c constraints.txt -e '.[docs]'
	@touch $@ .venv/.ready

.venv-lowest/.ready: pyproject.toml constraints-lowest.txt
	@echo "installing into .venv-lowest"
	@$(PYTHON) -m venv --clear .venv-lowest
	@.venv-lowest/bin/pip install -qq -c constraints-lowest.txt -e '.[dev]'
	@touch $@

.venv-without-torch/.ready: pyproject.toml constraints.txt
	@echo "installing into .venv-without-torch"
	@$(PYTHON) -m venv --clear .venv-without-torch
	@.venv-without-torch/bin/pip install -qq -c constraints.txt $(WITHOUT_TORCH) hatchling hypothesis matching pytest pytest-xdist
	@.venv-without-torch/bin/pip install -qq --no-deps --no-build-isolation -e .
	@touch $@

clean:
	@rm -rf .venv .venv-lowest .venv-without-torch .coverage build dist site .pytest_cache .mypy_cache .ruff_cache
