# Everything runs inside $(VENV), which the first target that needs it makes; running a target again is quick.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
MADE := $(VENV)/.made
CLAIMS ?= 100000
EXAMPLES ?= 100000
MILLIONS ?= 24
SEED ?= $(shell date +%s)
EVENTS ?= 10000000

SOURCES := $(wildcard core_ext/_*.pyx core_ext/*.pxd core_ext/*.h)
PACKAGES := core_ext ledger projections console

.PHONY: help demo build test faults check bench bench-large bench-national docs clean

help:
	@echo 'make demo    build, then run a generated month from file to replay (CLAIMS=$(CLAIMS))'
	@echo 'make test    run every test, on SQLite and on a real PostgreSQL'
	@echo 'make faults  kill, cut, starve and flip many times over; draw policies and compare both kernels (EXAMPLES=$(EXAMPLES), SEED=now; given the same SEED it goes on where it stopped)'
	@echo 'make check   ruff, mypy --strict, import-linter'
	@echo 'make build   compile the kernels and install the packages into $(VENV)'
	@echo 'make bench   measure, and write bench/report.json'
	@echo 'make bench-large  take EVENTS=$(EVENTS) in, seal and project them: do speed and memory stay what they were?'
	@echo 'make bench-national  replay a nationwide month (MILLIONS=$(MILLIONS) million claims, segments made directly)'
	@echo 'make docs    write docs/cli.md from the commands, docs/events.md from the events'
	@echo 'make clean   remove $(VENV) and everything built'

demo: $(MADE)/build
	$(BIN)/settlement demo --claims $(CLAIMS)

build: $(MADE)/build

# A test runs the bench at its smoke size.
test: $(MADE)/build $(MADE)/test $(MADE)/bench
	$(BIN)/python -m pytest --numprocesses=auto $(ARGS)

faults: $(MADE)/build $(MADE)/test
	$(BIN)/python -m tests.faults --seed $(SEED) --examples $(EXAMPLES) $(ARGS)

check: $(MADE)/build $(MADE)/test $(MADE)/check $(MADE)/bench
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(MADE)/build $(MADE)/test $(MADE)/bench
	$(BIN)/python -m bench $(ARGS)

bench-large: $(MADE)/build $(MADE)/test
	$(BIN)/python -m bench.large --events $(EVENTS) $(ARGS)

bench-national: $(MADE)/build $(MADE)/test
	$(BIN)/python -m bench.national $(MILLIONS)

docs: $(MADE)/build
	$(BIN)/python -m console.reference docs/cli.md
	$(BIN)/python -m console.event_table docs/events.md

clean:
	rm -rf $(VENV) build dist *.egg-info core_ext/*.so core_ext/_*.c
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	find $(PACKAGES) tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

$(MADE)/venv:
	@command -v $(PYTHON) >/dev/null || { echo 'expected Python 3.11 or newer as $(PYTHON), got none: install it or run make PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "expected Python 3.11 or newer, got $$($(PYTHON) -V): run make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo 'expected the venv and ensurepip modules of $(PYTHON), got none: install your system'"'"'s python3-venv package' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(MADE) && touch $@

# The build's own requirements go into the environment, so that a changed kernel is rebuilt without fetching anything.
$(MADE)/tools: pyproject.toml | $(MADE)/venv
	@$(BIN)/python -c 'import tomllib; print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"]))' >$(MADE)/tools.txt
	$(BIN)/python -m pip install --quiet --requirement $(MADE)/tools.txt
	@touch $@

$(MADE)/build: $(MADE)/tools setup.py $(SOURCES)
	@compiler=$$($(BIN)/python -c 'import os, sysconfig; print((os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0])'; ); \
	command -v $$compiler >/dev/null || { echo "expected a C compiler as $$compiler, got none: install gcc or clang, or name one with CC=" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable .
	@touch $@

$(MADE)/test $(MADE)/check $(MADE)/bench: $(MADE)/%: pyproject.toml | $(MADE)/build
	@$(BIN)/python -c 'import tomllib; print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["$*"]))' >$(MADE)/$*.txt
	$(BIN)/python -m pip install --quiet --requirement $(MADE)/$*.txt
	@touch $@
