# One command per task. Each target sets up what it needs in .venv, once: a stamp keyed to pyproject.toml and
# requirements.lock says that it is there, so the second call installs nothing. No root anywhere.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
# The first interpreter on the path that is new enough; another one with: make setup PYTHON=/path/to/python
PYTHON ?= $(firstword $(foreach python,python3 python3.13 python3.12 python3.11,$(shell $(python) -c \
  'import sys; print("$(python)" if sys.version_info >= (3, 11) else "")' 2>/dev/null)))

light_extras := bridge,controller,sim,motion,log,datasets,evaluate,remote,launch,dev
key := $(shell cat pyproject.toml requirements.lock <(echo '$(CURDIR) $(light_extras)') | cksum | cut -d ' ' -f 1)
light := $(VENV)/.light-$(key)
models := $(VENV)/.models-$(key)
python := $(VENV)/bin/python
install := $(python) -m pip install --quiet --disable-pip-version-check --constraint requirements.lock

.PHONY: help setup setup-all episode test lint planner goldens bench peers wheel doctor lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: $(light)  ## install all but the models: what an episode with --planner scripted needs (no torch)
	@echo "Ready: an episode with --planner scripted runs in $(VENV). The models (torch, transformers; 5 GB): make setup-all"

setup-all: $(models)  ## also install the models: torch, transformers, xgrammar and their kin
	@echo "Ready: everything, models included, is in $(VENV)."

episode: $(models)  ## run one episode; options: make episode ARGS="--task stack --seed 3"
	@$(python) launch/episode.py $(ARGS)

test: $(models)  ## run the tests; one of them: make test ARGS=tests/bridge
	@$(python) -m pytest -q $(ARGS)

lint: $(light)  ## check style and that imports point down
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/lint-imports --no-cache --no-logo

planner: $(models)  ## check a planner: make planner ARGS="--planner <folder or hub id>"
	@$(python) launch/check_planner.py $(ARGS)

goldens: $(light)  ## what the system does now is right: record the golden traces anew
	@$(python) launch/goldens.py --update

bench: $(models)  ## measure; make bench NAME=tasks ARGS="--seeds 50"
	@$(python) launch/benchmark.py $(or $(NAME),sim) $(ARGS)

peers:  ## install the simulators that benchmarks compare with, outside this folder; others: make peers NAME=lerobot
	@PYTHON="$(PYTHON)" launch/peers/setup.sh $(NAME)

wheel: $(light)  ## build the wheel, install it into clean environments and smoke-test it
	@tests/wheel/check.sh $(python)

doctor: $(light)  ## check this machine, one line each with the remedy
	@$(python) launch/doctor.py $(ARGS)

# Resolved for Linux and CPython 3.11 or newer; then every marker says just that, so it is cut off.
lock: $(light)  ## resolve requirements.lock anew within the ranges of pyproject.toml
	@$(install) uv
	@$(VENV)/bin/uv pip compile pyproject.toml --quiet --all-extras --universal --python-version 3.11 \
	  --fork-strategy fewest --no-header --no-annotate --upgrade --output-file $(VENV)/resolved.txt
	@if grep -n 'python_' $(VENV)/resolved.txt; then \
	  echo "One version does not serve every Python: constrain the packages above in [tool.uv] of pyproject.toml" >&2; exit 1; fi
	@{ sed -n '/^#/p' requirements.lock; sed -E 's/ ; .*//' $(VENV)/resolved.txt; } >$(VENV)/new.lock
	@mv $(VENV)/new.lock requirements.lock
	@echo "requirements.lock is resolved anew; the next target installs it"

clean:  ## remove what was built and installed here, never what was recorded
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(light): | $(python)
	@echo "Installing into $(VENV): $(light_extras) (once; a minute or two)"
	@$(install) --editable '.[$(light_extras)]'
	@rm -f $(VENV)/.light-* && touch $@

$(models): $(light)
	@echo "Installing the models into $(VENV) (once; 5 GB, several minutes)"
	@$(install) --editable '.[all,dev,test]'
	@rm -f $(VENV)/.models-* && touch $@

$(python):
	@[[ -n "$(PYTHON)" ]] || { echo "Python 3.11 or newer is needed: sudo apt install python3.11 python3.11-venv (or make setup PYTHON=/path/to/python)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11: sudo apt install python3.11 python3.11-venv (or make setup PYTHON=/path/to/python)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: sudo apt install python3-venv" >&2; exit 1; }
	@"$(PYTHON)" -m venv $(VENV)
