"""Time of the workers: busy, wasted and idle."""

from collections.abc import Iterable
from dataclasses import dataclass

from bohb_seg.report.analysis.records import AttemptRecord, RunRecord

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
    names = {each.worker for each in run.presences} | {each.worker for each in run.attempts}
    return tuple(_worker_time(name, run) for name in sorted(names))


def total_seconds(attempts: Iterable[AttemptRecord], now: float) -> float:
    """Sum of the durations of attempts; ``now`` ends those that still run, in Unix seconds."""
    return sum((each.end or now) - each.start for each in attempts)


def _worker_time(name: str, run: RunRecord) -> WorkerTime:
    own = [each for each in run.attempts if each.worker == name]
    stays = [each for each in run.presences if each.worker == name]
    return WorkerTime(
        name,
        attempts=len(own),
        busy=total_seconds([each for each in own if each.fate not in WITHOUT_RESULT], run.end),
        wasted=total_seconds([each for each in own if each.fate in WITHOUT_RESULT], run.end),
        present=sum((each.end or run.end) - each.start for each in stays),
        losses=sum(each.fate == "lost" for each in own),
    )
