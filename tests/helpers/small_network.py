"""A small network on small patches, for tests of training."""

from pathlib import Path

import numpy as np

from bohb_seg import plugins
from bohb_seg.data.patch_sets import HeldPatches
from bohb_seg.plugins import hyperparameters
from bohb_seg.training.recipe import parse
from bohb_seg.training.seeds import epoch_seeds

PATCHES, BATCH, EDGE, CLASSES, HORIZON = 10, 4, 16, 3, 9
STEPS = 27  # three batches an epoch, the last one smaller
UNET = hyperparameters.of_model(plugins.file_of("models", "unet"))


def recipe(**configuration):
    return parse(configuration, UNET)


def part(count=PATCHES):
    random = np.random.default_rng(0)
    images = random.integers(256, size=(count, EDGE, EDGE, 3), dtype=np.uint8)
    labels = (images.mean(axis=-1) // 86).astype(np.uint8)
    labels[:, :2] = 255
    return HeldPatches(images, labels, tuple(map(str, range(count))))


def spec(policy="float32", patches=PATCHES, horizon=HORIZON, bands=3, **configuration):
    from bohb_seg.training.trainer import TrainingSpec, architecture

    small = {"batch_size": BATCH, "base_filters": 8, "depth": 1, "dropout": 0.0, "loss": "dice+ce"}
    chosen = recipe(**{**small, **configuration})
    unet = architecture("unet", UNET)
    return TrainingSpec(chosen, unet, CLASSES, policy, patches, horizon, bands)


def trainer(micro=None, seed=0, **configuration):
    from bohb_seg.training.trainer import Trainer

    return Trainer(spec(**configuration), seeds(0, seed), micro)


def seeds(epoch, run=0):
    return epoch_seeds(run, (0, 0, 0), epoch)


def trained(data, micro=None, epochs=1, **configuration):
    """Weights after some epochs, as one vector, and the last epoch's loss."""
    here = trainer(micro, patches=len(data.images), **configuration)
    for epoch in range(1, epochs + 1):
        loss = here.epoch(data, seeds(epoch))
    vector = weights(here)
    here.close()
    return vector, loss


def weights(here):
    return np.concatenate([array.ravel() for array in here.checkpoint(()).weights])


def resident_mb():
    """Memory of this process that is not swapped out."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def averages(here):
    """The averaged weights as one vector."""
    return np.concatenate([array.ravel() for array in here.checkpoint(()).averages])
