# Everything starts here. Each target sets up what it needs.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Airflow's command line finds its own helpers on the PATH.
export PATH := $(CURDIR)/$(BIN):$(PATH)

help:  ## Show this help
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(STAMP)  ## Build .venv with everything pinned in constraints.txt

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[lint]'
	@touch $@

demo: $(STAMP)  ## Train, prepare, transform and associate real data on the local engine
	@$(BIN)/batchtx demo

ui: $(STAMP)  ## Airflow's UI with the example DAGs on the local engine, until Ctrl-C
	@$(BIN)/batchtx ui $(UI)

test: $(STAMP)  ## Run the tests; what the machine lacks is skipped with the reason
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(TESTS)

lint: $(STAMP)  ## Check style, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(STAMP)  ## Measure, side by side with peers
	$(BIN)/python -m benchmarks

sagemaker-sdk: .venv-sagemaker/.installed  ## Install the SageMaker SDK beside, for its tests

aiobotocore: .venv-aiobotocore/.installed  ## Install what the amazon provider defers with beside, for its tests

modelservers: .venv-modelservers/.installed  ## Install model servers of others beside, for their tests

.venv-%/.installed: tests/clients/requirements-%.txt
	$(PYTHON) -m venv --clear .venv-$*
	.venv-$*/bin/pip install --quiet --disable-pip-version-check --requirement $<
	$(if $(wildcard tests/clients/alone-$*.txt),.venv-$*/bin/pip install --quiet --no-deps --requirement tests/clients/alone-$*.txt)
	@touch $@

page:  ## Build the page in Airflow's UI anew; needs Node 20.19 or newer
	cd airflow_batchtx/plugin/page && npm ci --silent && npm run --silent build

docs: $(STAMP)  ## Draw the pictures of README and docs anew
	$(BIN)/python docs/pictures.py

clean:  ## Remove what setup and runs have made
	rm -rf $(VENV) .venv-sagemaker .venv-aiobotocore .venv-modelservers .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build

.PHONY: help setup demo ui test lint bench sagemaker-sdk aiobotocore modelservers page docs clean
