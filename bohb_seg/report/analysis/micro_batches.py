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
    info, size = attempt.info, attempt.configuration.get("batch_size")
    batch, here = size if isinstance(size, int) else None, bool(info.micro_batches)
    if info.micro_batch is None or not (here or (batch and info.micro_batch < batch)):
        return None
    device = info.device or "an unnamed device"
    return MemoryShortage(attempt, batch, info.micro_batch, device, here)
