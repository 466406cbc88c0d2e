"""Which device trains, and how; what must be set before Keras is imported is set here.

Only environment variables are set: nothing heavy is imported before :func:`prepare` has run, and
the functions after it ask whichever backend Keras chose.
"""

import os
import resource
import sys
from pathlib import Path
from typing import Literal

from bohb_seg import machine
from bohb_seg.errors import SettingsError

Precision = Literal["auto", "float32", "bfloat16"]

_BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})
"""Processor flags with which oneDNN multiplies bfloat16 in hardware; without, it is slower."""
_FIRST_BFLOAT16_CAPABILITY = 8.0
"""NVIDIA Ampere; older GPUs emulate bfloat16."""


def prepare(device: str = "auto", threads: int | None = None) -> None:
    """Chooses device and number of threads for this process; call it before Keras is imported.

    Args:
        device: ``auto``, ``cpu``, ``gpu`` or ``gpu:N``. (``tpu`` needs no choice: JAX finds it.)
        threads: Processor threads for one operation; None: all.

    Raises:
        SettingsError: the GPU is not there.
    """
    assert "keras" not in sys.modules, "devices.prepare() must run before Keras is imported"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Several workers may share one GPU: none may take all memory in advance.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        os.environ["JAX_PLATFORMS"] = "cpu"
    elif device.startswith("gpu"):
        _choose_gpu(device)
    if threads is not None:
        for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
            os.environ[name] = str(threads)
        os.environ["TF_NUM_INTEROP_THREADS"] = "1"


def describe() -> str:
    """The device that trains, for people to read."""
    gpu = _gpu()
    return f"gpu ({gpu[0]})" if gpu else f"cpu ({_processor()}, {machine.processors()} threads)"


def policy(precision: Precision) -> str:
    """Keras' dtype policy for a precision; ``auto`` is bfloat16 where the device gains by it."""
    wants_bfloat16 = precision == "bfloat16" or (precision == "auto" and _gains_by_bfloat16())
    return "mixed_bfloat16" if wants_bfloat16 else "float32"


def compiles() -> Literal["auto", False]:
    """Keras' ``jit_compile``: on a CPU, XLA is half as fast as oneDNN."""
    import keras

    return "auto" if _gpu() or keras.backend.backend() == "jax" else False


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MB; a GPU's own is not in it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _choose_gpu(device: str) -> None:
    count = machine.nvidia_gpus()
    index = int(device.partition(":")[2] or 0)
    if index >= count:
        raise SettingsError(
            f"--device {device}: this machine has {count} NVIDIA GPUs; use --device auto or cpu"
        )
    if ":" in device:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(index)


def _gains_by_bfloat16() -> bool:
    gpu = _gpu()
    if gpu:
        return gpu[1] >= _FIRST_BFLOAT16_CAPABILITY
    return bool(_BFLOAT16_FLAGS & set(_cpuinfo("flags").split()))


def _gpu() -> tuple[str, float] | None:
    """Name and compute capability of the accelerator in use; TPUs count as newer than any GPU."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        found = tf.config.list_physical_devices("GPU")
        if not found:
            return None
        details = tf.config.experimental.get_device_details(found[0])
        major, minor = details.get("compute_capability", (0, 0))
        return str(details.get("device_name", "GPU")), major + minor / 10
    if keras.backend.backend() == "jax":
        import jax

        device = jax.devices()[0]
        if device.platform == "cpu":
            return None
        return device.device_kind, float(getattr(device, "compute_capability", "99"))
    return None


def _processor() -> str:
    return _cpuinfo("model name") or "unknown processor"


def _cpuinfo(field: str) -> str:
    """The first value of a field of Linux's /proc/cpuinfo; empty on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    found = (line.partition(":")[2].strip() for line in lines if line.startswith(field))
    return next(found, "")
