# Set-up and tests; needs Python 3.11, make and a package index.
SHELL := /bin/bash
PYTHON ?= python3
# uv does not read pip's setting for a local folder of wheels (torch may lie there)
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export UV_COMPILE_BYTECODE ?= 1
BIN := .venv/bin

.PHONY: install lint test-fast test
install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q uv
	$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -e ".[workflow,slurm,test]"
	touch $@

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

test-fast: lint
	$(BIN)/python -m pytest -m "not slow"

test: lint
	$(BIN)/python -m pytest
