"""What the run spent and lost: cost, workers' time, failures with their reasons. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from bohb_seg.report.history import Attempt, Evaluation, Run
from bohb_seg.trials import COMPARISON_BRACKET, RUNOFF_BRACKET

WITHOUT_RESULT = ("crashed", "lost", "late")
"""Fates of attempts whose time bought nothing; a diverged one tells the search something."""


@dataclass(frozen=True)
class Cost:
    """What a part of the run cost.

    Args:
        part: ``search``, ``runoff``, ``comparison`` or ``all``.
        epochs: Really trained, by attempts that reported.
        hours: Of workers, summed over all attempts, lost and failed ones included.
        wasted_hours: Of ``hours``, in attempts that gave no result.
        wall_hours: From the first order to the last result.
    """

    part: str
    evaluations: int
    attempts: int
    epochs: float
    hours: float
    wasted_hours: float
    wall_hours: float


def costs(run: Run) -> tuple[Cost, ...]:
    """Cost of the search, of the runoff if there was one, of the comparison and of all."""
    final = [each for each in run.attempts if each.evaluation.trial.bracket == COMPARISON_BRACKET]
    runoff = [each for each in run.attempts if each.evaluation.trial.bracket == RUNOFF_BRACKET]
    search = [each for each in run.attempts if each.evaluation.trial.bracket >= 0]
    return (
        _cost("search", search, run.end),
        *([_cost("runoff", runoff, run.end)] if runoff else []),
        _cost("comparison", final, run.end),
        _cost("all", run.attempts, run.end),
    )


@dataclass(frozen=True)
class WorkerTime:
    """How a worker spent the time it was there, in seconds.

    Args:
        busy: In attempts that gave a result; wasted: in attempts that did not.
        present: Joined and not left; idle: the rest of it.
    """

    worker: str
    attempts: int
    busy: float
    wasted: float
    present: float
    losses: int

    @property
    def idle(self) -> float:
        """Seconds without work."""
        return max(0.0, self.present - self.busy - self.wasted)

    @property
    def busy_share(self) -> float:
        """Share of its presence in attempts that gave a result, 0..1."""
        return min(1.0, self.busy / self.present) if self.present > 0 else 0.0


def worker_times(run: Run) -> tuple[WorkerTime, ...]:
    """Every worker that was ever there or had work, by name."""
    names = {each.worker for each in run.presences} | {each.worker for each in run.attempts}
    return tuple(_worker_time(name, run) for name in sorted(names))


@dataclass(frozen=True)
class Failure:
    """An attempt without a result, and why.

    Args:
        reason: The last line of what was told, which names the error.
        details: All of it.
        recovered: Whether the same evaluation has a result from another attempt.
    """

    attempt: Attempt
    reason: str
    details: str
    recovered: bool


def failures(run: Run) -> tuple[Failure, ...]:
    """Diverged, crashed, lost and late attempts, in order of their start."""
    settled = {each.id for each in _all(run) if each.loss is not None}
    return tuple(
        Failure(each, _reason(each), each.error or "", each.evaluation in settled)
        for each in run.attempts
        if each.fate not in ("finished", "running")
    )


@dataclass(frozen=True)
class Shortage:
    """An evaluation that was trained in micro-batches because memory ran out.

    Args:
        batch: Patches of a step; None if the configuration does not say.
        micro_batch: Patches at once.
        device: In the worker's words.
        here: Whether memory ran out in this evaluation; else the worker knew before what fits.
    """

    attempt: Attempt
    batch: int | None
    micro_batch: int
    device: str
    here: bool


def shortages(run: Run) -> tuple[Shortage, ...]:
    """All of them, the search's first."""
    found = [_shortage(each.attempt) for each in _all(run)]
    return tuple(each for each in found if each is not None)


def _shortage(attempt: Attempt) -> Shortage | None:
    micro_batch, batch = attempt.info.get("micro_batch"), attempt.configuration.get("batch_size")
    here = bool(attempt.info.get("micro_batches"))
    batch = batch if isinstance(batch, int) else None
    if not isinstance(micro_batch, int) or not (here or (batch and micro_batch < batch)):
        return None
    device = str(attempt.info.get("device") or "an unnamed device")
    return Shortage(attempt, batch, micro_batch, device, here)


def _all(run: Run) -> tuple[Evaluation, ...]:
    return (*run.evaluations, *run.runoff, *run.comparison)


def _cost(part: str, attempts: Sequence[Attempt], now: float) -> Cost:
    ends = [each.end or now for each in attempts]
    starts = [each.start for each in attempts]
    return Cost(
        part,
        evaluations=len({each.evaluation for each in attempts}),
        attempts=len(attempts),
        epochs=sum(each.epochs_trained for each in attempts),
        hours=_seconds(attempts, now) / 3600,
        wasted_hours=_seconds([a for a in attempts if a.fate in WITHOUT_RESULT], now) / 3600,
        wall_hours=(max(ends) - min(starts)) / 3600 if attempts else 0.0,
    )


def _worker_time(name: str, run: Run) -> WorkerTime:
    own = [each for each in run.attempts if each.worker == name]
    stays = [each for each in run.presences if each.worker == name]
    return WorkerTime(
        name,
        attempts=len(own),
        busy=_seconds([each for each in own if each.fate not in WITHOUT_RESULT], run.end),
        wasted=_seconds([each for each in own if each.fate in WITHOUT_RESULT], run.end),
        present=sum((each.end or run.end) - each.start for each in stays),
        losses=sum(each.fate == "lost" for each in own),
    )


def _seconds(attempts: Sequence[Attempt], now: float) -> float:
    return sum((each.end or now) - each.start for each in attempts)


def _reason(attempt: Attempt) -> str:
    """The last line of a traceback, without the modules that its error comes from."""
    lines = (attempt.error or "").strip().splitlines()
    return lines[-1].strip().removeprefix("bohb_seg.errors.") if lines else "no reason was given"
