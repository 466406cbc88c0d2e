"""Attempts that gave no result, with their reasons."""

from dataclasses import dataclass

from bohb_seg.report.analysis.records import AttemptRecord, RunRecord


@dataclass(frozen=True)
class Failure:
    """An attempt without a result that counts.

    Args:
        reason: Last line of the error, which names it.
        recovered: Whether another attempt gave a result of the same evaluation.
    """

    attempt: AttemptRecord
    reason: str
    recovered: bool


def failures(run: RunRecord) -> tuple[Failure, ...]:
    """Diverged, crashed, lost and late attempts, in order of their start."""
    settled = {each.id for each in run.all_evaluations if each.loss is not None}
    return tuple(
        Failure(each, _reason(each), each.evaluation in settled)
        for each in run.attempts
        if each.fate not in ("finished", "running")
    )


def _reason(attempt: AttemptRecord) -> str:
    """Last line of a traceback, without the module of its error."""
    lines = (attempt.error or "").strip().splitlines()
    return lines[-1].strip().removeprefix("bohb_seg.errors.") if lines else "no reason was given"
