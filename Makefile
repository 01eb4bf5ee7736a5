# imi: everything a clone needs. `make demo` for the first minute, `make test` for the proof.
# Only python3 (3.11 or newer, with its venv module) and a package index are needed; all the rest goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The tests use these; each can be left out, and its tests then say so and are skipped.
EXTRAS := tables,tasks,plot,pictures,heic,fast,server,remote,openai,tokens,train,quality,st,static,deep,onnx,docs,office,mcp,code,ja,pg,qdrant,milvus
TEST ?=
# One worker more than there are cores, as tests of servers, browsers and kills wait a lot, and at most four; `make test
# WORKERS=0` runs all tests in one process, as a debugger wants it. tests/conftest.py says in which order they begin.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(4, 1 + (os.cpu_count() or 1)))')
PYTEST = -m pytest --numprocesses $(WORKERS) --dist loadgroup --no-loadscope-reorder
# Pytest compiles the tests, and they start hundreds of processes: what was compiled once is kept for the next.
unexport PYTHONDONTWRITEBYTECODE
# Where the public data sets lie that the built-in model is made from.
DATA ?= ../shared/data

.PHONY: help demo test lint types format nightly lowest pythons bench docs model deep pictures lab wheel clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(VENV)/.base ## ask Python's own documentation in English, Japanese and emoji
	@$(BIN)/imi demo

test: $(VENV)/.dev ## the tests, about four minutes on two cores
	$(BIN)/python $(PYTEST) --ignore tests/typing $(TEST)

lint: types ## style, format and types
	$(BIN)/ruff check src tests examples benchmarks recipes experiments docs/site
	$(BIN)/ruff format --check src tests examples benchmarks recipes experiments docs/site

types: $(VENV)/.dev ## types alone: of the sources, and of the public names as two type checkers see them
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/typing

format: $(VENV)/.dev ## put the sources in order
	$(BIN)/ruff check --fix src tests examples benchmarks recipes experiments docs/site
	$(BIN)/ruff format src tests examples benchmarks recipes experiments docs/site

nightly: $(VENV)/.dev ## kills, mutations, big sizes, random examples, lowest versions, other Pythons: hours
	$(BIN)/python -m pytest -m nightly --timeout 7200 $(TEST)
	$(BIN)/python -m pytest -m 'property and not nightly' --hypothesis-profile random --timeout 7200 $(TEST)
	$(MAKE) lowest pythons

lowest: ## the tests with the oldest versions that pyproject.toml admits
	@test -x build/lowest/bin/uv || { $(PYTHON) -m venv build/lowest && build/lowest/bin/python -m pip install --quiet uv; }
	build/lowest/bin/python -m pip install --quiet --constraint constraints.txt torch
	build/lowest/bin/uv pip install --quiet --python build/lowest/bin/python --resolution lowest-direct \
	  --constraint constraints.txt --editable '.[$(EXTRAS)]' --group dev
	build/lowest/bin/python $(PYTEST) $(TEST)

pythons: ## the tests with every Python of 3.11 to 3.14 on this machine
	@.ci/pythons $(TEST)

bench: $(VENV)/.dev ## every figure of the documentation, one script a claim
	@failed=; for script in $(filter-out $(addprefix benchmarks/,adding.py odd_files.py),$(wildcard benchmarks/*.py)); do \
		echo "== $$script"; $(BIN)/python $$script || failed="$$failed $$script"; done; \
	if [ -n "$$failed" ]; then echo "not measured:$$failed"; exit 1; fi

docs: $(VENV)/.dev ## the documentation as a site, in build/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict
	@echo "read it: $(BIN)/python -m http.server --directory build/docs"

model: $(VENV)/.dev ## train the built-in model again
	$(BIN)/python -m recipes.builtin --data $(DATA)

deep: $(VENV)/.dev ## make the transformer of the package again
	$(BIN)/python -m recipes.deep --data $(DATA)
	$(BIN)/python -m recipes.pictures --names

pictures: $(VENV)/.dev ## make the picture tower of the package again
	$(BIN)/python -m recipes.pictures --data $(DATA)

lab: $(VENV)/.dev ## the paper's experiments and figures
	IMI_LANG=en $(BIN)/python -m experiments.matryoshka --out docs/lab

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
	@echo "installing imi and what it stands on (about 490 MB) into $(VENV)"
	@$(BIN)/python -m pip install --quiet --editable .
	@$(BIN)/python -m compileall -q src/imi  # as a wheel's installation does: the first commands are as quick as later ones
	@touch $@

# constraints.txt keeps torch at a version whose CPU build is small: another pulls gigabytes.
$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing what the tests and tools need into $(VENV)"
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]' --group dev
	@$(BIN)/python -m compileall -q src/imi
	@touch $@ $(VENV)/.base
