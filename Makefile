# `make` lists the targets. Everything is installed into .venv, from the versions that requirements*.txt pin.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Level 2 would keep three lines of TensorFlow 2.15 about CUDA plug-ins that are registered twice, GPU or not.
export TF_CPP_MIN_LOG_LEVEL ?= 3

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check format venv venv-dev browser wheel lock clean

help:  ## Lists the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10
	@echo "PYTHON=/path/to/python3.11 names the Python of .venv; ARGS=... goes to the demo and to pytest."

demo: venv  ## Tracks the bundled clip with the shipped weights
	$(BIN)/python -m experiments.demo $(ARGS)

test: venv-dev  ## Runs the tests, in two processes; ARGS="-k boxes" chooses
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: venv-dev  ## Checks format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: venv-dev  ## Formats the code and mends what ruff can
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

venv: $(VENV)/.installed  ## Makes .venv: tracking, training, evaluation

venv-dev: $(VENV)/.installed-dev  ## Adds what tests and checks need to .venv

browser:  ## Installs Chromium, where the system has no browser that the tests of web pages can open
	@for browser in chromium chromium-browser google-chrome google-chrome-stable; do command -v $$browser >/dev/null && exit; done; \
	  if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium \
	      >/dev/null && exit; \
	  fi; \
	  echo "No Chromium: the tests of web pages are skipped; to run them, install it as root (apt install chromium)"

wheel: venv  ## Builds dist/mlt_tf-*.whl
	@rm -rf build dist
	$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@rm -rf build
	@ls dist/*.whl

lock: venv  ## Pins the newest versions that setup.cfg allows, with the hashes of their files
	$(PIP) install --quiet uv
	$(LOCK) --extra=train --extra=web --extra=beam --extra=vot --extra=export --extra=openvino \
	  --extra=onnx --extra=dev --output-file=requirements-dev.txt setup.cfg
	$(LOCK) --extra=train --extra=web --constraint=requirements-dev.txt --output-file=requirements.txt setup.cfg

LOCK := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv --no-config pip compile --quiet --upgrade --generate-hashes \
  --python-version=3.11

clean:  ## Removes .venv and whatever was built
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp exists only beside a finished installation: it goes before work on .venv starts. A .venv with a stamp is
# brought up to date in place; one without is of an interrupted run, and is made anew.
$(VENV)/.installed: requirements.txt setup.cfg pyproject.toml
	@if [ -f $@ ]; then rm -f $@ $@-dev; else $(MAKE_VENV); fi
	@echo "Installing what requirements.txt pins into $(VENV) (the first time 700 MB, about a minute)"
	@$(INSTALL) --requirement requirements.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c 'import cv2' || { echo "If libGL or libgthread is missing: apt install libgl1 libglib2.0-0" >&2; exit 1; }
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	@rm -f $@
	@$(INSTALL) --requirement requirements-dev.txt
	@touch $@

# What is downloaded must have a hash that the lock names. The constraints, which tell no hashes, are for what pip builds
# of sources: it takes setuptools of the lock for that, and wheel, which is in none.
INSTALL = grep -o '^[A-Za-z0-9._-]*==[^ ]*' requirements.txt > $(VENV)/constraints.txt && \
  PIP_CONSTRAINT=$(VENV)/constraints.txt $(PIP) install --quiet --require-hashes

# With PYTHON given, that and no other. ensurepip is what Debian leaves out of python3.11 (package python3.11-venv).
MAKE_VENV = \
  for python in $(if $(PYTHON),"$(PYTHON)",python3.11 "$$(uv python find 3.11 2>/dev/null)" python3); do \
    if "$$python" -c 'import ensurepip, sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then \
      "$$python" -m venv --clear $(VENV) && exit; exit 1; \
    fi; \
  done; \
  echo "Python 3.11$(if $(PYTHON), at PYTHON=$(PYTHON)) not found; get it with \`uv python install 3.11\` or" \
    "\`apt install python3.11 python3.11-venv\`, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1
