"""``bohb-report``: makes the report of a run directory again."""

from importlib.metadata import version
from pathlib import Path

import click

from bohb_seg.commands import command_line
from bohb_seg.errors import EXIT_INCOMPLETE, BohbSegError, printable
from bohb_seg.report import page

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
def report(run_dir: Path, log_level: str) -> int:
    """Writes report/report.html, figures and tables of RUN_DIR, also of a live or broken run.

    Ends with status 1 if a part could not be made; the page then says why in its place.
    """
    command_line.start_logging(log_level)
    try:
        written = page.write(run_dir)
    except OSError as error:
        place = error.filename or run_dir
        raise BohbSegError(
            f"{place}: {error.strerror}; make room, or give this user the right to read and write"
            " there"
        ) from None
    for sentence in written.gaps:
        click.echo(f"bohb-report: {sentence}", err=True)
    click.echo(printable(str(written.page)))
    return EXIT_INCOMPLETE if written.gaps else 0


def main() -> None:
    """Entry point of ``bohb-report``."""
    command_line.run(report)


if __name__ == "__main__":
    main()
