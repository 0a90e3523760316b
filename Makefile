# The two commands of a newcomer: make demo, make test. Needs Python 3.11 or newer, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
SOURCES := pyproject.toml
# How many processes run the tests: each wants a core and up to 3 GiB.
PROCESSES ?= 2

.PHONY: help demo test notebooks notebooks-save docs bench bench-guard lint types layers terms check audit audit-online advisories lock clean

help:
	@echo "make demo    answer the built-in example case"
	@echo "make test    run the tests, in two processes (PROCESSES=1 for one)"
	@echo "make check   lint, strict types on the built wheel, import layers, no medical term in Python"
	@echo "make notebooks  run the notebooks and compare what they say with their committed outputs; make notebooks-save renews those"
	@echo "make docs    build the documentation into docs/_build/html"
	@echo "make bench   measure the engine against its peers, 10 minutes on an idle machine; make bench-guard: has it become slower?"
	@echo "make audit   hold the locked dependencies against the committed snapshot of advisories, without a network"
	@echo "make audit-online  ask for today's advisories instead (needs pip-audit and the network)"
	@echo "make advisories FROM=folder  renew the snapshot from a clone of the advisory database"
	@echo "make lock    renew requirements/*.lock (needs uv)"
	@echo "make clean   remove .venv and build output"

demo: $(VENV)/.core
	@$(BIN)/hepagraph demo

test: $(VENV)/.dev
	@$(BIN)/python -m pytest -q --numprocesses $(PROCESSES) --dist worksteal

check: lint types layers terms

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { echo "no $(PYTHON) found: install Python 3.11 or newer, or run make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: run make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: install its venv package (Debian: python3-venv)"; exit 1; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.core: $(VENV)/.made requirements/core.lock $(SOURCES)
	@echo "installing from requirements/core.lock"
	@$(PIP) install --require-hashes -r requirements/core.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q kg ontology inference service
	@touch $@

$(VENV)/.dev: $(VENV)/.core requirements/dev.lock
	@echo "installing from requirements/dev.lock"
	@$(PIP) install --require-hashes -r requirements/dev.lock
	@touch $@

$(VENV)/.docs: $(VENV)/.core requirements/docs.lock
	@echo "installing from requirements/docs.lock"
	@$(PIP) install --require-hashes -r requirements/docs.lock
	@touch $@

notebooks: $(VENV)/.dev
	@$(BIN)/python docs/run_notebooks.py $(ONLY)

notebooks-save: $(VENV)/.dev
	@$(BIN)/python docs/run_notebooks.py --save $(ONLY)

docs: $(VENV)/.docs
	@$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --fresh-env --jobs auto --quiet --doctree-dir docs/_build/doctrees docs docs/_build/html
	@echo "docs/_build/html/index.html"

# One thread for the linear algebra, so that a peer's core is one core.
bench bench-guard: export OPENBLAS_NUM_THREADS := 1
bench bench-guard: export OMP_NUM_THREADS := 1
bench bench-guard: export MKL_NUM_THREADS := 1

bench: $(VENV)/.dev
	@$(BIN)/python -m benchmarks.engine

bench-guard: $(VENV)/.dev
	@$(BIN)/python -m benchmarks.engine.guard

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

# Type checkers cannot follow a mapped editable install, so the built wheel is checked. All of build/ goes first:
# setuptools would put what an earlier build left there, deleted modules too, into the wheel.
types: $(VENV)/.dev
	@rm -rf build && mkdir -p build/types
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir build/types .
	@$(PIP) install --no-deps --target build/types/site build/types/*.whl
	@cd build/types/site && MYPYPATH=. ../../../$(BIN)/mypy --config-file ../../../pyproject.toml \
		--cache-dir ../../../.mypy_cache --namespace-packages --explicit-package-bases \
		-p hepagraph.ontology -p hepagraph.kg -p hepagraph.inference -p hepagraph.service

layers: $(VENV)/.dev
	@$(BIN)/lint-imports

terms: $(VENV)/.dev
	@$(BIN)/python .ci/check_terms.py

audit: $(VENV)/.dev
	@$(BIN)/python .ci/check_advisories.py

audit-online:
	@command -v pip-audit >/dev/null || { echo "make audit-online needs pip-audit: pip install pip-audit"; exit 1; }
	pip-audit --strict --disable-pip --require-hashes -r requirements/core.lock
	pip-audit --strict --disable-pip --require-hashes -r requirements/dev.lock
	pip-audit --strict --disable-pip --require-hashes -r requirements/docs.lock

advisories: $(VENV)/.dev
	@$(BIN)/python .ci/renew_advisories.py "$(FROM)"

lock:
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv"; exit 1; }
	uv pip compile pyproject.toml --extra validate --extra fast --group build $(LOCK) -o requirements/core.lock
	uv pip compile pyproject.toml --extra validate --extra fast --group dev -c requirements/core.lock $(LOCK) -o requirements/dev.lock
	uv pip compile pyproject.toml --group docs -c requirements/core.lock -c requirements/dev.lock $(LOCK) -o requirements/docs.lock

LOCK := --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet

clean:
	rm -rf $(VENV) build dist docs/_build docs/reference docs/tutorials docs/api/command_line.md docs/how_to/pictures *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
