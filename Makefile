# `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
OUT ?= bench.json
.PHONY: help setup demo test compat torture bench lint types docs check clean

help:  ## List the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(VENV)/run  ## Install bifrost into .venv

demo: $(VENV)/run  ## Run the main job on the embedded sandbox, four providers: no key, no network
	@sh samples/demo.sh $(BIN)/bifrost

test: $(VENV)/dev  ## Run every test, on every core
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

torture: $(VENV)/dev  ## Kill creates, run them again, count duplicates and losses; ARGS="--instants 20 --jobs 4"
	$(BIN)/python tests/torture $(ARGS)

bench: $(VENV)/dev  ## Measure speed and memory, each figure beside its floor; ARGS="--quick --only encode"
	$(BIN)/python tests/bench --out $(OUT) $(ARGS)

compat: $(VENV)/dev  ## Run the samples with the 0.x, 1.x and 2.x lines of Anthropic's SDK, each in its own environment
	$(BIN)/python tests/compat

lint: $(VENV)/dev  ## Check style and that the generated parts of the README are current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/cog --check README.md

types: $(VENV)/dev  ## Check types
	$(BIN)/mypy

docs: $(VENV)/dev  ## Write the generated parts of the README anew
	$(BIN)/cog -r README.md

check: lint types test compat  ## All that CI runs

clean:  ## Remove .venv and caches
	rm -rf $(VENV) .compat .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "bifrost needs Python 3.11 or newer; set PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bedrock]'
	@touch $@

$(VENV)/dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/run
