# Needs python3 (3.11 or newer) and make. PYTHON=python3.12 picks another interpreter.
PYTHON ?= python3
BIN := .venv/bin
export PYTHON
# Modules that are compiled once make every further start faster, the tests' too.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo demo-check test check lint docs pictures fault bench lock clean install-local install-test

help:  ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

demo: install-local  ## run a graph against a small local model; no key, no account
	@$(BIN)/graphagent local install --yes || true
	@$(BIN)/graphagent demo

demo-check: install-local  ## run the demo, answer, replay, fork and compare without a terminal
	@$(BIN)/graphagent local install --yes || true
	@$(BIN)/graphagent demo --check

test: install-test  ## everything needed to trust a checkout; under 10 minutes
	@$(BIN)/graphagent local install --yes
	@tools/check.sh -m "not long"

check: install-test  ## the fast inner loop: lint, types, import contracts, unit tests; under 30 s
	@tools/check.sh -q --hypothesis-profile quick -m "not long and not slow" tests/unit

lint: install-test
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: install-test  ## write the generated pages and pictures below docs/ anew
	$(BIN)/python tools/docs.py

pictures: docs  ## the same: pictures are drawn with the pages that show them

fault: install-test  ## the long fault runs
	$(BIN)/python -m pytest tests/fault

bench: install-test  ## the workloads of the performance targets; BENCH="P1 P4" picks some
	$(BIN)/python -m tests.benchmarks $(BENCH)

lock:  ## write requirements/*.txt anew; ARGS=--upgrade takes newer releases; needs uv
	tools/lock.sh

clean:  ## remove .venv, caches and build results
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find graphagent tests -name __pycache__ -type d -prune -exec rm -rf {} +

install-local:
	@tools/install.sh local

install-test:
	@tools/install.sh test
