# `make demo` and `make test` each set everything up on a fresh Debian or Ubuntu machine.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: demo test check docs pictures clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.ready-demo ## run the whole job on the sample; open napari, or write pictures
	$(BIN)/cytosynth demo

test: $(VENV)/.ready-dev ## run the tests, in a virtual window where there is no display
	.ci/test $(BIN)/python

check: $(VENV)/.ready-dev ## lint, types, layers
	.ci/check $(BIN)

pictures: $(VENV)/.ready-dev ## make the pictures of docs/ from the running program
	.ci/pictures $(BIN)/python

$(VENV)/.ready-demo: pyproject.toml constraints.txt .ci/setup
	.ci/setup $(PYTHON) $(VENV) qt
	touch $@

$(VENV)/.ready-dev: pyproject.toml constraints.txt .ci/setup
	.ci/setup $(PYTHON) $(VENV) qt,dev
	touch $@ $(VENV)/.ready-demo

clean: ## remove the virtual environment and what was built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
