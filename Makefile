# Each target does its own set-up in .venv; `make demo` and `make test` are all that a newcomer needs.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: demo test lint bench docs clean

demo: .venv/demo  ## train on real digits and write the report to demo-report/
	$(BIN)/equisphere demo --output demo-report

test: .venv/test lint  ## everything that must hold (the slow tests aside: pytest -m slow)
	$(BIN)/python -m pytest -q -m "not slow"

lint: .venv/test  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv-bench/ready  ## (BENCH=--reference keeps the figures) the transform against its peers, in an environment of its own (their torch is another one)
	.venv-bench/bin/python benchmarks/transforms.py $(BENCH)

.venv-bench/ready: pyproject.toml benchmarks/constraints.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --constraint benchmarks/constraints.txt --editable '.[fast]' torch-harmonics e3nn matplotlib
	touch $@

docs: .venv/demo  ## the demo with three seeds, and its figures into README.md (a quarter of an hour)
	for seed in 0 1 2; do $(BIN)/equisphere demo --seed $$seed --output runs/demo-$$seed || exit 1; done
	$(BIN)/python docs/write_evidence.py --demo runs/demo-0 runs/demo-1 runs/demo-2

clean:
	rm -rf .venv .venv-bench demo-report .mypy_cache .ruff_cache

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "equisphere needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv

.venv/demo: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[demo]'
	touch $@

.venv/test: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[test]'
	touch $@
