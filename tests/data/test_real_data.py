"""What was measured by hand on the Dubai tiles; see test_preparation.py for how it works."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PLACE = Path(
    os.environ.get("BOHB_TEST_DATA")
    or Path(__file__).parents[3] / "shared" / "data" / "dubai-aerial"
)

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(
        not PLACE.is_dir(), reason=f"NOT TESTED: no Dubai data in {PLACE}; set BOHB_TEST_DATA"
    ),
]

PROGRAM = """
import json, sys, time
from bohb_seg import machine
from bohb_seg.data.preparation import prepare
from bohb_seg.settings import DataSettings, merge
started = time.monotonic()
data = prepare(merge(DataSettings, json.loads(sys.argv[1]), environment={}))
peak = machine.peak_memory_mb()
print(json.dumps({
    "seconds": time.monotonic() - started, "peak_mb": peak, "summary": data.summary(),
    "unknown": dict(data.audit.unknown), "palette_masks": data.audit.palette_masks,
    "shape": data.train.shape,
}))
"""


def prepared(**settings):
    """Prepares in a process of its own, so that its peak memory is measured."""
    flags = json.dumps({"data": str(PLACE), **settings})
    done = subprocess.run([sys.executable, "-c", PROGRAM, flags], capture_output=True, check=True)
    found = json.loads(done.stdout)
    print(f"\n{settings}: {found['seconds']:.1f} s, {found['peak_mb']:.0f} MB")
    return found


def test_preset_seed_finds_what_the_reports_found(tmp_path):
    found = prepared(preset="milestone3", cache_dir=str(tmp_path))

    assert found["summary"]["images"] == 72
    assert found["summary"]["patches"] == {"train": 1044, "validation": 261, "test": 0}
    assert found["shape"] == [1044, 256, 256, 3]
    assert found["unknown"] == {"#000000": 552_156}
    assert found["palette_masks"] == 18
    assert found["peak_mb"] < 1000
    print(f"prepared in {found['seconds']:.1f} s, {found['peak_mb']:.0f} MB")


def test_quarter_resolution_is_split_by_tile(tmp_path):
    found = prepared(downscale=4, patch_size=64, cache_dir=str(tmp_path))

    assert sum(found["summary"]["patches"].values()) == 1926
    assert min(found["summary"]["patches"].values()) > 0.1 * 1926
    assert len(found["summary"]["classes"]) == 5
