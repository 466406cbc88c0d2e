"""Section: the workers' time."""

from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.analysis.workers import worker_times
from bohb_seg.report.figures import workers as figures
from bohb_seg.report.sections.section import Section, listed, picture, stands_alone
from bohb_seg.report.tables import workers as tables

HEADING = "workers", "Workers"


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """A timeline of every worker."""
    found = worker_times(run)
    if not found:
        return Section(*HEADING, empty="No worker has joined yet.")
    shown = picture(
        "timeline",
        lambda: figures.timeline(run),
        "Each row is a worker, each block one attempt. Grey between blocks is idle time; white"
        " means that the worker was not there.",
        "Timeline of every worker.",
    )
    lists = (
        listed("workers", lambda: tables.workers(found)),
        listed("timeline", lambda: tables.timeline(run)),
    )
    return Section(*HEADING, pictures=(shown,), tables=lists)
