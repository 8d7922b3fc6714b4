# callrouter: everything a developer or a curious operator does, one word each.
#
#   make run     start the whole thing on this machine: Asterisk, PostgreSQL, the daemon with the sample configuration
#   make call    place one call from a simulated resident to a simulated counselor, and show its record
#   make test    every test, on a real Asterisk and a real PostgreSQL
#   make check   the quick half: style, types, import contracts, unit tests
#   make soak    ten minutes of calls while faults strike; SOAK_S, SOAK_RATE, SOAK_FAULT_EVERY, SOAK_DAEMONS, SOAK_SEED
#   make release-check   all that a release has to pass: check, test, ten minutes of soak, benchmarks to be read
#   make bench   the benchmarks, side by side with Asterisk's own queue
#   make lab     have the lab's Asterisk and its callers and phones, without starting anything
#   make deb     build the Debian package, for this machine's Python and architecture, into dist/
#   make clean   remove what the above left here; passwords of the lab included

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Hundreds of daemons are started here: each compiles all of callrouter anew where compiled files are not kept.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help venv lab run call test check soak release-check bench deb clean

help:
	@sed -n '3,12s/^#   //p' Makefile

venv: $(READY)

# Made anew whenever the dependencies may have changed.
$(READY): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "callrouter needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
	         "Install one and say: make PYTHON=python3.11 ..." >&2; exit 3; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { test "$$(id -u)" = 0 && test -e /etc/debian_version && \
	    { echo "installing python3-venv ..."; apt-get update -qq; \
	      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv; } >&2 && \
	    $(PYTHON) -c 'import venv, ensurepip'; } || \
	  { echo "Python's venv module is missing; install it with: sudo apt-get install -y python3-venv" >&2; exit 3; }
	@echo "preparing $(VENV) (Python packages; a minute the first time) ..."
	@began=$$(date +%s); \
	  { $(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV); } && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]' && \
	  printf '  %-10s %-58s %5s s\n' packages '$(VENV)' $$(($$(date +%s) - began))
	@touch $@

lab: $(READY)
	@$(BIN)/python -m lab build

# CLOCK=now, or an instant (2026-11-28T02:00): when the daemon's day begins. More: .venv/bin/python -m lab run --help
run: $(READY)
	@$(BIN)/python -m lab run $(if $(CLOCK),--clock '$(CLOCK)')

call: $(READY)
	@$(BIN)/python -m lab call

# Tests with Asterisk wait more than they compute: four at a time, each worker with an Asterisk and a PostgreSQL of its
# own, keep two cores busy.
TEST_WORKERS ?= 4
# Every branch of the core is tested, by the tests that count (tests/counting.py). Not asked of those who choose tests
# with PYTEST_OPTIONS.
PYTEST_OPTIONS ?= -n $(TEST_WORKERS) --cov=callrouter.core --cov-branch --cov-report= --cov-fail-under=100

# One run of pytest, which takes the unit tests first, then PostgreSQL, then Asterisk (tests/conftest.py), each worker
# about so.
test: $(READY)
	@$(BIN)/python -m lab build
	$(BIN)/python -m pytest $(PYTEST_OPTIONS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -n auto -m 'not asterisk and not postgres and not slow'

# Calls at a steady rate while faults strike at random: SOAK_S=600, SOAK_RATE=1.5 calls a second, a fault every
# SOAK_FAULT_EVERY=3 s after the one before, SOAK_DAEMONS=2 with another that waits, SOAK_SEED for the same dice again,
# SOAK_TRACES=folder to keep what the phones said when it fails.
soak: $(READY)
	@$(BIN)/python -m lab build
	@SOAK_S=$${SOAK_S:-600} SOAK_DAEMONS=$${SOAK_DAEMONS:-1} $(BIN)/python -m pytest -q -n 0 -s tests/acceptance/test_soak.py

# The soak twice: one daemon that is started anew, and two that hand over. The benchmarks fail nothing: they are read.
release-check: check test
	@$(MAKE) soak
	@$(MAKE) soak SOAK_S=300 SOAK_DAEMONS=2
	@$(MAKE) bench
	@$(BIN)/python -m bench.routing

bench: $(READY)
	@$(BIN)/python -m lab build
	@$(BIN)/python -m bench $(BENCH_OPTIONS)

deb: $(READY)
	@$(BIN)/python packaging/deb/build.py --out dist

clean:
	@$(PYTHON) -m lab.clean
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
