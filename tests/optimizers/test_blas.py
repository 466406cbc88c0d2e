import subprocess
import sys

from bohb_seg.optimizers import _blas

PROGRAM = """
import numpy, scipy.linalg
from bohb_seg.optimizers import _blas
if {one}:
    _blas.use_one_thread()
print([_blas.named(library, "openblas_get_num_threads")() for library in _blas.libraries()])
"""


def threads(one):
    """Threads of every OpenBLAS in a process of its own that was told of two."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(one=one)],
        env={"OPENBLAS_NUM_THREADS": "2"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_numpy_and_scipy_compute_in_one_thread():
    assert threads(one=False) == "[2, 2]"
    assert threads(one=True) == "[1, 1]"


def test_nothing_happens_where_the_system_does_not_tell(monkeypatch, tmp_path):
    monkeypatch.setattr(_blas, "_MAPPED", tmp_path / "nowhere")
    _blas.use_one_thread()
    assert list(_blas.libraries()) == []
