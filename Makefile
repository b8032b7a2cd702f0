# The two commands of the README: `make demo` and `make test`. Each installs what it needs into .venv.
PYTHON ?= python3
BIN := .venv/bin
STAMPS := .venv/.stamps
# What the pages' scripts and styles are built of, on installing; hatch_build.py looks whether anything has changed.
ASSETS := hatch_build.py $(shell find src/shoal/web/assets -name node_modules -prune -o -type f -print)
# Half again as many as there are processors: many tests wait for a server or a browser.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(max(2, (os.cpu_count() or 2) * 3 // 2))')
ENGINE_TESTS := tests/store tests/sql tests/load/test_reload.py tests/load/test_mapped.py tests/load/test_real_data.py \
	tests/proof/test_named.py tests/proof/test_proof.py \
	"tests/docs/test_docs.py::test_every_block_of_a_page_runs[getting-started.md]" \
	--deselect tests/proof/test_proof.py::test_every_operator_is_tried

.PHONY: help demo demo-stop test test-engines lint docs dist bench soak simulations screenshots lock clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || (echo "Shoal needs Python 3.11 or newer: make PYTHON=python3.11 …" && exit 1)
	$(PYTHON) -m venv .venv
	@mkdir -p $(STAMPS)

$(STAMPS)/%: requirements/%.txt pyproject.toml $(ASSETS) | $(BIN)/python
	@mkdir -p $(STAMPS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/$*.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: $(STAMPS)/demo ## Load one real year of a grocery chain, evaluate, report, and serve the web application
	@$(BIN)/python examples/grocery/demo.py

demo-stop: ## End the web application that make demo has begun
	@$(BIN)/python examples/grocery/application.py

test: $(STAMPS)/test ## Pass the whole suite
	@scripts/services postgresql chromium poppler-utils
	@$(BIN)/python -c 'from shoal.live.warming import warm_up; warm_up()' # compiled once, not by each server at once
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(STAMPS)/test ## Lint, format check, and types of Python and of the pages' scripts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python hatch_build.py types

docs: $(STAMPS)/test ## Build the documentation into site/
	$(BIN)/mkdocs build --strict --quiet

dist: $(STAMPS)/test ## Build the wheel, install it into an empty environment and run it
	@scripts/dist

bench: $(STAMPS)/test ## Measure against named baselines on millions of events; writes benchmarks/results
	$(BIN)/python -m benchmarks.run

soak: $(STAMPS)/test ## Long property runs, many kills, and the figures of the docs on real data
	SHOAL_LONG=1 $(BIN)/python -m pytest -q tests/models/frame/test_habits_real.py tests/bench
	$(BIN)/python -m benchmarks.soak

simulations: $(STAMPS)/test ## Whether the intervals of experiments hold what they promise, with a fresh seed
	$(BIN)/python -m benchmarks.simulations

test-engines: $(STAMPS)/engines ## Pass what depends on the engine with the oldest DuckDB that Shoal works with
	SHOAL_PROOF_WORLDS=3 .venv-engines/bin/python -m pytest $(ENGINE_TESTS) -n $(WORKERS) --dist worksteal

$(STAMPS)/engines: requirements/engines.txt scripts/engines $(STAMPS)/test
	@scripts/engines
	@touch $@

screenshots: $(STAMPS)/test ## Take pictures of every page of the web application into docs/images/web
	@scripts/services chromium
	PYTHONPATH=.:tests $(BIN)/python -m web.screenshots

lock: $(STAMPS)/test ## Pin the requirements anew, with hashes and without addresses
	@scripts/lock

clean: ## Remove what was built
	rm -rf .venv .venv-engines demo dist site build .pytest_cache .mypy_cache .ruff_cache
	rm -rf src/shoal/web/static src/shoal/web/assets/node_modules
