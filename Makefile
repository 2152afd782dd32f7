# Everything runs in .venv at the repository root, which is made on first use and updated when pyproject.toml changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test lint format clean

demo: $(INSTALLED) ## enhance a heavily compressed photograph, results in demo/, PSNR printed
	$(BIN)/python benchmarks/demo.py demo

test: $(INSTALLED) ## all tests
	$(BIN)/python -m pytest

lint: $(INSTALLED) ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED) ## put the style right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove what can be made again, .venv excepted
	rm -rf build dist demo *.egg-info .mypy_cache .pytest_cache .ruff_cache

$(INSTALLED): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -c "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))" \
		|| { echo "Python 3.10, 3.11 or 3.12 is needed: make PYTHON=python3.11 after removing $(VENV)"; exit 1; }
	$(BIN)/python -m pip install --quiet "setuptools>=77" wheel
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable ".[dev]"
	touch $@
