"""Facts that the simulated workers of a recorded run report."""

import math

import numpy as np

SECONDS_PER_EPOCH = 6.0
DEVICE = "NVIDIA L4"
PATIENCE = 8


def quality(configuration):
    """Distance of a configuration from the best one, 0..1."""
    rate = abs(math.log10(configuration["learning_rate"]) + 2.7) / 2
    shape = {"relu": 0.06, "swish": 0.0, "none": 0.5}[configuration["activation"]]
    return min(1.0, 0.6 * rate + shape + abs(configuration["batch_size"] - 20) / 120)


def curves(configuration, epochs, random):
    """Curves of a training, as ``info["curves"]``."""
    bad = quality(configuration)
    steps = np.arange(1, int(epochs) + 1)
    floor = 0.34 + 0.75 * bad
    loss = (
        floor
        + (1.25 - floor) * np.exp(-steps / (4 + 8 * bad))
        + random.normal(0, 0.012, len(steps))
    )
    train = loss - 0.012 * np.sqrt(steps) + random.normal(0, 0.006, len(steps))
    miou = np.clip(0.95 - 0.62 * loss, 0.08, 1)
    return {
        "epoch": steps.tolist(),
        "train_loss": train.tolist(),
        "validation_loss": loss.tolist(),
        "validation_miou": miou.tolist(),
        "validation_accuracy": np.clip(miou + 0.2, 0, 1).tolist(),
        "learning_rate": [configuration["learning_rate"]] * len(steps),
        "seconds": [SECONDS_PER_EPOCH] * len(steps),
    }


def information(configuration, budget, before, random):
    """What a worker tells of a finished evaluation; large batches do not fit into its memory."""
    its = curves(configuration, budget, random)
    size = configuration["batch_size"]
    info = {
        "epochs": budget,
        "epochs_trained": budget - before,
        "continued_from": before,
        "curves": its,
        "miou": its["validation_miou"][-1],
        "stopped": None,
        "device": DEVICE,
        "micro_batch": size if size < 30 else size // 2,
    }
    if size == 32:
        info["micro_batches"] = {f"{DEVICE} | unet 16 64": 16}
    return its["validation_loss"][-1], info


def collapsed(info):
    """The same, ended after two epochs in which the network was constant."""
    its = {name: values[:2] for name, values in info["curves"].items()}
    its["validation_loss"] = [1.3, 1.3]
    trained = max(0, 2 - info["continued_from"])
    ended = {"epochs": 2, "epochs_trained": trained, "stopped": "collapsed", "miou": 0.07}
    return 1.3, {**info, **ended, "curves": its}


def patient(info):
    """The same, with the weights of the best epoch, and ended so many epochs later."""
    losses = info["curves"]["validation_loss"]
    best = min(range(len(losses)), key=losses.__getitem__) + 1
    last = min(best + PATIENCE, len(losses))
    ended = {
        "epochs": last,
        "epochs_trained": last,
        "best_epoch": best,
        "stopped": "patience" if last < len(losses) else None,
        "curves": {name: values[:last] for name, values in info["curves"].items()},
    }
    return losses[best - 1], {**info, **ended}
