"""Single wrong bits in the files of a run directory, and what the commands make of them.

``python -m benchmarks.flips --flips 1000`` makes real runs: one that is finished, compared and
reported, one that is killed, and one of which HpBandSter's live log alone is left. Then it turns
one bit of one file of a copy, runs a command on the copy as a user would, and judges the outcome;
so many times for each command and each kind of file that the command reads. Which files it reads is
not believed but seen: an audit hook notes what it opens of the files that lay there. What no
command reads can spoil nothing, and is named.

An outcome is *right* if status and files are those of the undamaged run. It is a *sentence* if the
command ends with status 2 and one sentence, and changes nothing. It is a *gap* if a report says
what it lacks, or a model is missing and that is said, and all else is right. It is *mended* if
``--repair`` drops lines and keeps a copy, and the run can be gone on with. All else is *wrong*: a
traceback, an end by a signal, minutes of silence, another result. It is named, and the exit
status is 1.

To start Python and its libraries takes seconds, what the commands do takes less. So all is imported
once, before any thread is started, and each command is a fork: its real entry point with its words
in ``sys.argv``, its exit status, its output. The interpreter's own start and end are left out.
Checkpoints are read by the function by which a training reads them, without a training around it.
"""

import argparse
import importlib
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

from benchmarks.flips import outcomes, runs
from benchmarks.flips.commands import NEW, RUN, Command, execute, files
from benchmarks.flips.outcomes import Expected
from bohb_seg import machine

MASTER = "bohb_seg.commands.master"
HERE = ("--local-workers", "0", "--port", "0", "--cache-dir", "cache", "--heartbeat", "1")
RESUME = ("--resume", "--run-dir", RUN, *HERE)
GO_ON = Command("resume", MASTER, RESUME, serves=RUN)
TO_THE_END = Command("resume", MASTER, RESUME)
REPAIR = Command("repair", MASTER, ("--repair", "--run-dir", RUN))
SEEN_ELSEWHERE = {
    TO_THE_END: (".token", "settings.yaml", "predictions.npz", "validation.npz"),
}
"""Kinds of files that a command reads by code that another command goes through sooner: settings
and token where the killed run is resumed, arrays where the report is made."""
LIBRARIES = ("bohb_seg.report.page",)
"""Modules that commands import late."""


@dataclass(frozen=True)
class Case:
    """One bit of one file of a run directory, and the command that is run then."""

    whole: Path
    command: Command
    file: str
    bit: int

    def __str__(self) -> str:
        return f"{self.command.name} of {self.whole.name}, bit {self.bit} of {self.file}"


def main() -> None:
    """Makes the runs, flips bits, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=1000, help="for each command and kind of file")
    parser.add_argument("--seed", type=int, default=0, help="of the bits that are turned")
    parser.add_argument("--toy", action="store_true", help="runs of the toy, which are made sooner")
    parser.add_argument("--keep", type=Path, help="folder of the two runs; used if they are there")
    parser.add_argument("--only", nargs="*", help="kinds of files, e.g. events.jsonl model.keras")
    parser.add_argument("--processes", type=int, default=machine.processors())
    given = parser.parse_args()
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory(prefix="flips-") as scratch:
        folder = (given.keep or Path(scratch)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        tasks = commands(folder, given.toy)
        for module in (*LIBRARIES, *(each.module for its in tasks.values() for each in its)):
            importlib.import_module(module)
        with ProcessPoolExecutor(given.processes, mp_context=get_context("fork")) as pool:
            wrong = examined(pool, tasks, given)
    sys.exit(wrong > 0)


def commands(folder: Path, toy: bool) -> Mapping[Path, Sequence[Command]]:
    """The runs, made if they are not there, and the commands that a user would run on them."""
    finished, killed = runs.finished(folder, toy), runs.killed(folder, toy)
    begin = ("--warm-start", RUN, "--run-dir", NEW, "--run-id", "new", *runs.flags(toy), *HERE)
    warm_start = Command("warm start", MASTER, begin, serves=NEW)
    return {
        finished: (
            Command("report", "bohb_seg.commands.report", (RUN,)),
            TO_THE_END,
            REPAIR,
            warm_start,
        ),
        runs.log_alone(finished): (warm_start,),
        killed: (
            GO_ON,
            Command(
                *("join", "bohb_seg.commands.worker"),
                ("--check", "--only", "nameserver", "--run-dir", RUN),
                alone=True,
            ),
            Command("train", "benchmarks.flips.trainings", (RUN, str(killed))),
        ),
    }


def examined(
    pool: Executor, tasks: Mapping[Path, Sequence[Command]], given: argparse.Namespace
) -> int:
    """Flips bits of all files that the commands read; returns the number of wrong outcomes."""
    draws, wrong = random.Random(given.seed), 0
    for whole, its in tasks.items():
        unread = set(files(whole))
        for command, (expected, read) in zip(
            its, pool.map(undamaged, repeat(whole), its), strict=True
        ):
            unread -= read
            for kind, names in by_kind(read).items():
                if kind in SEEN_ELSEWHERE.get(command, ()) or kind not in (given.only or [kind]):
                    continue
                cases = [
                    Case(whole, command, name, draws.randrange(8 * (whole / name).stat().st_size))
                    for name in draws.choices(names, k=given.flips)
                ]
                wrong += tell(kind, cases, pool.map(judged, cases, repeat(expected)))
        print(f"{whole.name}: no command reads {', '.join(sorted(by_kind(unread)))}", flush=True)
    return wrong


def tell(kind: str, cases: Sequence[Case], verdicts: Iterable[tuple[str, str]]) -> int:
    """Prints a line of the table, and what is wrong; returns how much that is."""
    started, found = time.monotonic(), list(zip(cases, verdicts, strict=True))
    count = Counter(verdict for _, (verdict, _) in found)
    told = ", ".join(f"{number} {verdict}" for verdict, number in count.most_common())
    first, seconds = cases[0], time.monotonic() - started
    print(
        f"{first.whole.name:<9} {first.command.name:<11} {kind:<16} {told} ({seconds:.0f} s)",
        flush=True,
    )
    for case, (verdict, why) in found:
        if verdict == "wrong":
            print(f"WRONG: {case}: {why}", flush=True)
    return count["wrong"]


def undamaged(whole: Path, command: Command) -> tuple[Expected, frozenset[str]]:
    """Status and outcome of a command on the undamaged run, and the files that it reads."""
    results = []
    for _ in range(2):
        with copied(whole) as place:
            said = execute(command, Path(place))
            results.append((said, outcomes.outcome(Path(place), command)))
    (said, one), (again, other) = results
    if said.status != again.status or said.status is None or "Traceback" in said.text:
        raise RuntimeError(f"{command.name} of {whole} fails without a wrong bit: {said.text}")
    equal = {name: text for name, text in one.items() if other.get(name) == text}
    return Expected(said.status, equal), said.read | again.read


def judged(case: Case, expected: Expected) -> tuple[str, str]:
    """Kind of the outcome of a case, and the reason if it is wrong."""
    with copied(case.whole) as folder:
        place = Path(folder)
        flip(place / RUN / case.file, case.bit)
        before, damaged = outcomes.content(place / RUN), (place / RUN / case.file).read_bytes()
        said = execute(case.command, place)
        untouched = outcomes.content(place / RUN) == before and not (place / NEW).exists()
        if case.command == REPAIR and said.status == 0 and not untouched:
            why = outcomes.why_not_mended(place / RUN, case.whole, damaged)
            why = why or outcomes.why_stuck(execute(GO_ON, place))
            return ("wrong", why) if why else ("mended", "")
        found = outcomes.outcome(place, case.command)
        return outcomes.judgement(said, found, expected, untouched)


def flip(file: Path, bit: int) -> None:
    """Turns one bit of a file."""
    with file.open("r+b") as stream:
        stream.seek(bit // 8)
        byte = stream.read(1)[0]
        stream.seek(bit // 8)
        stream.write(bytes([byte ^ 1 << bit % 8]))


def copied(whole: Path) -> "tempfile.TemporaryDirectory[str]":
    """A folder with a copy of a run directory, and of all that lies beside it."""
    place = tempfile.TemporaryDirectory(prefix="flip-")
    shutil.copytree(whole, Path(place.name, RUN), ignore=shutil.ignore_patterns("report"))
    for beside in ("data", "space.json"):
        Path(place.name, beside).symlink_to(whole.parent / beside)
    return place


def by_kind(names: Iterable[str]) -> dict[str, list[str]]:
    """Files by their kind: their name, or their folder for those that have many."""
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        first, last = Path(name).parts[0], Path(name).name
        many = first in ("report", "logs") or (first == "checkpoints" and last != ".token")
        found.setdefault(first if many else last, []).append(name)
    return found


if __name__ == "__main__":
    main()
