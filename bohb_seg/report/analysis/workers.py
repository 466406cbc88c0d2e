"""Time of the workers: busy, wasted and idle."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bohb_seg.report.analysis.records import AttemptRecord, Presence, RunRecord

WITHOUT_RESULT = ("crashed", "lost", "late")
"""Fates of attempts whose time bought nothing; a diverged one still tells the search something."""


@dataclass(frozen=True)
class WorkerTime:
    """Time of one worker, in seconds.

    Args:
        attempts: Number of attempts that it was given.
        busy: Time in attempts that gave a result.
        wasted: Time in attempts that gave none.
        present: Time between joining and leaving.
        losses: Number of attempts that were lost with it.
    """

    worker: str
    attempts: int
    busy: float
    wasted: float
    present: float
    losses: int

    @property
    def idle(self) -> float:
        """Time without work, in seconds."""
        return max(0.0, self.present - self.busy - self.wasted)

    @property
    def busy_share(self) -> float:
        """Share of its presence in attempts that gave a result, 0..1."""
        return min(1.0, self.busy / self.present) if self.present > 0 else 0.0


def worker_times(run: RunRecord) -> tuple[WorkerTime, ...]:
    """Times of all workers that ever joined or had work, by name."""
    stays: dict[str, list[Presence]] = {}
    for stay in run.presences:
        stays.setdefault(stay.worker, []).append(stay)
    tries: dict[str, list[AttemptRecord]] = {}
    for attempt in run.attempts:
        tries.setdefault(attempt.worker, []).append(attempt)
    return tuple(
        _worker_time(name, tries.get(name, []), stays.get(name, []), run.end)
        for name in sorted({*stays, *tries})
    )


def total_seconds(attempts: Iterable[AttemptRecord], now: float) -> float:
    """Sum of the durations of attempts; ``now`` ends those that still run, in Unix seconds."""
    return sum((each.end or now) - each.start for each in attempts)


def _worker_time(
    name: str, own: Sequence[AttemptRecord], stays: Sequence[Presence], now: float
) -> WorkerTime:
    return WorkerTime(
        name,
        attempts=len(own),
        busy=total_seconds([each for each in own if each.fate not in WITHOUT_RESULT], now),
        wasted=total_seconds([each for each in own if each.fate in WITHOUT_RESULT], now),
        present=sum((each.end or now) - each.start for each in stays),
        losses=sum(each.fate == "lost" for each in own),
    )
