# `make demo` and `make test` do all their own set-up in .venv; a second run finds it done and is quick.
# On Debian or Ubuntu the only things needed beforehand are python3 (3.11 or newer) with venv, make, and, for pictures,
# OpenGL without a screen (MediaPipe loads it too): apt-get install libegl1 libgles2 libgl1-mesa-dri

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
# Installed first, so that nothing else chooses a torch. TORCH= leaves the choice to pip; the small CPU build:
# TORCH='torch --index-url https://download.pytorch.org/whl/cpu'
TORCH ?= torch==2.13.0
DEMO_SPEECH ?= src/diffposetalk/assets/sample.flac
STYLE ?= lively

.PHONY: help demo test lint types tests docs format egl clean

help:
	@echo "make demo    a talking head from the bundled sample of speech: out/demo.mp4 and out/demo.png"
	@echo "make test    ruff, mypy, all tests and the reference"
	@echo "make docs    the reference of the Python interface: out/reference/index.html"
	@echo "make format  ruff format and the fixes ruff can make"
	@echo "make clean   remove .venv, out and caches"

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "make: Python 3.11 or newer is needed; say which with PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
		|| { echo "make: cannot create $(VENV); on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV) (once; a few minutes)"
	$(if $(TORCH),@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH))
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test,cluster]'
	@touch $@

# Rendering needs EGL and a driver; saying so here beats a linker's message later.
egl:
	@test "$$(uname)" != Linux || $(PYTHON) -c 'import ctypes; ctypes.CDLL("libEGL.so.1")' 2>/dev/null \
		|| { echo "make: libEGL is missing, which draws the pictures without a screen." \
		"On Debian or Ubuntu: apt-get install libegl1 libgles2 libgl1-mesa-dri" >&2; exit 1; }

demo: $(STAMP) egl
	@mkdir -p out
	$(BIN)/diffposetalk animate $(DEMO_SPEECH) --style $(STYLE) -o out/demo.mp4 -o out/demo.npz \
		--contact-sheet out/demo.png

test: lint types tests docs

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: $(STAMP)
	$(BIN)/mypy

tests: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --durations=8

docs: $(STAMP)
	$(BIN)/python tools/reference.py out/reference

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) out .mypy_cache .pytest_cache .ruff_cache build dist
