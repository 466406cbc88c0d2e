"""The end of a master's work: results, model and report.

Each of them stands alone: one that cannot be written keeps no other from being written, and the
exit status tells of it.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from bohb_seg.errors import EXIT_FAILED, EXIT_INCOMPLETE, EXIT_STOPPED_EARLY, BohbSegError
from bohb_seg.master.executor import incumbent_record
from bohb_seg.search.scheduler import Scheduler
from bohb_seg.storage.run_directory import RunDirectory

_LATE: Final = (
    "stopped early, because --hours is over; go on with '%s --hours N', where the N hours are"
    " counted from the beginning of the run"
)

_log = logging.getLogger(__name__)


def conclude(
    directory: RunDirectory, scheduler: Scheduler, is_stopped: bool, failure: str, is_late: bool
) -> int:
    """Writes results and report.

    Args:
        directory: The run directory.
        scheduler: The scheduler of the run.
        is_stopped: Whether the master was told to leave before the run was finished.
        failure: Reason why it left by itself before the run was finished; "" without one.
        is_late: Whether it left because ``--hours`` is over.

    Returns:
        The exit status of the master.
    """
    again = f"bohb-master --resume --run-dir {directory.path}"
    steps: Mapping[str, Callable[[], object]] = {
        "HpBandSter's files": lambda: directory.write_results(incumbent_record(scheduler)),
        "what is left of checkpoints": lambda: _tidy(directory, scheduler),
        "model.keras": directory.keep_model,
        "the report": lambda: _report(directory.path),
    }
    status = max([_do(name, step, again) for name, step in steps.items()])
    if is_stopped and not scheduler.finished:
        _log.warning(_LATE if is_late else "stopped early; go on with '%s'", again)
        return EXIT_STOPPED_EARLY
    if failure and not scheduler.finished:
        _log.error("stopped: %s; mend that, then go on with '%s'", failure, again)
        return EXIT_FAILED
    if status != EXIT_STOPPED_EARLY:
        directory.tell_nameserver(None)
    report = directory.path / "report/report.html"
    if scheduler.progress.incumbent is None:
        why = scheduler.first_failures.message or "no loss was a number"
        _log.error("no evaluation finished (%s); see %s, and start a new run", why, report)
        return max(EXIT_FAILED, status)
    if not status:
        _log.info("done; the report is %s", report)
    return status


def _tidy(directory: RunDirectory, scheduler: Scheduler) -> None:
    if scheduler.finished:
        directory.checkpoints.remove()
    else:
        directory.checkpoints.keep_only(scheduler.live)


def _report(run_dir: Path) -> None:
    from bohb_seg.report import page  # with matplotlib, which is not needed before

    if gaps := page.write(run_dir).gaps:
        raise BohbSegError("; ".join(gaps))


def _do(name: str, step: Callable[[], object], again: str) -> int:
    """Takes one step; if it fails, says what is missing, why, and what to do.

    Returns:
        The exit status that the master has if nothing else is worse.
    """
    try:
        step()
    except OSError as error:
        reason = error.strerror or str(error)
        _log.error("%s cannot be written (%s); mend that, then run '%s'", name, reason, again)
        return EXIT_STOPPED_EARLY
    except Exception as error:  # whatever it is, the rest is to be written
        reason = str(error) if isinstance(error, BohbSegError) else repr(error)
        _log.error("%s is not complete (%s); '%s' tries it again", name, reason, again)
        _log.debug("in full:", exc_info=True)
        return EXIT_INCOMPLETE
    return 0
