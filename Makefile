# Two commands: `make demo` shows the main job, `make test` runs the tests. Both create what they need in .venv.
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip
INSTALL := $(PIP) install --quiet --constraint constraints.txt
SOURCES := pyproject.toml constraints.txt CMakeLists.txt $(wildcard native/*)

.PHONY: demo test lint docs clean

demo: $(VENV)/demo.stamp
	$(VENV)/bin/hammingway demo --out demo

test: $(VENV)/test.stamp
	$(VENV)/bin/python -m pytest

lint: $(VENV)/test.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

docs: $(VENV)/docs.stamp
	$(VENV)/bin/python -m sphinx -W -b html docs docs/_build/html

$(VENV)/pip.stamp:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet 'pip>=25.1'
	touch $@

$(VENV)/demo.stamp: $(VENV)/pip.stamp $(SOURCES)
	$(INSTALL) --editable '.[report]'
	touch $@

$(VENV)/test.stamp: $(VENV)/pip.stamp $(SOURCES)
	$(INSTALL) --editable '.[data,report,onnx,tensorboard]' --group test --group lint
	touch $@

$(VENV)/docs.stamp: $(VENV)/test.stamp
	$(INSTALL) --group docs
	touch $@

clean:
	rm -rf $(VENV) build demo docs/_build
