"""Batches from the store on disk beside the same from memory, and what processes share.

One image of EDGE x EDGE pixels is made strip by strip and stored. Then batches of 16 random windows
are read, in turns: as the trainer takes them from arrays, from the store, and from the store by the
thread that reads ahead. At last two processes read the same windows one after the other.

    nice -n 19 python -m benchmarks.store [--edge 20000] [--folder DIR]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bohb_seg.data.store import windows
from bohb_seg.data.store.arrays import TILE, Store, Strip, building
from bohb_seg.data.store.batches import ahead
from bohb_seg.machine import peak_memory_mb

BATCH = 16
MOST_MB = 128
"""Memory for the windows that are compared, so that the arrays beside them fit anywhere."""
ROUNDS = 3
PROCESS = "import sys; from benchmarks.store import read_all; read_all(*sys.argv[1:])"


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edge", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, help="keeps the store there")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 256])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (chosen.folder or Path(temporary)) / f"{chosen.edge}"
        store = Store.open(folder) or build(folder, chosen.edge)
        print("| batches/s of | arrays | store | store, read ahead | processor time |")
        print("|---|---|---|---|---|")
        for size in chosen.sizes:
            compare(store, size)
        for which in ("first", "second"):
            print(f"{which} process: {process(folder, max(chosen.sizes))}")


def build(folder: Path, edge: int) -> Store:
    """Makes the store; prints how long that takes and how much memory."""
    started = time.perf_counter()
    with building(folder) as writer:
        writer.add(0, (edge, edge, 3), "uint8", strips(edge))
    seconds = time.perf_counter() - started
    print(f"built {edge}^2 in {seconds:.0f} s, peak {peak_memory_mb():.0f} MB\n")
    store = Store.open(folder)
    assert store
    return store


def strips(edge: int) -> Iterator[Strip]:
    """Noise that is shifted from strip to strip, and squares of six classes."""
    noise = np.random.default_rng(0).integers(0, 256, (TILE, edge, 3), np.uint8)
    for top in range(0, edge, TILE):
        rows = np.arange(top, min(edge, top + TILE))
        labels = np.add.outer(rows, np.arange(edge)) // 500 % 6
        yield np.roll(noise, top, axis=1)[: len(rows)], labels.astype(np.uint8)


def compare(store: Store, size: int) -> None:
    """Prints batches per second of the three ways, medians of rounds in turns."""
    some = chosen_windows(store, size)
    order = np.arange(len(some))
    images, labels = some.read(order)
    ways: list[Callable[[], Iterator[Strip]]] = [
        lambda: (
            (images[order[i : i + BATCH]], labels[order[i : i + BATCH]])
            for i in range(0, len(order), BATCH)
        ),
        lambda: batches(some, order),
        lambda: ahead(batches(some, order)),
    ]
    rounds = [[measured(way()) for way in ways] for _ in range(ROUNDS)]
    rates, processor_ms = np.median(rounds, axis=0).T
    cells = " | ".join(f"{each:.0f}" for each in rates)
    print(f"| {size} px | {cells} | {processor_ms[1]:.2f} ms a batch from the store |")


def batches(some: windows.Windows, order: windows.Numbers) -> Iterator[Strip]:
    """Reads windows in an order."""
    for start in range(0, len(order), BATCH):
        yield some.read(order[start : start + BATCH])


def chosen_windows(store: Store, size: int) -> windows.Windows:
    """Random windows of at most MOST_MB."""
    layout, random = store.layouts[0], np.random.default_rng(size)
    count = MOST_MB * 1_000_000 // (4 * size**2)
    rows = random.integers(0, layout.height - size + 1, count)
    columns = random.integers(0, layout.width - size + 1, count)
    return windows.at(store, size, np.stack([np.zeros_like(rows), rows, columns], axis=1))


def measured(source: Iterator[Strip]) -> tuple[float, float]:
    """Batches in a second, and processor time of a batch in ms."""
    started, used = time.perf_counter(), time.process_time()
    count = sum(1 for _ in source)
    used = time.process_time() - used
    return count / (time.perf_counter() - started), 1000 * used / count


def process(folder: Path, size: int) -> str:
    """Reads in a process of its own; returns what it took."""
    command = [sys.executable, "-c", PROCESS, str(folder), str(size)]
    facts = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return ", ".join(f"{name} {value:.0f} MB" for name, value in facts.items())


def read_all(folder: str, size: str) -> None:
    """Reads all windows in batches; prints this process's memory before and after."""
    before = peak_memory_mb()
    store = Store.open(Path(folder))
    assert store
    some = windows.laid(store, int(size))
    for _ in ahead(batches(some, np.random.default_rng(0).permutation(len(some)))):
        pass
    facts = {"before": before, "peak": peak_memory_mb(), "proportional": proportional_mb()}
    print(json.dumps(facts))


def proportional_mb() -> float:
    """Memory of this process, of which pages that several share count in parts."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    main()
