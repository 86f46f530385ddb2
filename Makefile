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

BENCH := runs/bench
PEERS := saelens dictionary-learning sparsify sae-vis saedashboard concept-erasure circuit-tracer transformer-lens nnsight

.PHONY: demo test lint docs unit peers bench peers-bench format clean
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
	@.ci/browser
	$(BIN)/python -m pytest --numprocesses $(WORKERS)

format: $(VENV)/.installed-dev
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean:
	rm -rf $(VENV) $(VENV)-peers $(PEERS:%=$(VENV)-%) site dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache

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

# Against the peers' own code, in an environment of its own: SAELens opens the folders we write, concept-erasure finds
# the projections that we do, and circuit-tracer, in the benchmark's environment, traces the same graphs.
peers: $(VENV)/.installed-dev $(VENV)-peers/.installed $(VENV)-circuit-tracer/.installed
	MONOSEMA_PEERS=$(CURDIR)/$(VENV)-peers/bin/python $(BIN)/python -m pytest tests/peers --numprocesses $(WORKERS)

$(VENV)-peers/.installed:
	$(PYTHON) -m venv $(VENV)-peers
	$(VENV)-peers/bin/python -m pip --disable-pip-version-check install --constraint $(CONSTRAINTS) torch
	$(VENV)-peers/bin/python -m pip --disable-pip-version-check install --quiet sae-lens==6.54.12 concept-erasure==0.2.4
	@touch $@

# Every benchmark, short, with whatever peers are installed. docs/benchmarks.md says how to run the long ones.
bench: $(VENV)/.installed-dev
	mkdir -p $(BENCH)
	$(BIN)/python benchmarks/train.py --n-features 4096 --rounds 2 --steps 2 --warmup 6 --json $(BENCH)/train.json
	$(BIN)/python benchmarks/train.py --quality --n-features 4096 --rows 20000 --seeds 1 --json $(BENCH)/loss.json
	$(BIN)/python benchmarks/scaling.py --max 4096 --rounds 1 --json $(BENCH)/scaling.json --plot $(BENCH)/scaling.svg
	$(BIN)/python benchmarks/harvest.py --rounds 2 --tokens 32768 --json $(BENCH)/harvest.json
	$(BIN)/python benchmarks/hooks.py --rounds 2 --seconds 0.5 --json $(BENCH)/hooks.json
	$(BIN)/python benchmarks/features.py --rounds 1 --peer-features 32 --json $(BENCH)/features.json
	$(BIN)/python benchmarks/recovery.py --out $(BENCH)/recovery --rows 20000 --seeds 1 --shares 1 --grounds independent \
		--json $(BENCH)/recovery.json

# The peers, each in an environment of its own, at fixed releases, beside the same torch.
peers-bench: $(PEERS:%=$(VENV)-%/.installed)

$(VENV)-saelens/.installed: PEER := sae-lens==6.54.12
$(VENV)-dictionary-learning/.installed: PEER := dictionary-learning==0.1.0
$(VENV)-sparsify/.installed: PEER := eai-sparsify==1.3.3
# sae-vis does not name what it imports: SAELens before 6, frozendict, tabulate. Both want numpy 1, which pyarrow 18
# is the last to run beside.
$(VENV)-sae-vis/.installed: PEER := sae-vis==0.3.7 sae-lens==5.11.0 pyarrow==18.1.0 frozendict tabulate
$(VENV)-saedashboard/.installed: PEER := sae-dashboard==0.8.0 sae-lens==6.54.12 pyarrow==18.1.0
# concept-erasure needs torch alone; what its worker reads and writes needs the other two.
$(VENV)-concept-erasure/.installed: PEER := concept-erasure==0.2.4 safetensors numpy
$(VENV)-circuit-tracer/.installed: PEER := circuit-tracer==0.5.0
# The bridge of version 4. HookedTransformer, which ended with version 3, is beside SAELens.
$(VENV)-transformer-lens/.installed: PEER := transformer-lens==4.3.0
$(VENV)-nnsight/.installed: PEER := nnsight==0.8.1

# The versions beside torch are the peers' own affair: of our constraints they get torch's alone, and it goes first.
# dictionary-learning and sae-dashboard come with torchvision. What is published of that is built for CUDA and cannot
# be imported beside another build of torch, and then neither can transformers; without it transformers can, and
# nothing here uses it.
$(PEERS:%=$(VENV)-%/.installed):
	$(PYTHON) -m venv $(@D)
	grep '^torch==' $(CONSTRAINTS) > $(@D)/torch.txt
	$(@D)/bin/python -m pip --disable-pip-version-check install --constraint $(@D)/torch.txt torch
	$(@D)/bin/python -m pip --disable-pip-version-check install --quiet --constraint $(@D)/torch.txt $(PEER)
	$(@D)/bin/python -m pip --disable-pip-version-check uninstall --quiet --yes torchvision torchaudio
	@touch $@
