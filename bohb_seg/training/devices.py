"""Backend and device of training: their choice, and facts about them.

There are two steps. :func:`prepare` runs before Keras is imported and only sets environment
variables, which the backends read when they start. The other functions run after it; they import
Keras and ask whichever backend it chose. :func:`distribute` must come before the first model.

One process trains on one GPU, however many the machine has, because several evaluations gain more
from them than one. TPU chips are different: one process owns all of a host, so batches are dealt
out to them.
"""

import importlib.util
import os
import sys
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from bohb_seg import machine
from bohb_seg.errors import SettingsError

Precision = Literal["auto", "float32", "bfloat16"]

BACKENDS = ("tensorflow", "jax")
"""Keras backends, the preferred first: on processors TensorFlow is two to three times as fast."""

_PACKAGES = {
    ("tensorflow", "GPU"): "tensorflow[and-cuda]",
    ("jax", "GPU"): "jax[cuda12]",
    ("jax", "TPU"): "jax[tpu]",
}
"""The package that brings the libraries with which a backend sees a device."""
_BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})
"""Flags of processors that multiply bfloat16 in hardware; on others oneDNN is slower with it."""
_FIRST_BFLOAT16_CAPABILITY = 8.0
"""Compute capability of NVIDIA Ampere; older GPUs emulate bfloat16."""
_BACKEND_ERRORS = frozenset({"RuntimeError", "OpError"})
"""Base classes of errors of JAX (XlaRuntimeError) and TensorFlow, by name; neither is imported."""
_OUT_OF_MEMORY = (
    "resource_exhausted",
    "out of memory",  # XLA on processors says so under the status INTERNAL
    "oom when allocating",
    "bad_alloc",
    "status: 1, message",  # oneDNN's dnnl_out_of_memory, as TensorFlow's kernels report it
    "status_alloc_failed",  # cuDNN and cuBLAS
)
"""Texts in the messages of errors that say that memory was short, in small letters."""


def prepare(device: str = "auto", threads: int | None = None) -> None:
    """Chooses backend, device and number of threads; call it before Keras is imported.

    Args:
        device: ``auto``, ``cpu``, ``gpu``, ``gpu:N`` (of those visible here) or ``tpu``.
        threads: Processor threads for one operation; None: all.

    Raises:
        SettingsError: backend or device is not there.
    """
    assert "keras" not in sys.modules, "devices.prepare() must run before Keras is imported"
    os.environ["KERAS_BACKEND"] = _backend(device)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Several workers may share one GPU: none may take all memory in advance.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        os.environ["JAX_PLATFORMS"] = "cpu"
    elif device == "tpu":
        _choose_tpu()
    else:
        _choose_gpu(device)
    if threads is not None:
        for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "PJRT_NPROC"):
            os.environ[name] = str(threads)
        os.environ["TF_NUM_INTEROP_THREADS"] = "1"


def confirm(device: str) -> None:
    """Makes sure that the backend sees the GPU or TPU that was asked for; imports Keras.

    Without their libraries for CUDA, TensorFlow and mostly JAX would silently train on the
    processor.

    Args:
        device: The device that was given to :func:`prepare`.

    Raises:
        SettingsError: the backend does not see it.
    """
    if device in ("auto", "cpu"):
        return
    import keras

    backend, reason = keras.backend.backend(), ""
    try:
        found = _accelerator()
    except RuntimeError as error:  # JAX's, where it knows what is missing
        found, reason = None, f" ({str(error).splitlines()[0]})"
    if found is None:
        kind = "TPU" if device == "tpu" else "GPU"
        raise SettingsError(
            f"--device {device}: {backend} sees no {kind} here{reason}; install"
            f" {_PACKAGES[backend, kind]} and a driver that suits it, or use --device auto or cpu"
        )


def distribute() -> None:
    """Lets Keras deal out every batch among this process' TPU chips, if it has several.

    Several virtual processors (``XLA_FLAGS=--xla_force_host_platform_device_count``) are treated
    alike, so that this can be tried without a TPU.
    """
    import keras

    if keras.backend.backend() != "jax" or keras.distribution.distribution() is not None:
        return
    import jax

    if jax.local_device_count() > 1 and jax.local_devices()[0].platform != "gpu":
        # Sharding of data sets is for several hosts; here one process feeds all chips.
        keras.distribution.set_distribution(
            keras.distribution.DataParallel(auto_shard_dataset=False)
        )


def parallel() -> int:
    """Number of devices that a batch is dealt out to; its size must be a multiple of this."""
    import keras

    distribution = keras.distribution.distribution()
    return 1 if distribution is None else int(distribution.device_mesh.devices.size)


def describe() -> str:
    """The device that trains, for people to read."""
    found = _accelerator()
    if found:
        return f"{found.platform} ({found.name}{_times()})"
    return f"cpu ({machine.processor()}, {machine.processors()} threads{_times()})"


def kind() -> str:
    """A stable name of the kind of device: its model and number, or processor and memory."""
    found = _accelerator()
    return (found.name if found else f"{machine.processor()}, {machine.memory_gb()} GB") + _times()


def policy(precision: Precision) -> str:
    """Keras' dtype policy for a precision; ``auto`` is bfloat16 where the device gains by it."""
    wants_bfloat16 = precision == "bfloat16" or (precision == "auto" and _gains_by_bfloat16())
    return "mixed_bfloat16" if wants_bfloat16 else "float32"


def compiles() -> Literal["auto", False]:
    """Value of Keras' ``jit_compile``; on a CPU, XLA is half as fast as oneDNN."""
    import keras

    return "auto" if _accelerator() or keras.backend.backend() == "jax" else False


def peak_memory_mb() -> float:
    """Largest memory so far in MB: the device's if it is known, else this process'."""
    taken = _peak_of_device()
    if taken is not None:
        return taken / 2**20
    return machine.peak_memory_mb()


def forget_traces() -> None:
    """Frees memory that TensorFlow would keep for ever of each step that it has traced.

    TensorFlow registers every custom gradient under a new name, together with the whole graph that
    it is in. They are needed only during tracing, but there is no public way to remove them.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        from tensorflow.python.framework import ops

        registered = ops.gradient_registry._registry
        for name in [name for name in registered if name.startswith("CustomGradient-")]:
            del registered[name]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or one that it was raised from, says that the device's memory is full.

    JAX computes while Python goes on: its error comes when a result is looked at, and what a
    failed step should have changed is lost.
    """
    return any(_names_memory(each) for each in _causes(error))


class _Accelerator(NamedTuple):
    """A GPU or TPU; TPUs count as newer than any GPU."""

    platform: str
    name: str
    capability: float


def _backend(device: str) -> str:
    """The backend asked for by KERAS_BACKEND, or the first there is."""
    asked = os.environ.get("KERAS_BACKEND") or ("jax" if device == "tpu" else "")
    if asked and asked not in BACKENDS:
        raise SettingsError(f"KERAS_BACKEND={asked}: choose {' or '.join(BACKENDS)}")
    if device == "tpu" and asked != "jax":
        raise SettingsError(f"--device tpu: needs KERAS_BACKEND=jax, not {asked}")
    for backend in (asked,) if asked else BACKENDS:
        if importlib.util.find_spec(backend):
            return backend
    why = f"KERAS_BACKEND={asked}" if asked else "no backend for Keras"
    raise SettingsError(f"{why}: install {asked or ' or '.join(BACKENDS)} into this environment")


def _choose_gpu(device: str) -> None:
    """Makes one GPU visible, and no other."""
    there = machine.gpus()
    name, _, index = device.partition(":")
    number = int(index or 0)
    if number < len(there):
        os.environ["CUDA_VISIBLE_DEVICES"] = there[number]
    elif name == "gpu":
        raise SettingsError(
            f"--device {device}: NVIDIA GPUs that this machine shows: {len(there)};"
            " use --device auto or cpu"
        )
    if name == "gpu":
        # So that JAX says what is missing and does not train on the processor instead.
        os.environ["JAX_PLATFORMS"] = "cuda,cpu"


def _choose_tpu() -> None:
    if not machine.tpu_chips():
        raise SettingsError("--device tpu: this machine has no TPU; use --device auto or cpu")
    os.environ["JAX_PLATFORMS"] = "tpu,cpu"


def _times() -> str:
    return f" x{parallel()}" if parallel() > 1 else ""


def _gains_by_bfloat16() -> bool:
    import keras

    found = _accelerator()
    if found:
        return found.capability >= _FIRST_BFLOAT16_CAPABILITY
    has_flags = bool(_BFLOAT16_FLAGS & machine.processor_flags())
    return has_flags and keras.backend.backend() == "tensorflow"


def _accelerator() -> _Accelerator | None:
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        found = tf.config.list_physical_devices("GPU")
        if not found:
            return None
        details = tf.config.experimental.get_device_details(found[0])
        major, minor = details.get("compute_capability", (0, 0))
        return _Accelerator("gpu", str(details.get("device_name", "GPU")), major + minor / 10)
    device = _jax_device()
    if device.platform == "cpu":
        return None
    capability = float(getattr(device, "compute_capability", "99"))
    return _Accelerator(device.platform, device.device_kind, capability)


def _peak_of_device() -> int | None:
    """Largest memory of the device in bytes; TensorFlow does not know it for TPUs."""
    import keras

    if not _accelerator():
        return None
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])
    stats = _jax_device().memory_stats() or {}
    return stats.get("peak_bytes_in_use")


def _jax_device() -> Any:
    import jax

    return jax.local_devices()[0]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _names_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    kinds = {kind.__name__ for kind in type(error).__mro__}
    message = str(error).lower()
    return bool(kinds & _BACKEND_ERRORS) and any(words in message for words in _OUT_OF_MEMORY)
