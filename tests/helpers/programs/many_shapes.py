"""Trains one network of each of 24 shapes and prints the resident memory after each, in MB.

Started by test_compile_cache.py in a process of its own.
"""

import itertools
import sys
from pathlib import Path

from bohb_seg.training import devices

devices.prepare("cpu", threads=2)
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np  # noqa: E402
from helpers import small_network as small  # noqa: E402

from bohb_seg.data.patch_sets import HeldPatches  # noqa: E402
from bohb_seg.training.graph import compile_cache  # noqa: E402

EDGE, PATCHES = 32, 6
FILTERS = (8, 16, 24, 32)
KINDS = tuple(itertools.product(("relu", "swish", "tanh"), ("none", "group")))


def main():
    compile_cache.KEPT = 2
    random = np.random.default_rng(0)
    images = random.integers(256, size=(PATCHES, EDGE, EDGE, 3), dtype=np.uint8)
    part = HeldPatches(images, images[..., 0] // 86, tuple(map(str, range(PATCHES))))
    for filters, (activation, norm) in itertools.product(FILTERS, KINDS):
        evaluate({"base_filters": filters, "activation": activation, "norm": norm}, part)
        print(f"{small.resident_mb():.0f}", flush=True)


def evaluate(configuration, part):
    recipe = {"dropout": 0.2, "loss": "reports", "augmentation": 0.5, **configuration}
    trainer = small.trainer(patches=PATCHES, horizon=1, **recipe)
    trainer.epoch(part, small.seeds(1))
    trainer.score(part)
    trainer.close()


if __name__ == "__main__":
    main()
