# `make demo` and `make test` from nothing: Python 3.11 or later, pip and make.
#
#   make demo CONSTRAINTS=my-constraints.txt    other versions than those CI ran
#   make test PYTHON=python3.13                 another interpreter (delete .venv first)

PYTHON ?= python3
CONSTRAINTS ?= constraints.txt
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --constraint $(CONSTRAINTS)
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export NO_MKDOCS_2_WARNING := 1

.PHONY: demo test lint docs unit peers format clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	$(BIN)/monosema demo

test: lint docs unit

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports --no-logo
	$(BIN)/pyright

docs: $(VENV)/.installed-dev
	$(BIN)/mkdocs build --strict --quiet

unit: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --numprocesses $(WORKERS)

format: $(VENV)/.installed-dev
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean:
	rm -rf $(VENV) $(VENV)-peers site dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit("monosema needs Python 3.11 or later, %s is %s: make PYTHON=..." % (sys.executable, sys.version.split()[0]) if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

# torch goes first and alone, so that pip settles on the build that is at hand before anything asks for it.
$(VENV)/.installed: pyproject.toml $(CONSTRAINTS) | $(VENV)/pyvenv.cfg
	$(PIP) torch
	$(PIP) --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --quiet --editable '.[dev,docs]'
	@touch $@

# Against the peers' own code, in an environment of its own: SAELens opens the folders we write.
peers: $(VENV)/.installed-dev $(VENV)-peers/.installed
	MONOSEMA_PEERS=$(CURDIR)/$(VENV)-peers/bin/python $(BIN)/python -m pytest tests/peers --numprocesses $(WORKERS)

$(VENV)-peers/.installed:
	$(PYTHON) -m venv $(VENV)-peers
	$(VENV)-peers/bin/python -m pip --disable-pip-version-check install --constraint $(CONSTRAINTS) torch
	$(VENV)-peers/bin/python -m pip --disable-pip-version-check install --quiet sae-lens==6.54.12
	@touch $@
