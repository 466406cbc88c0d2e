"""The report of a run, made from its journal and the arrays of its comparison."""

from pathlib import Path


def write_report(run_dir: Path) -> Path:
    """Writes ``report/`` of a run directory and returns the path of ``report.html``.

    Raises:
        SettingsError: ``run_dir`` is no run directory.
        JournalError: its journal is damaged.
    """
    from bohb_seg.report import page

    return page.write(run_dir)
