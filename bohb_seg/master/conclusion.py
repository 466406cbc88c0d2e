"""The end of a master's work: results, model and report."""

import logging
from pathlib import Path

from bohb_seg.errors import EXIT_FAILED, EXIT_STOPPED_EARLY
from bohb_seg.master.executor import incumbent_record
from bohb_seg.report import write_report
from bohb_seg.search.scheduler import Scheduler
from bohb_seg.storage.run_directory import RunDirectory

_log = logging.getLogger(__name__)


def conclude(
    directory: RunDirectory, scheduler: Scheduler, is_stopped: bool, failure: str = ""
) -> int:
    """Writes results and report.

    Args:
        directory: The run directory.
        scheduler: The scheduler of the run.
        is_stopped: Whether the master was told to leave before the run was finished.
        failure: Reason why it left by itself before the run was finished; "" without one.

    Returns:
        The exit status of the master.
    """
    again = f"bohb-master --resume --run-dir {directory.path}"
    try:
        report = _write(directory, scheduler)
    except OSError as error:
        _log.error(
            "%s cannot be written (%s); make room, then write results and report with '%s'",
            *(directory.path, error.strerror, again),
        )
        return EXIT_STOPPED_EARLY
    if is_stopped:
        _log.warning("stopped early; go on with '%s'", again)
        return EXIT_STOPPED_EARLY
    if failure and not scheduler.finished:
        _log.error("stopped: %s; mend that, then go on with '%s'", failure, again)
        return EXIT_FAILED
    directory.tell_nameserver(None)
    if scheduler.progress.incumbent is None:
        why = scheduler.first_failures.message or "no loss was a number"
        _log.error("no evaluation finished (%s); see %s, and start a new run", why, report)
        return EXIT_FAILED
    _log.info("done; the report is %s", report)
    return 0


def _write(directory: RunDirectory, scheduler: Scheduler) -> Path:
    directory.write_results(incumbent_record(scheduler))
    directory.checkpoints.keep_only(scheduler.live)
    directory.keep_model()
    return write_report(directory.path)
