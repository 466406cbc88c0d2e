"""``bohb-report``: makes the report of a run directory again."""

from importlib.metadata import version
from pathlib import Path

import click

from bohb_seg.commands import command_line
from bohb_seg.report import write_report

EPILOG = "Example: bohb-report results/20260101-120000"


@click.command(name="bohb-report", epilog=EPILOG)
@click.argument("run_dir", type=click.Path(path_type=Path))
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="How much is logged.",
)
@click.version_option(version("bohb-seg"))
def report(run_dir: Path, log_level: str) -> None:
    """Writes report/report.html, figures and tables of RUN_DIR, also of a live or broken run."""
    command_line.start_logging(log_level)
    click.echo(write_report(run_dir))


def main() -> None:
    """Entry point of ``bohb-report``."""
    command_line.run(report)


if __name__ == "__main__":
    main()
