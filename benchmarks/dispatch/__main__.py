"""Our master beside unmodified HpBandSter's, under the same load in the same call.

Both sides get the same space, brackets, worker program and number of worker processes; ours keeps
its journal with fsync, HpBandSter keeps nothing. The sides take turns, each round in another order,
so that a change of load hits both. Nothing is asserted.

    python -m benchmarks.dispatch [--quick] [--parts throughput,latency,...] [--rounds N]
"""

import argparse
import os
import platform
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import psutil

from benchmarks.dispatch.figures import MEASURES, Load, Race, growth
from benchmarks.dispatch.race import ROOT, RaceError, race
from benchmarks.dispatch.resume import resumes

SIDES = "ours", "stock"
COLUMNS = "{:<12}{:<11}{:<42}{:>9}{:>9}{:>7}"
Row = tuple[str, str, Sequence[float], Sequence[float]]
"""Load, measure, and one value per round of ours and of stock's."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Args:
        workers: Of the throughput part.
        evaluations: After warming up, of a throughput round.
        seconds: No watch is longer, except that of the memory part.
        latency: Loads far below what a master can bear: here nothing queues.
        utilisation: Loads, and the seconds for which each is watched.
        marks: Evaluations at which memory is read.
        resume: Optimizers, and the evaluations before the master is killed.
    """

    workers: tuple[int, ...] = (1, 4, 16, 64, 256)
    evaluations: int = 4000
    seconds: float = 30
    latency: tuple[Load, ...] = (Load(1, 0.01), Load(4, 0.05), Load(16, 0.2))
    utilisation: tuple[tuple[Load, float], ...] = ((Load(64, 1), 30), (Load(256, 5), 40))
    marks: tuple[int, ...] = (2000, 5000, 10_000, 20_000)
    resume: tuple[tuple[str, int], ...] = (("hyperband", 2000), ("bohb", 2000))


QUICK = Sizes(
    workers=(16,),
    evaluations=1000,
    seconds=3,
    latency=(Load(4, 0.05),),
    utilisation=((Load(8, 0.5), 3),),
    marks=(200, 500),
    resume=(("bohb", 100),),
)


def main() -> None:
    """Measures the chosen parts and prints their rows."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is cleaned up
    sizes = QUICK if options.quick else Sizes()
    with tempfile.TemporaryDirectory(prefix="dispatch-", dir=options.folder) as folder:
        print(_about(Path(folder)))
        print(COLUMNS.format("part", "load", "measure", "ours", "stock", "ratio") + "  range")
        bench = Bench(sizes, options.rounds or (1 if options.quick else 3), Path(folder), options)
        for part in options.parts:
            for row in PARTS[part](bench):
                _print(part, row)
    print(f"load {os.getloadavg()[0]:.1f} after")


@dataclass(frozen=True)
class Bench:
    """What every part is given."""

    sizes: Sizes
    rounds: int
    folder: Path
    options: argparse.Namespace

    def races(self, load: Load, evaluations: int, seconds: float, rounds: int) -> list[list[Race]]:
        """Races of ours and of stock's; one that failed is told on stderr and left out."""
        load = replace(load, optimizer=self.options.optimizer)
        found: dict[str, list[Race]] = {side: [] for side in SIDES}
        for number in range(rounds):
            for side in SIDES[:: -1 if number % 2 else 1]:
                try:
                    found[side].append(race(side, load, self.folder, evaluations, seconds))
                except (RaceError, psutil.Error) as error:
                    print(error, file=sys.stderr, flush=True)
        return [found[side] for side in SIDES]

    def rows(self, load: Load, seconds: float, measures: Iterable[str]) -> Iterator[Row]:
        """One row for each measure."""
        ours, stock = self.races(load, self.sizes.evaluations, seconds, self.rounds)
        for name in measures:
            measure = MEASURES[name]
            yield str(load), name, [measure(r) for r in ours], [measure(r) for r in stock]


def throughput(bench: Bench) -> Iterator[Row]:
    """An instant objective: as fast as the masters can."""
    measures = [name for name in MEASURES if "computing" not in name]
    for workers in bench.sizes.workers:
        yield from bench.rows(Load(workers), bench.sizes.seconds, measures)


def latency(bench: Bench) -> Iterator[Row]:
    """Few enough evaluations that none waits for another."""
    measures = [name for name in MEASURES if "next job" in name]
    for load in bench.sizes.latency:
        yield from bench.rows(load, bench.sizes.seconds / 3, measures)


def utilisation(bench: Bench) -> Iterator[Row]:
    """Evaluations that last: which share of the workers' time they fill."""
    measures = [name for name in MEASURES if "CPU, ms/evaluation" not in name]
    for load, seconds in bench.sizes.utilisation:
        yield from bench.rows(load, seconds, measures)


def memory(bench: Bench) -> Iterator[Row]:
    """One long run: memory and speed as it grows."""
    marks, load = bench.sizes.marks, Load(16)
    sides = bench.races(load, marks[-1], marks[-1] / 20, rounds=1)
    seen = [{mark: rest for r in races for mark, *rest in growth(r, marks)} for races in sides]
    for index, what in enumerate(("master RSS, MB, after", "evaluations/s up to")):
        for mark in marks:
            ours, stock = ([side[mark][index]] if mark in side else [] for side in seen)
            yield str(load), f"{what} {mark}", ours, stock


def resume(bench: Bench) -> Iterator[Row]:
    """A killed master comes back; there is nothing to compare with."""
    for optimizer, evaluations in bench.sizes.resume:
        try:
            for name, value in resumes(optimizer, evaluations, bench.folder):
                yield optimizer, name, [value], []
        except (RaceError, psutil.Error) as error:
            print(error, file=sys.stderr, flush=True)


PARTS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "throughput": throughput,
    "latency": latency,
    "utilisation": utilisation,
    "memory": memory,
    "resume": resume,
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dispatch", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--quick", action="store_true", help="a minute instead of half an hour")
    parser.add_argument("--parts", type=_parts, default=list(PARTS), help=",".join(PARTS))
    parser.add_argument("--rounds", type=int, help="of each side (default: 3, quick: 1)")
    parser.add_argument("--optimizer", choices=("hyperband", "random"), default="hyperband")
    parser.add_argument("--folder", help="where runs are kept meanwhile: a disk that can fsync")
    return parser.parse_args()


def _parts(text: str) -> list[str]:
    parts = text.split(",")
    if unknown := set(parts) - PARTS.keys():
        raise argparse.ArgumentTypeError(f"no part {min(unknown)}; there are {', '.join(PARTS)}")
    return parts


def _about(folder: Path) -> str:
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    packages = ("bohb-seg", "hpbandster", "Pyro4", "serpent", "ConfigSpace")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{shlex.join(['python', '-m', 'benchmarks.dispatch', *sys.argv[1:]])}\n"
        f"{len(os.sched_getaffinity(0))} cores for masters and workers, load"
        f" {os.getloadavg()[0]:.1f} before; an fsync takes {_fsync_ms(folder):.2f} ms\n"
        f"Python {platform.python_version()}, {versions}, commit {commit or 'unknown'}"
    )


def _fsync_ms(folder: Path) -> float:
    times = []
    with (folder / "fsync").open("wb") as stream:
        for _ in range(50):
            started = time.perf_counter()
            stream.write(bytes(300))
            stream.flush()
            os.fsync(stream.fileno())
            times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def _print(part: str, row: Row) -> None:
    load, measure, ours, stock = row
    ratios = [a / b for a, b in zip(ours, stock, strict=False) if b]
    ratio = f"{statistics.median(ours) / statistics.median(stock):.2f}" if ratios else "-"
    spread = f"  {min(ratios):.2f}-{max(ratios):.2f}" if len(ratios) > 1 else ""
    print(
        COLUMNS.format(part, load, measure, _median(ours), _median(stock), ratio) + spread,
        flush=True,
    )


def _median(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f}" if values else "-"


if __name__ == "__main__":
    main()
