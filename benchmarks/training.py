"""Training images per second: our epoch loop beside a bare Keras ``fit`` of the same model.

Both train the reports' U-Net on the same random patches (uint8, sparse labels, same loss and batch)
in the same process, so only the loop differs; bare ``fit`` shuffles for itself. The ways take
turns, each round in another order, so that a change of load hits all alike. Wall-clock ratios are
of the best rounds, as in timeit: what else ran on the machine can only have made a round slower. On
a busy machine without GPU look at images per second of processor time instead, which hardly moves.

    python benchmarks/training.py [--quick]
"""

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Callable

import numpy as np

from bohb_seg import devices
from bohb_seg.recipe import Recipe
from bohb_seg.seeds import epoch_seeds

BATCH, CLASSES = 16, 6
Epoch = Callable[[], object]
Speeds = tuple[list[float], list[float]]
"""Images per second of wall-clock and of processor time, one value per round."""


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a minute instead of several")
    quick = parser.parse_args().quick
    devices.prepare("auto")
    print(f"{devices.describe()}; load {os.getloadavg()[0]:.1f} before")
    print(
        f"{'pixels':>6} {'way':<14} {'images/s':>9} {'median':>7} {'ratio':>6}"
        f" {'images/CPU-s':>14} {'ratio':>6}"
    )
    for edge, patches in ((64, 200 if quick else 400), (256, 24 if quick else 48)):
        table(edge, patches, rounds=3 if quick else 6)
    print(f"load {os.getloadavg()[0]:.1f} after")


def table(edge: int, patches: int, rounds: int) -> None:
    """Measures and prints one patch size."""
    speeds = measure(ways(edge, patches), patches, rounds)
    bare_wall, bare_processor = max(speeds["bare float32"][0]), max(speeds["bare float32"][1])
    for name, (wall, processor) in speeds.items():
        print(
            f"{edge:>6} {name:<14} {max(wall):>9.2f} {statistics.median(wall):>7.2f}"
            f" {max(wall) / bare_wall:>6.3f} {statistics.median(processor):>14.2f}"
            f" {max(processor) / bare_processor:>6.3f}"
        )


def ways(edge: int, patches: int) -> dict[str, Epoch]:
    """What is compared; each trains all patches once."""
    random = np.random.default_rng(0)
    images = random.integers(256, size=(patches, edge, edge, 3), dtype=np.uint8)
    labels = random.integers(CLASSES, size=(patches, edge, edge), dtype=np.uint8)
    return {
        "bare float32": bare(images, labels, "float32"),
        "ours float32": ours(images, labels, "float32"),
        "bare bfloat16": bare(images, labels, "mixed_bfloat16"),
        "ours bfloat16": ours(images, labels, "mixed_bfloat16"),
    }


def measure(epochs: dict[str, Epoch], patches: int, rounds: int) -> dict[str, Speeds]:
    """Images per second of each round; a first round, which traces, does not count."""
    speeds: dict[str, Speeds] = {name: ([], []) for name in epochs}
    names = list(epochs)
    for number in range(rounds + 1):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            wall, processor = time.perf_counter(), time.process_time()
            epochs[name]()
            if number:
                speeds[name][0].append(patches / (time.perf_counter() - wall))
                speeds[name][1].append(patches / (time.process_time() - processor))
    return speeds


def ours(images: np.ndarray, labels: np.ndarray, policy: str) -> Epoch:
    """Our epoch loop."""
    from bohb_seg.training import Training

    training = Training(assignment(len(images), policy), epoch_seeds(0, (0, 0, 0), 0))
    seeds = (epoch_seeds(0, (0, 0, 0), epoch) for epoch in itertools.count(1))
    return lambda: training.epoch(images, labels, next(seeds))


def bare(images: np.ndarray, labels: np.ndarray, policy: str) -> Epoch:
    """Keras alone."""
    import keras

    from bohb_seg import losses

    model = assignment(len(images), policy).build(seed=0)
    model.compile(
        optimizer=keras.optimizers.Adam(Recipe().learning_rate),
        loss=losses.make(Recipe()),
        jit_compile=devices.compiles(),
    )
    return lambda: model.fit(images, labels, batch_size=BATCH, epochs=1, verbose=0)


def assignment(patches: int, policy: str):
    """The reports' U-Net, un-tuned."""
    from bohb_seg.training import Assignment

    return Assignment(
        recipe=Recipe(batch_size=BATCH),
        model="unet",
        classes=CLASSES,
        scaling="unit",
        policy=policy,
        patches=patches,
        horizon=9,
    )


if __name__ == "__main__":
    main()
