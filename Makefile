# `make help` lists what there is. Everything lives in .venv; nothing is installed outside it, except that `make test`
# as root on Debian installs PostgreSQL, which the tests need.

PYTHON ?= python3
# Another interpreter gets an environment of its own: `make test PYTHON=python3.13`.
VENV ?= $(if $(filter python3,$(PYTHON)),.venv,.venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'))
BIN := $(VENV)/bin
ARGS ?=

# A process that may not write bytecode starts two to three times slower.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run test compat lint format bench lock fresh clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.dev  ## Make .venv with everything that running, testing and linting need

run: $(VENV)/.runtime  ## Run the project in examples/ in the foreground; Ctrl-C ends it
	@cd examples && exec $(abspath $(BIN))/gnomon dev start --foreground $(ARGS)

test: $(VENV)/.dev  ## Run all tests (ARGS="tests/unit -k cron" for some; PYTHON=python3.13 for another Python)
	@scripts/install-test-servers
	@$(BIN)/python -m pytest -q $(ARGS)

compat: $(VENV)/.dev  ## Compare with real Airflow over the network, and write docs/compatibility.md
	@scripts/install-test-servers
	@scripts/install-compat-servers
	@$(if $(ARGS),,rm -rf tests/compat/.results)
	@$(BIN)/python -m pytest -q --compat $(or $(ARGS),tests/compat); failed=$$?; \
		$(BIN)/python -m tests.compat.document; exit $$failed

lint: $(VENV)/.dev  ## Check style, types and import rules
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "some files are not formatted; run: make format"; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@PYTHONPATH=src $(BIN)/lint-imports --no-cache > $(VENV)/.imports 2>&1 || { cat $(VENV)/.imports; exit 1; }
	@echo "lint: ruff, mypy and import-linter found nothing"

format: $(VENV)/.dev  ## Format the code and mend what can be mended by itself
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format --quiet

bench: $(VENV)/.dev  ## Measure the engine on SQLite and PostgreSQL, beside the machine's floors
	@scripts/install-test-servers
	@$(BIN)/python -m benchmarks $(ARGS)

lock: $(VENV)/.dev  ## Resolve the dependencies anew (ARGS=--upgrade for the newest releases)
	@scripts/lock $(BIN) $(ARGS)

fresh:  ## Prove README's two commands in a minimal Debian 12 made for it (needs root)
	@tests/fresh_machine.sh

clean:  ## Remove the environments and everything that can be made again
	@rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache benchmarks/results tests/compat/.results dist
	@find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps: an environment is made again only when what it is made from has changed.
$(VENV)/.dev: requirements-dev.lock pyproject.toml
	@scripts/setup $(PYTHON) $(VENV) dev

ifeq ($(wildcard $(VENV)/.dev),)
$(VENV)/.runtime: requirements.lock pyproject.toml
	@scripts/setup $(PYTHON) $(VENV) runtime
else
# The development environment holds the runtime.
$(VENV)/.runtime: $(VENV)/.dev
	@touch $@
endif
