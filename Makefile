# The course's commands. `make lab` and `make test` need nothing but make and Python 3.10 or newer.
PYTHON ?= python3
# Where data sets lie, for example: make lessons DATA=~/datasets
DATA ?=
GIVEN := $(or $(DATA),$(VAE_DATA_ROOT))
BIN := .venv/bin
READY := .venv/.ready
# What only the web edition needs, apart, so that learners do not wait for it.
SITE_READY := .venv/.site_ready
# Absolute, because kernels run in other folders. Not $(abspath …), which takes a space for the end of a path; not every
# shell expands the ~ in DATA=~/datasets, but the course does.
export VAE_DATA_ROOT := $(if $(GIVEN),$(if $(filter /% ~%,$(firstword $(GIVEN))),,$(CURDIR)/)$(GIVEN))

SUBMISSIONS ?=
SET ?=

.PHONY: test-colab site homework grade lab test fuzz test-versions play lessons notebooks bench bench-long clean

lab: $(READY)  ## open the first lesson in JupyterLab, as a copy in notebooks/mine
	$(BIN)/python notebooks/source/lab/start.py

# Two processes of one thread each are faster than one of two. What measures times in the browser comes after them, alone.
TIMED := tests/test_browser.py tests/test_site.py
test: $(SITE_READY)  ## run all tests: package, lessons, and (where Chromium is installed) the browser
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal --durations=60 $(TIMED:%=--ignore=%)
	$(BIN)/pytest --durations=10 $(TIMED)

test-versions: $(READY)  ## run the unit tests with the oldest and the newest versions that the project admits
	$(BIN)/python tests/versions.py

test-colab: $(READY)  ## run every notebook alone in an empty folder, with Colab's versions, as its first cell installs the course
	PYTHONPATH=notebooks/source $(BIN)/python tests/colab.py

play: $(READY)  ## run each lesson with other seeds, epochs, learning rates and code sizes
	$(BIN)/python tests/play.py

fuzz: $(READY)  ## the tests that kill, damage and misuse things, many times as often as in `make test`
	VAE_FUZZ=1 $(BIN)/pytest -m fuzz

lessons: $(READY)  ## run every lesson and write it as a web page to build/lessons
	$(BIN)/python notebooks/source/build_notebooks.py --html build/lessons

notebooks: $(READY)  ## build the notebooks whose source, or a shipped model, changed
	$(BIN)/python notebooks/source/build_notebooks.py

homework: $(READY)  ## build the problem sets: for students in notebooks/homework, for teachers in build/homework
	$(BIN)/python notebooks/source/build_homework.py

grade: $(READY)  ## grade a folder of notebooks, for example: make grade SUBMISSIONS=folder SET=1
	@$(BIN)/python notebooks/source/grade_homework.py "$(SUBMISSIONS)" "$(SET)"

site: $(SITE_READY)  ## build the web edition with its playground in build/site
	$(BIN)/python notebooks/source/build_site.py

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

$(SITE_READY): $(READY)
	$(BIN)/python -m pip install -c constraints.txt -e ".[site]"
	touch $@
