"""Section: attempts without a result, and evaluations in micro-batches."""

from collections.abc import Sequence

from bohb_seg.report.analysis.failures import Failure, failures
from bohb_seg.report.analysis.micro_batches import MemoryShortage, memory_shortages
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.sections.section import Gap, Section, listed, stands_alone
from bohb_seg.report.tables.failures import failures as failure_table
from bohb_seg.report.tables.micro_batches import micro_batches
from bohb_seg.report.tables.table import Table

HEADING = "failures", "Failures and oddities"


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """Failures with their reasons, and shortages of memory."""
    found, shortages = failures(run), memory_shortages(run)
    tables: list[Table | Gap] = []
    if found:
        tables.append(listed("failures", lambda: failure_table(run, found)))
    if shortages:
        tables.append(listed("micro_batches", lambda: micro_batches(run, shortages)))
    sentences = (_outcome(run, found), *_memory(shortages))
    return Section(*HEADING, sentences, tables=tuple(tables))


def _outcome(run: RunRecord, found: Sequence[Failure]) -> str:
    if not found:
        return "Every attempt that ended gave a result."
    recovered = sum(each.recovered for each in found)
    diverged = sum(each.attempt.fate == "diverged" for each in found)
    remaining = sum(not each.recovered and each.attempt.fate != "diverged" for each in found)
    return (
        f"{len(found)} of {len(run.attempts)} attempts gave no result that counts: {recovered} were"
        f" made good by another attempt, {diverged} diverged, which marks a bad configuration, and"
        f" {remaining} remain without a result."
    )


def _memory(shortages: Sequence[MemoryShortage]) -> tuple[str, ...]:
    if not shortages:
        return ()
    which = "evaluation was" if len(shortages) == 1 else "evaluations were"
    return (
        f"{len(shortages)} {which} trained in micro-batches because the memory of the device ran"
        " out. The gradients of a batch's parts are added up, so its size stays what the"
        " configuration says.",
    )
