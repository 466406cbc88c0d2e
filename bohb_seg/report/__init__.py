"""The report of a run, made from its journal and the arrays of its comparison."""

import logging
from pathlib import Path

_log = logging.getLogger(__name__)


def write_report(run_dir: Path) -> Path:
    """Writes ``report/`` of a run directory and returns the path of ``report.html``.

    A part that cannot be made is replaced by a sentence, which is also a warning in the log.

    Raises:
        SettingsError: ``run_dir`` is no run directory.
        JournalError: its journal is damaged.
        OSError: the report cannot be written.
    """
    from bohb_seg.report import page

    written = page.write(run_dir)
    for sentence in written.gaps:
        _log.warning("the report has a gap: %s", sentence)
    return written.page
