# `make help` lists the targets. Everything is installed into .venv. Nothing outside this folder changes, except that
# `make demo` may install the bubblewrap sandbox if it runs as root and finds no engine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help setup demo test azurite test-postgresql test-kubernetes proof storm check messages audit bench fuzz screenshots clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: $(VENV)/.complete ## install Palio and its dependencies into .venv

# The stamp is written last, so that an interrupted installation is resumed.
$(VENV)/.complete: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Palio needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Try: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 12; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Palio and its dependencies into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[mednist,dev]'
	@$(PYTHON) -m venv $(VENV)/services # moto needs an older python-dateutil than the Kubernetes client
	@$(VENV)/services/bin/python -m pip install --quiet --disable-pip-version-check 'moto[server,s3]>=5.1,<6'
	@touch $@

demo: setup ## train, pack, run, score and submit a model, then show it on a leaderboard
	@$(BIN)/palio demo

# In three processes, because tests with engines mostly wait. tests/conftest.py says which stay together.
test: setup ## run every test that this machine can run (TESTS="..." for some); skipped ones are listed
	@$(BIN)/python -m pytest -n 3 --dist loadgroup --no-loadscope-reorder --durations=15 $(TESTS)

# Of your cluster, or else of the one that ../shared/tools/kubernetes-up starts, where there is such a script.
test-kubernetes: setup ## run engines' tests and attacks on a cluster (TESTS="..." for some); see docs/kubernetes.md
	@$(BIN)/python -m tests.engines.kubernetes.cluster $(TESTS)

test-postgresql: setup ## run the server's tests on PostgreSQL (TESTS="..." for some), two parts at a time
	@$(BIN)/python -m tests.web.on_postgresql $(TESTS)

azurite: setup ## install azurite with npm, for the tests of Azure Blob Storage
	@command -v npm >/dev/null || { echo "Install Node.js with npm, for example Debian's package npm." >&2; exit 12; }
	@npm install --silent --no-fund --no-audit --prefix $(VENV)/services azurite@3

proof: ## run demo and tests in a clone of HEAD, with and without Docker (PROOF=--full: all tests)
	@$(PYTHON) -m tests.clean_clone $(PROOF)

storm: setup ## run 200 kills, database locks, full disks and turned clocks on a live platform (STORM="--seed 7 --engine docker")
	@$(BIN)/python -m tests.storm $(STORM)

check: setup ## check format, lint, types, import contracts, spelling and wording, as CI does
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell
	@$(BIN)/python -m tests.wording

messages: setup ## update and compile the translations of the pages, and list what has none
	@$(BIN)/python -m tests.messages

# An unreachable advisory service is a failure too: it does not mean that there are no advisories.
audit: setup ## look up security advisories for the installed packages
	@$(BIN)/pip-audit --strict --skip-editable --progress-spinner off --timeout 15 || { echo \
	  "Either the packages listed above have advisories, or the advisory service of PyPI is unreachable." >&2; exit 12; }

bench: setup ## time Palio against its baselines
	@$(BIN)/python -m benchmarks

FUZZ_CASES ?= 100000

# Hypothesis generates plausible Dockerfiles; atheris (extra `fuzz`) generates whatever reaches new lines of the readers.
fuzz: setup ## run FUZZ_CASES generated Dockerfiles (100,000) through all readers
	@PALIO_FUZZ_EXAMPLES=$(FUZZ_CASES) $(BIN)/python -m pytest --timeout 0 tests/core/test_dockerfile_fuzz.py
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	@$(BIN)/python -m tests.fuzz_dockerfile -runs=$(FUZZ_CASES)
	@PALIO_API_EXAMPLES=20 $(BIN)/python -m pytest --timeout 0 tests/web/access/test_schema.py

screenshots: setup ## retake the screenshots of docs/tour.md, with Debian's chromium
	@$(BIN)/python -m tests.web.browser.screenshots

clean: ## remove generated files: .venv, runs, demo, caches
	rm -rf $(VENV) runs palio-demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
