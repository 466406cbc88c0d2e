"""Trains one batch in parts of as many patches as the argument says (0: whole), and prints by how
many MB memory grew at most.

Started by test_compiled_model.py in a process of its own.
"""

import sys
from pathlib import Path

from bohb_seg.training import devices

devices.prepare("cpu", threads=2)
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np  # noqa: E402
from helpers import small_network as small  # noqa: E402

from bohb_seg.data.patch_sets import HeldPatches  # noqa: E402

PATCHES, EDGE = 16, 128


def main():
    here = small.trainer(
        int(sys.argv[1]) or None, patches=PATCHES, batch_size=PATCHES, depth=2, base_filters=16
    )
    images = np.zeros((PATCHES, EDGE, EDGE, 3), np.uint8)
    before = small.resident_mb()
    patches = HeldPatches(images, images[..., 0], ("",) * PATCHES)
    here.epoch(patches, small.seeds(1))
    print(round(peak_mb() - before))


def peak_mb():
    """Not ru_maxrss, which begins with what the process had that started this one."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
