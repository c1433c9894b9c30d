# The only verbs to remember. Each sets up what it needs; nothing is installed outside .venv, .work and demo.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Where this is set, each of the many processes that a test or a rehearsal starts would compile our files anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast lint types docs bench locks azurite axe format clean

help: ## List these verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/.client: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "llamalift needs Python 3.11 or newer, found: " + sys.version.split()[0])'
	@echo "installing llamalift into $(VENV), about 170 MB"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install -qq --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.client
	@echo "installing the developers' tools into $(VENV)"
	@$(BIN)/python -m pip install -qq --group dev
	@touch $@

demo: $(VENV)/.client ## Train a tiny LLaMA on a rehearsal machine, bring it home, delete everything
	@rm -rf demo
	@$(BIN)/llamalift init demo --recipe tiny-cpu
	@$(BIN)/llamalift up demo/run.yaml

# File by file, since what a file's tests share is made once in each process that runs some of them. A training's two ranks
# fill two cores by themselves: beside another they end no sooner, and what watches a clock might miss it. The floor under
# coverage is held without them: counted, each command that they start would take twice as long.
test: $(VENV)/.dev ## Run every test: with branch coverage, two files at a time, those that do not train; alone, those that do
	$(BIN)/python -m pytest -m "not training" --numprocesses 2 --dist loadfile --cov --cov-report=term:skip-covered $(ARGS)
	$(BIN)/python -m pytest -m training $(ARGS)

test-fast: $(VENV)/.dev ## Run the unit tests only
	$(BIN)/python -m pytest tests/unit $(ARGS)

lint: $(VENV)/.dev ## Check style and the arrows between the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

locks: $(VENV)/.dev ## Renew the pinned training environments (then run the tests)
	cd templates/environment && ../../$(BIN)/uv pip compile cpu.in -o cpu.lock.txt --universal --python-version 3.11 \
	    --excludes not-on-cpu.in --no-emit-index-url --no-annotate --custom-compile-command "make locks" --upgrade
	cd templates/environment && ../../$(BIN)/uv pip compile cuda.in -o cuda.lock.txt --python-version 3.12 \
	    --python-platform x86_64-manylinux_2_39 --generate-hashes --no-emit-index-url --no-annotate \
	    --custom-compile-command "make locks" --upgrade

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev ## Check the types
	$(BIN)/mypy

docs: $(VENV)/.dev ## Build the documentation into site/, strictly
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

# The last version that runs on the Node.js of Debian 12.
AZURITE := azurite@3.35.0
.work/azurite/$(AZURITE):
	@npm install --silent --no-fund --no-audit --prefix .work/azurite $(AZURITE)
	@touch $@

azurite: .work/azurite/$(AZURITE) ## Install the emulator of blob storage for its tests (needs npm)

AXE := axe-core@4.14.1
.work/axe/$(AXE):
	@npm install --silent --no-fund --no-audit --prefix .work/axe $(AXE)
	@touch $@

axe: .work/axe/$(AXE) ## Install the accessibility check for the dashboard's tests (needs npm)

bench: $(VENV)/.dev ## Run one benchmark: make bench NAME=startup [QUICK=1]
	@test -n "$(NAME)" || { echo "which one? NAME= one of: $(basename $(notdir $(wildcard tests/benchmarks/*.py)))" >&2; exit 2; }
	@$(BIN)/python -m tests.benchmarks.$(subst -,_,$(NAME)) $(if $(QUICK),--quick) $(ARGS)

clean: ## Remove everything that these verbs made in this folder
	rm -rf $(VENV) .work demo site .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache
