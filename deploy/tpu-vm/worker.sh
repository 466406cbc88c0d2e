#!/usr/bin/env bash
# Prepares a TPU VM and starts a worker on its chips; all flags are bohb-worker's. May be run again
# at any time: what is there already is kept. README.md beside this file tells how to use it.
set -euo pipefail
cd "$(dirname "$0")/../.."

# A compiler, because netifaces comes as source. The VM may be installing updates: wait for them.
sudo apt-get -o DPkg::Lock::Timeout=600 -qq update
sudo apt-get -o DPkg::Lock::Timeout=600 -qqy install gcc libc6-dev python3-venv

# uv, because the VM's own Python is 3.10.
python3 -m venv .venv-uv
.venv-uv/bin/pip install --quiet uv==0.13.9
export PATH="$PWD/.venv-uv/bin:$PATH" UV_NO_PROGRESS=1
uv venv --quiet --allow-existing --python 3.11 .venv-tpu
uv pip install --quiet --python .venv-tpu --no-deps --require-hashes --requirement requirements-jax.lock
uv pip install --quiet --python .venv-tpu "jax[tpu]==0.7.1"
uv pip install --quiet --python .venv-tpu --no-deps --reinstall-package bohb-seg .

exec .venv-tpu/bin/bohb-worker --device tpu "$@"
