# imi: everything a clone needs. `make demo` for the first minute, `make test` for the proof.
# Only python3 (3.11 or newer, with its venv module) and a package index are needed; all the rest goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The tests use these; each can be left out, and its tests then say so and are skipped.
EXTRAS := tables,tasks,plot,pictures,fast,server,remote,openai,tokens,train,quality,st,static,onnx,docs,office,mcp,code,ja,pg,qdrant,milvus
TEST ?=
# Where the public data sets lie that the built-in model is made from.
DATA ?= ../shared/data

.PHONY: help demo test lint types format nightly bench model deep lab wheel clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(VENV)/.base ## ask Python's own documentation in English, Japanese and emoji
	@$(BIN)/imi demo

test: $(VENV)/.dev ## the tests, about five minutes
	$(BIN)/python -m pytest $(TEST)

lint: $(VENV)/.dev ## style, format and types
	$(BIN)/ruff check src tests examples benchmarks recipes experiments
	$(BIN)/ruff format --check src tests examples benchmarks recipes experiments
	$(BIN)/mypy

types: $(VENV)/.dev ## types alone
	$(BIN)/mypy

format: $(VENV)/.dev ## put the sources in order
	$(BIN)/ruff check --fix src tests examples benchmarks recipes experiments
	$(BIN)/ruff format src tests examples benchmarks recipes experiments

nightly: $(VENV)/.dev ## kills, mutations, big sizes and random examples: hours
	$(BIN)/python -m pytest -m nightly --timeout 7200 $(TEST)
	$(BIN)/python -m pytest -m 'property and not nightly' --hypothesis-profile random --timeout 7200 $(TEST)

bench: $(VENV)/.dev ## every figure of the documentation, one script a claim
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

model: $(VENV)/.dev ## train the built-in model again
	$(BIN)/python -m recipes.builtin.train --data $(DATA)

deep: $(VENV)/.dev ## make the transformer of the package again
	$(BIN)/python -m recipes.deep --data $(DATA)

lab: $(VENV)/.dev ## the paper's experiments and figures
	$(BIN)/python -m experiments.matryoshka --out docs/lab

wheel: $(VENV)/.base ## the package as others install it
	rm -rf dist build
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## remove what was built, and .venv
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "imi: $(PYTHON) is older than Python 3.11" >&2; echo "try: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "imi: $(PYTHON) cannot make a virtual environment" >&2; echo "try: apt-get install python3-venv" >&2; exit 2; }

$(VENV)/.base: pyproject.toml | $(BIN)/python
	@echo "installing imi and what it stands on (about 200 MB) into $(VENV)"
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

# constraints.txt keeps torch at a version whose CPU build is small: another pulls gigabytes.
$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing what the tests and tools need into $(VENV)"
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]' --group dev
	@touch $@ $(VENV)/.base
