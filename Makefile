# `make demo` and `make test` are all a newcomer needs; both begin with `make setup`.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# How long each interpreter takes for the same work, in steps of a quarter, and where it is: one that was built without its
# optimisations takes up to twice as long for plain loops and a fifth longer for this project, and nothing else tells.
define SPEED
import ensurepip, math, sys, timeit; \
took = min(timeit.repeat("number * number % 7", "number = 12345", number=100000, repeat=9)); \
sys.version_info < (3, 11) or print(round(math.log(took, 1.25)), sys.executable)
endef

.PHONY: setup demo test lint lock clean

setup: $(VENV)/installed
	@test -n "$${TEMPORAL_ADDRESS:-}" || $(BIN)/python -m runtime.temporal_binary >/dev/null

$(VENV)/installed: requirements.lock pyproject.toml
	@python=$$(for each in $$(type -aP python3.13 python3.12 python3.11 python3 || true); do \
	  "$$each" -c '$(SPEED)' 2>/dev/null || true; \
	done | sort -s -k1,1n | head -1 | cut -d" " -f2-); \
	if command -v uv >/dev/null; then \
	  echo "setting up $(VENV) with uv"; \
	  uv venv --quiet --allow-existing --python "$${python:->=3.11}" $(VENV); \
	  uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock; \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
	  test -n "$$python" || { echo "error: Python 3.11 or newer is needed, and there is none with venv on PATH" >&2; exit 1; }; \
	  echo "setting up $(VENV) with $$python -m venv and pip"; \
	  $$python -m venv $(VENV); \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
	@touch $@

demo: setup
	@$(BIN)/kt dev --demo

test: setup lint
	@$(BIN)/python -m runtime.temporal_binary server >/dev/null
	$(BIN)/pytest

lint: $(VENV)/installed
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# Pins every dependency by hash, for every platform and Python that is supported. Needs uv.
lock:
	uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --quiet -o requirements.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
