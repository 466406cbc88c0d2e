"""Arrays of a damaged file are those that were written, or a sentence."""

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bohb_seg.report.analysis import arrays
from bohb_seg.report.analysis.arrays import DamagedArrayError, Form

HELD = {
    "validation": np.arange(64, dtype=np.uint8).reshape(4, 4, 4),
    "train_positive": np.arange(6, dtype=np.int64).reshape(2, 3),
    "sources": np.array(["a/b.png@0,0", "a/b.png@64,0"]),
}
FORMS = {"validation": ("uint8", (4, 4, 4)), "train_positive": ("int64", (2, 3))}
FORMS |= {"sources": ("str", (2,))}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    file = tmp_path_factory.mktemp("arrays") / "predictions.npz"
    np.savez_compressed(file, **HELD)
    return file, file.read_bytes()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(HELD)), st.integers(0, 1 << 16))
def test_a_bit_that_flips_hides_no_array_and_changes_none(written, name, bit):
    file, content = written
    damaged = bytearray(content)
    damaged[bit // 8 % len(damaged)] ^= 1 << bit % 8
    file.write_bytes(damaged)
    with contextlib.suppress(DamagedArrayError):
        assert arrays.names(file) == HELD.keys()
    with contextlib.suppress(DamagedArrayError):
        np.testing.assert_array_equal(arrays.read(file, name, Form(*FORMS[name])), HELD[name])
