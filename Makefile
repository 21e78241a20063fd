# The short verbs of this project; `make help` lists them.

# The first that really runs and is new enough; make PYTHON=/path/to/python3.12 chooses another.
PYTHONS := $(or $(PYTHON),python3.13 python3.12 python3.11 python3)
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help setup demo test check bench pictures clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 10

setup: $(STAMP) ## the virtual environment .venv with pinned packages

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || { \
	  for python in $(PYTHONS); do \
	    $$python -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    $$python -m venv .venv && exit 0; \
	  done; \
	  echo "Python 3.11 or later with venv is needed: apt-get install python3 python3-venv"; exit 1; }
	@if test -x $(BIN)/uv; then $(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[dev]'; \
	  else $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'; fi
	@touch $(STAMP)

demo: setup ## talk to yourself: a visitor's page beside an agent's phone (ARGS=--script: robots, figures)
	@$(BIN)/hub demo $(ARGS)

test: setup ## all tests (ARGS go to pytest)
	@$(BIN)/pytest $(ARGS)

check: setup ## ruff, mypy --strict, import rules
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup ## the table of figures: rate, latency, memory
	@$(BIN)/python -m tests.bench $(ARGS)

pictures: setup ## the pictures of docs/images, made anew by the browser test
	@for test in by_number page_has_both_sides; do \
	  PICTURES=docs/images $(BIN)/pytest -q tests/browser/test_real_hub.py -k $$test || exit 1; done

clean: ## remove the virtual environment and what tools leave behind; data stay
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
