"""Section: the workers' time."""

from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.analysis.workers import worker_times
from bohb_seg.report.figures import workers as figures
from bohb_seg.report.sections.section import Section, picture
from bohb_seg.report.tables import workers as tables


def section(run: RunRecord) -> Section:
    """A timeline of every worker."""
    anchor, title = "workers", "Workers"
    found = worker_times(run)
    if not found:
        return Section(anchor, title, empty="No worker has joined yet.")
    shown = picture(
        "timeline",
        figures.timeline(run),
        "Each row is a worker, each block one attempt. Grey between blocks is idle time; white"
        " means that the worker was not there.",
        "Timeline of every worker.",
    )
    lists = (tables.workers(found), tables.timeline(run))
    return Section(anchor, title, pictures=(shown,), tables=lists)
