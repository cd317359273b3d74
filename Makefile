# The course's commands. `make lab` and `make test` need nothing but make and Python 3.10 or newer.
PYTHON ?= python3
# Where data sets lie, for example: make lessons DATA=~/datasets
DATA ?=
BIN := .venv/bin
READY := .venv/.ready
export VAE_DATA_ROOT := $(abspath $(or $(DATA),$(VAE_DATA_ROOT)))

.PHONY: lab test lessons notebooks bench bench-long clean

lab: $(READY)  ## open the first lesson in JupyterLab
	$(BIN)/jupyter lab --allow-root notebooks/01_from_a_neuron_to_an_autoencoder.ipynb

test: $(READY)  ## run all tests: package, lessons, and (where Chromium is installed) the browser
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/pytest

lessons: $(READY)  ## run every lesson and write it as a web page to build/lessons
	$(BIN)/python notebooks/source/build_notebooks.py --html build/lessons

notebooks: $(READY)  ## build the notebooks whose source, or a shipped model, changed
	$(BIN)/python notebooks/source/build_notebooks.py

bench: $(READY)  ## print how fast training is, as ratios
	$(BIN)/python tests/bench.py

bench-long: $(READY)  ## print the same for one VAE trained to the end (20 minutes, with MNIST on two CPU cores)
	$(BIN)/python tests/bench.py --long

clean:  ## remove what make made, but no data
	rm -rf .venv build

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "The course needs Python 3.10 or newer; name it with: make PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -c constraints.txt -e ".[dev]"
	touch $@
