"""Evaluations that were trained in micro-batches because memory ran out."""

from dataclasses import dataclass

from bohb_seg.report.analysis.records import AttemptRecord, RunRecord


@dataclass(frozen=True)
class MemoryShortage:
    """An evaluation that was trained in micro-batches.

    Args:
        batch: Patches of a step; None if the configuration has no batch size.
        micro_batch: Patches that were computed at a time.
        device: The device in the worker's words.
        here: Whether memory ran out in this evaluation; else the worker knew what fits.
    """

    attempt: AttemptRecord
    batch: int | None
    micro_batch: int
    device: str
    here: bool


def memory_shortages(run: RunRecord) -> tuple[MemoryShortage, ...]:
    """All such evaluations: first those of the search, then of runoff and comparison."""
    found = [_shortage(each.attempt) for each in run.all_evaluations]
    return tuple(each for each in found if each is not None)


def _shortage(attempt: AttemptRecord) -> MemoryShortage | None:
    micro_batch, batch = attempt.info.get("micro_batch"), attempt.configuration.get("batch_size")
    here = bool(attempt.info.get("micro_batches"))
    batch = batch if isinstance(batch, int) else None
    if not isinstance(micro_batch, int) or not (here or (batch and micro_batch < batch)):
        return None
    device = str(attempt.info.get("device") or "an unnamed device")
    return MemoryShortage(attempt, batch, micro_batch, device, here)
