# Needs make and Python 3.11 or newer with pip. `make setup PYTHON=/path/to/python3` chooses the interpreter.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench soak screenshots clean

BIN := .venv/bin
STAMP := .venv/.set-up
export PYTHON

SETUP_SOURCES := Makefile requirements.lock pyproject.toml scripts/setup.sh scripts/pip_settings_for_uv.py \
	$(shell find estate/erp src/lineshaft/connectors/tryton/server_module -type f -not -name '*.pyc')

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

setup: $(STAMP) ## Make .venv and the seeded ERP (about a minute, once)
	@:

$(STAMP): $(SETUP_SOURCES)
	@sh scripts/setup.sh
	@touch $@

demo: setup ## Play scenario S2 with a plant that looks alive, until Ctrl-C
	@exec $(BIN)/lineshaft demo

test: setup ## Run every test
	@sh scripts/test.sh

check: setup ## Format, lint, types and import rules
	$(BIN)/ruff format --check src estate tests scripts
	$(BIN)/ruff check src estate tests scripts
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## Measure processes and calls on this machine
	@$(BIN)/lineshaft bench all

# Half of the time on each database. A run that fails is played again with its seed: SOAK_SEED=…
SOAK_SECONDS ?= 1800
SOAK_SEED ?= $(shell date +%s)
# Times the usual number, and others each time, of what properties are tried with.
SOAK_EXAMPLES ?= 20

soak: setup ## Disturb scenario S2 on both databases for 30 minutes, or SOAK_SECONDS; a day of telemetry; properties
	@for db in sqlite postgres; do \
	  $(BIN)/lineshaft chaos --seconds $$(($(SOAK_SECONDS) / 2)) --seed $(SOAK_SEED) --db $$db || exit 1; \
	done
	SOAK_HOURS=24 SOAK_SEED=$(SOAK_SEED) $(BIN)/pytest tests/app/test_telemetry_child.py
	SOAK_POSTGRES=1 $(BIN)/pytest -s tests/console/test_big_postgres.py
	LINESHAFT_EXAMPLES=$(SOAK_EXAMPLES) $(BIN)/python -m pytest -n 2 -m hypothesis --timeout 3600

screenshots: setup ## Take docs/screens anew from a plant that plays S2; needs a Chromium
	@$(BIN)/python -m estate.screens docs/screens

clean: ## Remove the environment and what tools left behind; the ERP cache stays
	rm -rf .venv .venv-bootstrap .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
