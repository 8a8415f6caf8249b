# Every target that needs the environment makes it first; a second run installs nothing.

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=

BIN       := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Stands where .installed will stand, for as long as an install is under way.
UNFINISHED := $(VENV)/.unfinished

# A file of tests to a process, and one thread to each: several threads in several processes wait for each other.
# A process that died is not replaced: its file would go to the next, and a test that hangs would hang there again.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --max-worker-restart 0

MAKEFLAGS += --no-print-directory --no-builtin-rules
.SUFFIXES:
.DEFAULT_GOAL := help
.PHONY: help setup pretrain sweep test test-all test-notebooks test-engines lint types notebooks docs format wheel check clean

help: ## list these targets
	@echo "usage: make TARGET [ARGS='...'] [PYTHON=python3.12]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(INSTALLED) ## make .venv with the tested versions and the development tools
	@echo "$(VENV) is ready"

pretrain: $(INSTALLED) ## train a small network on the embedded data (more overrides in ARGS)
	@$(BIN)/vosmem train experiment=pretrain_embedded $(ARGS)

sweep: $(INSTALLED) ## train on clips of 2, 3 and 4 frames, a minute each; ends with a table and a plot
	@$(BIN)/vosmem train experiment=pretrain_embedded sweep=clip_length synthesis.num_frames=2,3,4 trainer.max_steps=100 $(ARGS)

test: $(INSTALLED) ## run the fast tests and the doctests
	@$(PYTEST) -m "not slow and not engines" $(ARGS)

test-all: $(INSTALLED) ## run every test, the slow ones too, but for those of test-engines
	@$(PYTEST) -m "not engines" $(ARGS)

test-notebooks: $(INSTALLED) ## run the notebooks that the fast tests leave out
	@$(PYTEST) --dist load -m slow tests/test_notebooks.py $(ARGS)

test-engines: $(INSTALLED) ## torchrun, SLURM (where Debian's packages are) and a Ray cluster on this machine; installs Ray
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ray]'
	@OMP_NUM_THREADS=1 $(BIN)/pytest -m engines -rs --durations=0 tests/engines tests/end_to_end/test_distributed.py $(ARGS)

lint: $(INSTALLED) ## check style, formatting and the import floors
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: $(INSTALLED) ## check the types
	@$(BIN)/mypy

notebooks: $(INSTALLED) ## make notebooks/*.ipynb anew from their scripts
	@cd notebooks && ../$(BIN)/jupytext --quiet --update --to ipynb [0-9]*.py

docs: $(INSTALLED) ## build the pages of docs/ and the reference into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs --quiet build --strict
	@echo "site/index.html is ready"

format: $(INSTALLED) ## rewrite the code in the project's format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

wheel: $(INSTALLED) ## build dist/*.whl and try it in a fresh environment
	@$(BIN)/python tests/packaging/check_wheel.py

check: lint types test wheel ## everything that must hold before a change goes in

clean: ## remove builds and caches; keeps .venv and the outputs of runs
	@rm -rf build dist site src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find conf src tests notebooks benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# An environment whose install broke off is made anew; one that is merely outdated is brought up to date.
$(INSTALLED): setup.cfg setup.py pyproject.toml constraints.txt
	$(if $(install_problem),$(error $(install_problem)))
	@echo "$(if $(wildcard $@),bringing $(VENV) up to date,$(announcement))"
	@{ $(BIN)/pip --version >/dev/null 2>&1 && [ ! -e $(UNFINISHED) ]; } || $(PYTHON) -m venv --clear $(VENV)
	@rm -f $@ && touch $(UNFINISHED)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,hub,export,joblib,slurm,app,docs]'
	@mv $(UNFINISHED) $@ && touch $@

announcement = installing about 6 GB of packages into $(VENV), once; this takes some minutes

# What keeps a first install from working, in one line with its mend; empty if nothing does.
install_problem = $(if $(wildcard $(INSTALLED)),,$(or $(python_problem),$(venv_problem),$(folder_problem)))
retry = Install one and run: make $(or $(firstword $(MAKECMDGOALS)),setup) PYTHON=python3.12
too_old = vosmem needs Python 3.11 or newer; $(PYTHON)

python_version = $(shell $(PYTHON) -c "import sys; print('%d.%d.%d' % tuple(sys.version_info)[:3])" 2>/dev/null)
is_old = $(shell $(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || echo yes)
python_problem = $(if $(python_version),$(if $(is_old),$(too_old) is $(python_version). $(retry)),$(too_old) does not run. $(retry))

has_venv = $(shell $(PYTHON) -c "import venv, ensurepip; print('yes')" 2>/dev/null)
venv_problem = $(if $(has_venv),,the venv module of $(PYTHON) is missing; on Debian or Ubuntu: apt-get install python3-venv)

# `venv --clear` empties the folder, so that must be an environment, or empty.
folder_problem = $(if $(wildcard $(VENV)/pyvenv.cfg),,$(if $(wildcard $(VENV)/*),$(VENV) is there but is no virtual environment; move it away))
