# The two commands: `make run` and `make test`. PYTHON must be 3.11 or 3.12.
PYTHON ?= python3
BIN := .venv/bin

run: .venv/installed
	$(BIN)/bohb-master --n-iterations 2

test: .venv/installed
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not deploy"

# Docker, Slurm and systemd for real: needs root and what .ci/run installs; skips and says so else.
test-deploy: .venv/installed
	$(BIN)/python -m pytest -n 3 --dist loadfile -m deploy

# Where no TensorFlow is installed, as on most TPU and many GPU machines. What differs there; all of
# tests/training would take many minutes, because XLA compiles slowly on a CPU.
JAX_TESTS := $(addprefix tests/training/, test_devices.py graph/test_losses.py graph/test_counts.py \
  graph/test_compiled_model.py::test_micro_batches_give_the_weights_of_the_whole_batch \
  test_feeding.py::test_the_next_epoch_is_read_by_the_same_compiled_step \
  test_out_of_memory.py::test_a_process_with_little_memory_finishes_its_evaluation)
test-jax: .venv-jax/installed
	.venv-jax/bin/python -m pytest $(JAX_TESTS)

check: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict bohb_seg workers examples benchmarks
	$(BIN)/lint-imports

# The manual, build/docs/index.html; a broken link, an unknown flag or class is an error.
docs: .venv/installed
	$(BIN)/sphinx-build --builder html --fail-on-warning --nitpicky --keep-going --quiet docs build/docs

# Executes the example anew and keeps its outputs.
notebook: .venv/installed
	$(BIN)/python tests/helpers/notebook.py examples/synthetic_scenes.ipynb

benchmarks: .venv/installed
	$(BIN)/python -m benchmarks.training
	$(BIN)/python -m benchmarks.suggestion
	$(BIN)/python -m benchmarks.dispatch
	$(BIN)/python -m benchmarks.chaos

.venv/installed: requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

.venv-jax/installed: .venv/installed requirements-jax.lock
	$(PYTHON) -m venv .venv-jax
	.venv-jax/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements-jax.lock
	sed 's/ *--hash=[^ ]*//; s/ *\\$$//' requirements-dev.lock > .venv-jax/constraints.txt
	.venv-jax/bin/python -m pip install --quiet --constraint .venv-jax/constraints.txt \
	  pytest pytest-timeout hypothesis scikit-learn psutil hatchling editables
	.venv-jax/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

# Asks the package index for the newest versions that pyproject.toml allows.
lock: .venv/installed
	$(LOCK) --extra dev --extra docs --extra geo --upgrade pyproject.toml -o requirements-dev.lock
	$(LOCK) --extra geo --constraints requirements-dev.lock pyproject.toml -o requirements.lock
	echo 'tensorflow; python_version < "3"' | $(LOCK) --extra jax \
	  --overrides - --constraints requirements-dev.lock pyproject.toml -o requirements-jax.lock
	sed -n 's/^Requires-Dist: \(nvidia[^;]*\);.*/\1/p' \
	  .venv/lib/python3*/site-packages/tensorflow-*.dist-info/METADATA | $(LOCK) - -o docker/cuda.lock

LOCK = $(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock"

.PHONY: run test test-deploy test-jax check docs notebook benchmarks lock
