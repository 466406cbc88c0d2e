"""Consequences of each fault, by the times in the journal.

At the moment of a fault its workers were at attempts. Each attempt was either *handed on* (the
evaluation was ordered again), or *kept*: the worker delivered the result itself, because the fault
was over before the worker's lease, or because the fault hit the master and the worker went on.
"""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bohb_seg.search.events import Evaluate, Evaluated, Settled
from bohb_seg.storage.journal_entries import Entry
from bohb_seg.trials import Attempt, EvaluationId


@dataclass(frozen=True)
class Fault:
    """A fault that hit a run.

    Args:
        kind: Name in the table.
        time: Unix time in seconds.
        workers: Names of the workers that were hit.
    """

    kind: str
    time: float
    workers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recovery:
    """Consequence of a fault for one attempt.

    Args:
        fault: The fault that hit the attempt.
        seconds: Seconds until the evaluation was ordered again; None: that was not necessary.
    """

    fault: Fault
    seconds: float | None


@dataclass
class _Life:
    """One evaluation: when each attempt was ordered and ended, and when it was settled."""

    ordered: dict[int, tuple[float, str]] = field(default_factory=dict)
    ended: dict[int, float] = field(default_factory=dict)
    settled: float = float("inf")

    def at_stake(self, fault: Fault) -> int | None:
        """The attempt that ran when the fault came, if it ran on one of the fault's workers."""
        begun = [number for number, (time, _) in self.ordered.items() if time <= fault.time]
        if not begun or self.settled <= fault.time:
            return None
        latest = max(begun)
        hit = self.ordered[latest][1] in fault.workers
        return latest if hit and self.ended.get(latest, float("inf")) > fault.time else None


def recoveries(faults: Iterable[Fault], entries: Sequence[Entry]) -> Iterator[Recovery]:
    """Consequences of the faults for all attempts that they hit."""
    lives = _lives(entries)
    for fault in faults:
        for life in lives.values():
            attempt = life.at_stake(fault)
            if attempt is not None:
                next_time = life.ordered.get(attempt + 1, (None, ""))[0]
                yield Recovery(fault, next_time and next_time - fault.time)


def table(faults: Sequence[Fault], found: Sequence[Recovery]) -> str:
    """One line per kind of fault, and one for all."""
    lines = [
        f"{'':16}{'faults':>8}{'hit':>8}{'kept':>8}{'handed on':>11}{'median s':>10}{'worst s':>9}"
    ]
    for kind in [*sorted({fault.kind for fault in faults}), "all"]:
        count = sum(kind in (fault.kind, "all") for fault in faults)
        hit = [r.seconds for r in found if kind in (r.fault.kind, "all")]
        times = [seconds for seconds in hit if seconds is not None]
        median = f"{statistics.median(times):.2f}" if times else "-"
        worst = f"{max(times):.2f}" if times else "-"
        cells = f"{count:8}{len(hit):8}{len(hit) - len(times):8}{len(times):11}"
        lines.append(f"{kind:16}{cells}{median:>10}{worst:>9}")
    return "\n".join(lines)


def trained_twice(tally: Path) -> int:
    """Units of budget that were trained more than once, by the book of ``tallying.py``."""
    units = tally.read_text().splitlines()
    return len(units) - len(set(units))


def _lives(entries: Sequence[Entry]) -> dict[EvaluationId, _Life]:
    lives: dict[EvaluationId, _Life] = {}
    for entry in entries:
        match entry.event:
            case Evaluate() as order:
                life = lives.setdefault(order.evaluation, _Life())
                life.ordered[order.attempt] = entry.time, order.worker
            case Evaluated() as news:
                attempt = Attempt(news.evaluation, news.attempt)
                lives[attempt.evaluation].ended.setdefault(attempt.number, entry.time)
            case Settled() as order:
                lives[order.evaluation].settled = entry.time
    return lives
