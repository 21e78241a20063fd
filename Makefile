# The short verbs of this project; `make help` lists them.

# The first that really runs and is new enough; make PYTHON=/path/to/python3.12 chooses another.
PYTHONS := $(or $(PYTHON),python3.13 python3.12 python3.11 python3)
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help setup demo cluster test walk chaos chaos-store check bench bench-quick pictures clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 14

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

cluster: setup ## three nodes, three NATS servers, PostgreSQL and a load balancer on this machine, without Docker
	@$(BIN)/python -m tests.cluster $(ARGS)

test: setup ## all tests, the kit's beside the others (ARGS go to pytest)
	@$(BIN)/pytest -n 2 --dist worksteal $(ARGS)

walk: setup ## the whole hub's walk, longer than in make test: WALKS=400 (times 600 steps), FIRST=1000 (its seeds)
	@WALKS=$(or $(WALKS),400) FIRST=$(or $(FIRST),1000) $(BIN)/pytest -q -n 2 tests/domain/test_hub_machine.py $(ARGS)

chaos: setup ## three nodes under faults for DURATION=600 seconds, by SEED=1; ledgers are compared at the end
	@$(BIN)/python -m tests.chaos --duration $(or $(DURATION),600) --seed $(or $(SEED),1) $(ARGS)

chaos-store: setup ## the log's files damaged in every known way: does the hub notice? (ARGS=--only WORDS: some of them)
	@$(BIN)/python -m tests.chaos_store $(ARGS)

check: setup ## ruff, mypy --strict, import rules
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup ## the table of figures: rate, latency, memory (ARGS=--help: further parts)
	@$(BIN)/python -m tests.bench $(ARGS)

bench-quick: setup ## in a minute: is anything much slower than it was? (by hand, on a quiet machine)
	@$(BIN)/python -m tests.bench.quick $(ARGS)

pictures: setup ## the pictures of docs/images, made anew by the browser test
	@for test in by_number page_has_both_sides; do \
	  PICTURES=docs/images $(BIN)/pytest -q tests/browser/test_real_hub.py -k $$test || exit 1; done
	@PICTURES=docs/images $(BIN)/pytest -q tests/browser/agent/test_page.py -k three_agents

clean: ## remove the virtual environment and what tools leave behind; data stay
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
