# The two commands: `make run` and `make test`. PYTHON must be 3.11 or 3.12.
PYTHON ?= python3
BIN := .venv/bin

run: .venv/installed
	$(BIN)/bohb-master --n-iterations 2

test: .venv/installed
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict bohb_seg workers
	$(BIN)/lint-imports

benchmarks: .venv/installed
	$(BIN)/python -m benchmarks.training
	$(BIN)/python -m benchmarks.suggestion
	$(BIN)/python -m benchmarks.dispatch
	$(BIN)/python -m benchmarks.chaos

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

# Asks the package index for the newest versions that pyproject.toml allows.
lock: .venv/installed
	$(BIN)/uv pip compile --quiet --python-version 3.11 --extra dev --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-annotate --upgrade \
	  --custom-compile-command "make lock" pyproject.toml -o requirements.lock

.PHONY: run test check benchmarks lock
