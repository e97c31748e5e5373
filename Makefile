# Two commands do all: `make demo` and `make test`. The others are their parts.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAYS ?= 1000

TENSORFLOW ?= tensorflow-cpu==2.21.0

.PHONY: demo test coverage check faults lint lint-types lint-rest docs site cxr-env clean
.DEFAULT_GOAL := demo

## the synthetic MIMIC, every mart, embeddings, predictions, and the leaderboard; in data/demo.duckdb
demo: .venv/installed
	$(BIN)/charthouse demo --stays $(STAYS)

## all tests: clinical rules, promises of the marts, faults, the real demo where it is at hand
test: .venv/installed
	$(BIN)/python -m pytest

## all tests again, and which branches of the code none takes (processes that tests start included)
coverage: .venv/installed
	$(BIN)/python -m pytest --cov=charthouse --cov-branch --cov-report=term-missing:skip-covered

## for while you work, an answer within a minute: lint, and tests that need no warehouse (CONTRIBUTING.md)
check: .venv/installed
	$(BIN)/ruff check python tests benchmarks
	$(BIN)/ruff format --check python tests benchmarks
	$(BIN)/python -m pytest -m 'not slow' tests/unit

## kill, lock, full disk, corrupt input, server faults: the tests that docs/reference/faults.md names
faults: .venv/installed
	$(BIN)/python -m pytest -m fault

## no database needed
lint: lint-types lint-rest

lint-types: .venv/installed
	$(BIN)/mypy

lint-rest: .venv/installed
	$(BIN)/ruff check python tests benchmarks
	$(BIN)/ruff format --check python tests benchmarks
	$(BIN)/sqlfluff lint --processes 2 models tests
	$(BIN)/dbt parse --profiles-dir profiles --quiet

## the data dictionary and lineage of the demo's warehouse, one HTML file: target/static_index.html
docs: demo
	CHARTHOUSE_WAREHOUSE=data/demo.duckdb $(BIN)/dbt docs generate --static --profiles-dir profiles

## the pages of docs/ as a site: site/index.html. A link that leads nowhere is an error
site: .venv/installed
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -c docs . site

# torch first and with its dependencies (on a machine with the registry's CUDA build they are
# libraries that it cannot be imported without), everything else exactly as locked.
.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "Python 3.11 is needed: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint requirements.lock torch==$(shell sed -n 's/^torch==//p' requirements.lock)
	$(BIN)/pip install --quiet --no-deps --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

## TensorFlow in an environment of its own, for the CXR-Foundation model only (docs/how-to/cxr-foundation.md)
cxr-env: .venv-cxr/installed

.venv-cxr/installed:
	$(PYTHON) -m venv .venv-cxr
	.venv-cxr/bin/pip install --quiet '$(TENSORFLOW)'
	touch $@

clean:
	rm -rf .venv .venv-cxr target logs site data/synthetic-* data/demo.duckdb* data/report
