# `make run` and `make test` install what they need on a fresh machine with Python 3.11 or newer; after the first time
# they need no network. `make run CPU=1` takes PyTorch's slim CPU build from PyTorch's own wheel index.

SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501
# Test processes at a time.
JOBS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist worksteal
# A browser, its server and the test are busy enough by themselves, and some of these tests look at the clock.
BROWSER := $(BIN)/python -m pytest -m browser tests/e2e
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet
ifdef CPU
PIP += --extra-index-url https://download.pytorch.org/whl/cpu
endif

.PHONY: run test test-fast check bench assets clean

run: $(VENV)/.runtime
	$(BIN)/python -m streamlit run dashboard.py --server.port $(PORT)

test: $(VENV)/.dev
	$(PYTEST) -m "not browser"
	$(BROWSER)

# For the inner loop: everything but the tests that drive a browser.
test-fast: $(VENV)/.dev
	$(PYTEST) -m "not browser"

check: $(VENV)/.dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports
	$(PYTEST) -m "not browser"
	$(BROWSER)

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

assets: $(VENV)/.runtime
	$(BIN)/python -m assets.build

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist *.egg-info

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Convis needs Python 3.11 or newer.")'
	$(PYTHON) -m venv $(VENV)

# A stamp says that these very requirements are installed: a second call needs no network.
$(VENV)/.runtime: requirements.txt | $(BIN)/python
	$(PIP) -r requirements.txt
	touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt | $(BIN)/python
	$(PIP) -r requirements-dev.txt
	touch $(VENV)/.runtime $@
