# `make help` lists what can be made. Everything is installed into .venv; nothing outside this folder is touched,
# except that `make demo` may install the sandbox bubblewrap when it runs as root and finds no engine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help setup demo test proof storm check audit bench fuzz clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(VENV)/.complete ## install Palio and all it needs into .venv

# The stamp is written last, so that an interrupted installation is taken up again.
$(VENV)/.complete: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Palio needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Try: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 12; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Palio and its parts into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[mednist,dev]'
	@touch $@

demo: setup ## the whole story on real images: train, pack, run, score, show
	@$(BIN)/palio demo

# In two processes, as tests with engines mostly wait; tests/conftest.py says which stay together.
test: setup ## every test that this machine can run (TESTS="..." for some); says what it leaves out
	@$(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder --durations=15 $(TESTS)

proof: ## clone HEAD and run demo and tests there as on machines with and without Docker (PROOF=--full: all tests)
	@$(PYTHON) -m tests.clean_clone $(PROOF)

storm: setup ## 200 kills, database locks and full disks against a real platform (STORM="--seed 7 --engine docker")
	@$(BIN)/python -m tests.storm $(STORM)

check: setup ## what CI runs beside the tests: format, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# What the service does not know was not looked up, which is something else than being without advisories: that fails too.
audit: setup ## look for known advisories about what is installed, where somebody answers
	@$(BIN)/pip-audit --strict --skip-editable --progress-spinner off --timeout 15 || { echo \
	  "Listed above is what has advisories; or the service of PyPI did not answer, and nothing is known." >&2; exit 12; }

bench: setup ## time Palio against its baselines, side by side
	@$(BIN)/python -m benchmarks

FUZZ_CASES ?= 100000

# Hypothesis makes likely Dockerfiles, atheris (with the extra `fuzz`) whatever reaches new lines of the readers.
fuzz: setup ## try FUZZ_CASES made-up Dockerfiles (100,000) on all readers
	@PALIO_FUZZ_EXAMPLES=$(FUZZ_CASES) $(BIN)/python -m pytest --timeout 0 tests/core/test_dockerfile_fuzz.py
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	@$(BIN)/python -m tests.fuzz_dockerfile -runs=$(FUZZ_CASES)

clean: ## remove what the commands made here: .venv, runs, demo
	rm -rf $(VENV) runs palio-demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
