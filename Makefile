# Everything a person or a machine does with a checkout. `make help` lists it.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: help install demo test test-editors screenshots dist lint lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

install: $(READY)  ## create .venv from the lock

# pip checks every hash of the lock; torch comes after it, with what its build for this machine needs.
$(READY): requirements.lock requirements-torch.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Pointsman needs Python 3.11 or newer; run: make PYTHON=python3.11 install")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet -r requirements-torch.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $(READY)

demo: $(READY)  ## index a real repository, complete, answer and refactor in it
	sh demo/run.sh $(BIN)

test: $(READY)  ## lint, types, and all tests against the real default models
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pointsman models pull -q
	$(BIN)/python -m pytest

test-editors: $(READY)  ## bring a VS Code workbench once (minutes), then all tests in real editors
	POINTSMAN_TEST_WORKBENCH=1 $(BIN)/python -m pytest tests/editors

screenshots: $(READY)  ## the pictures of docs/img, made by the tests in the VS Code workbench
	POINTSMAN_TEST_WORKBENCH=1 POINTSMAN_SCREENSHOTS=docs/img $(BIN)/python -m pytest -q tests/editors/test_vscode_workbench.py tests/editors/test_vscode_changes.py tests/editors/test_vscode_native_chat.py

dist: $(READY)  ## the server's wheel, the .vsix and the Neovim plugin, into dist/
	$(BIN)/python release/dist.py

lint: $(READY)  ## ruff and mypy alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lock: $(READY)  ## resolve the dependencies anew and write requirements.lock
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras --extra dev --no-annotate \
	    --no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o requirements.lock pyproject.toml
	$(BIN)/python -c 'import re, pathlib; p = pathlib.Path("requirements.lock"); \
	    p.write_text("# Made by `make lock`. torch is pinned in requirements-torch.lock.\n" + re.sub(r"(?m)^torch==(.*\\\n)+.*\n", "", p.read_text()))'

clean:  ## remove .venv and what tools left behind
	rm -rf $(VENV) .demo clients/vscode/node_modules clients/vscode/dist clients/vscode/build .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info build dist
