"""A run under chaos beside the same run undisturbed: both must have the same outcome.

``python -m benchmarks.chaos --minutes 10 --workers 8 --seed 1`` first makes a run of that seed
undisturbed, whose units of budget take no time. Then it starts the same run again and, at random
moments, kills, freezes and dismisses workers, starts new ones, cuts hosts off, kills the master and
resumes it, kills the nameserver and starts an empty one, starts a second master beside the first
one, whatever that is doing, or two at once, refuses the master threads and children, moves the run
directory away and back, or until the master ends, fills its disk, and lets the clock jump
(``tests/helpers/storm.py``). The disk is also full just before and just after the last result. At
the end the disturbed run is audited (``tests/helpers/audit.py``), and its trials, losses and
incumbent must be those of the undisturbed run; else the exit status is 1.

All processes are real: nameserver and master on one host, the workers on two others. The hosts are
network namespaces joined by a bridge. Where there can be none, links are not cut, and a line says
so; the same holds for the rest of what not every machine lets us do (``tests/helpers/mishaps.py``).
Draws come from Hyperband, because BOHB's depend on the order in which results happen to come.
"""

import argparse
import dataclasses
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers import accounts, hosts
from helpers.audit import Audit, Outcome, audit
from helpers.cluster import HERE, Cluster, Place
from helpers.mishaps import machine, true_time
from helpers.storm import Storm

from bohb_seg.search import hyperband
from bohb_seg.search.progress import expected

SLEEP = 0.2
"""Seconds that one unit of budget takes."""
HEARTBEAT = 1.0
"""Seconds; so leases last three."""
TALLYING = Path(hosts.__file__).with_name("programs") / "tallying.py"
"""The toy, which also writes down each unit of budget that it trains."""
LADDER = hyperband.Ladder(1, 27)
USE = 0.6
"""Share of the workers' time in which they work, under chaos."""
PATIENCE = 3.0
"""Times the planned duration after which, and one minute more, a run seems to hang."""


def main() -> None:
    """Makes both runs and compares them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10, help="length of the disturbed run")
    parser.add_argument("--seconds", type=float, help="the same in seconds, for a short form")
    parser.add_argument("--workers", type=int, default=8, help="so many are kept alive")
    parser.add_argument("--seed", type=int, default=0, help="of the search and of the chaos")
    parser.add_argument("--keep", type=Path, help="folder for run directories and logs")
    given = parser.parse_args()
    logging.disable()  # the audit's replay would tell again what the run's logs tell
    seconds = given.seconds or 60 * given.minutes
    with tempfile.TemporaryDirectory(prefix="chaos-") as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        equal = compare(folder, seconds, given.workers, given.seed)
    sys.exit(not equal)


def compare(folder: Path, seconds: float, workers: int, seed: int) -> bool:
    """Makes both runs; returns whether they have the same outcome."""
    brackets = brackets_for(seconds * (workers + 1) * USE / SLEEP)  # one more is the master's own
    evaluations, epochs = size(brackets)
    bounds = ("--min-budget", LADDER.min_budget, "--max-budget", LADDER.max_budget)
    search = ("--n-iterations", brackets, "--seed", seed, *bounds)
    print(f"{brackets} brackets, {workers} workers, seed {seed}, load {os.getloadavg()[0]:.1f}")
    calm = undisturbed(Cluster(folder, 0, HEARTBEAT, run_id="calm"), search, workers)
    print(f"undisturbed: {evaluations} evaluations, {SLEEP * epochs:.0f} s of training", flush=True)
    began = time.time()
    with places() as (host, there, network), machine(host, folder) as shaky:
        print(*shaky.missing, sep="\n")
        cluster = Cluster(folder, SLEEP, HEARTBEAT, shaky.place, external=True, run_id="chaos")
        cluster.program = TALLYING
        if shaky.disk:
            cluster.run_dir = shaky.disk.place / cluster.run_id
        try:
            flags = (*search, "--worker", TALLYING)
            storm = Storm(cluster, flags, shaky, there, network, workers, evaluations, seed)
            storm.rage(planned=2 * seconds, longest=PATIENCE * seconds + 60)
            disturbed = audit(cluster.run_dir)
        finally:
            cluster.close()
        twice = accounts.trained_twice(folder / "tally")
    tell(storm, twice, at_true_times(disturbed, began), calm)
    return bool(seen(disturbed.outcome) == seen(calm.outcome))


def size(brackets: int) -> tuple[int, float]:
    """Evaluations of so many brackets, and the epochs that they train in total."""
    return expected(partial(hyperband.bracket, LADDER), brackets, continuing=True)


def brackets_for(epochs: float) -> int:
    """Number of brackets that train so many epochs in total."""
    number = 1
    while size(number)[1] < epochs:
        number += 1
    return number


def at_true_times(run: Audit, began: float) -> Audit:
    """The run without the jumps of its master's clock."""
    return dataclasses.replace(
        run,
        entries=[
            dataclasses.replace(each, time=true_time(each.time, began)) for each in run.entries
        ],
    )


def seen(outcome: Outcome) -> Outcome:
    """The outcome without the seconds that a unit takes, in which the two runs differ."""
    configurations = {
        trial: {name: value for name, value in configuration.items() if name != "sleep"}
        for trial, configuration in outcome.configurations.items()
    }
    return dataclasses.replace(outcome, configurations=configurations)


def undisturbed(cluster: Cluster, search: tuple[object, ...], workers: int) -> Audit:
    """Makes the run without faults, and audits it."""
    try:
        master = cluster.master(*search, "--min-workers", workers)
        for _ in range(workers):
            cluster.worker()
        master.finish(timeout=24 * 3600)
    finally:
        cluster.close()
    return audit(cluster.run_dir)


@contextmanager
def places() -> Iterator[tuple[Place, dict[Place, int], hosts.Network | None]]:
    """Yields the master's host, the workers' hosts with their numbers, and the bridge."""
    if why := hosts.missing():
        print(f"links are not cut: {why}")
        yield HERE, {HERE: 0}, None
        return
    with hosts.hosts(3) as network:
        master, *there = network.places
        yield master, {place: number for number, place in enumerate(there, start=1)}, network


def tell(storm: Storm, twice: int, disturbed: Audit, calm: Audit) -> None:
    """Prints the faults, their consequences, and whether the runs are equal."""
    faults = storm.faults
    found = list(accounts.recoveries(faults, disturbed.entries))
    print("\nfaults, attempts that they hit, and seconds until the evaluation was ordered again:")
    print(accounts.table(faults, found))
    torn = sum(recovery.fault.kind == "kill" for recovery in found)
    print(
        f"\nwork lost: {SLEEP * twice:.0f} s of units trained twice, and of {torn} units that a"
        f" kill tore up to {SLEEP} s each; {len(disturbed.outcome.losses)} evaluations;"
        f" {storm.refused} masters were refused"
    )
    print(f"wall time {duration(disturbed):.0f} s")
    for what in ("configurations", "losses", "best"):
        same = getattr(seen(disturbed.outcome), what) == getattr(seen(calm.outcome), what)
        print(f"{what}: {'equal' if same else 'NOT EQUAL'}")


def duration(run: Audit) -> float:
    """Seconds from the first entry of the journal to the last."""
    return float(run.entries[-1].time - run.entries[0].time)


if __name__ == "__main__":
    main()
