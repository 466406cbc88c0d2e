"""The number of threads in which NumPy and SciPy multiply matrices.

Their OpenBLAS takes a thread per processor and lets them spin while they wait for each other. The
matrices of a process are small, and the processors are busy with training: there a suggestion took
thirty times as long with two threads as with one. Another number of threads also rounds otherwise,
so a run would not repeat itself on another machine.

A variable of the environment would have to be set before NumPy is imported, and workers would
inherit it. Source of the names: threadpoolctl 3.6.
"""

import ctypes
from collections.abc import Iterator
from pathlib import Path

_MAPPED = Path("/proc/self/maps")
_PREFIXES, _SUFFIXES = ("scipy_", ""), ("64_", "", "_64")


def use_one_thread() -> None:
    """Lets this process compute in one thread; does nothing where no OpenBLAS is found."""
    for library in libraries():
        if setter := named(library, "openblas_set_num_threads"):
            setter(1)


def libraries() -> Iterator[ctypes.CDLL]:
    """Every OpenBLAS in this process; none where the system does not tell (Linux does)."""
    mapped = _MAPPED.read_text().splitlines() if _MAPPED.exists() else []
    paths = {line.split(maxsplit=5)[-1] for line in mapped if "openblas" in line}
    return (ctypes.CDLL(path) for path in sorted(paths))


def named(library: ctypes.CDLL, name: str) -> "ctypes._NamedFuncPointer | None":
    """A function of an OpenBLAS, whose builds give it different names."""
    names = (f"{prefix}{name}{suffix}" for prefix in _PREFIXES for suffix in _SUFFIXES)
    return next((getattr(library, each) for each in names if hasattr(library, each)), None)
