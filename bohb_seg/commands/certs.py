"""``bohb-certs``: a private authority with certificates for the master and all workers."""

from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import click

from bohb_seg.commands import command_line
from bohb_seg.rpc import tls
from bohb_seg.rpc.certificates import AUTHORITY_KEY, make
from bohb_seg.rpc.tls import AUTHORITY, ROLES


@click.command("bohb-certs")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--address",
    "addresses",
    multiple=True,
    metavar="HOST_OR_IP",
    help="Name or address of a machine; only for HpBandSter's own programs, may be repeated.",
)
@click.option("--keep", is_flag=True, help="Change nothing if DIR holds valid ones already.")
@click.option("--days", default=3650, type=click.IntRange(1, 36_500), show_default=True)
@click.version_option(version("bohb-seg"))
def command(folder: Path, addresses: tuple[str, ...], keep: bool, days: int) -> None:
    """Makes the certificates of a private cluster in the new folder DIR.

    \b
    Example: bohb-certs certificates
    """
    if keep and (folder / AUTHORITY).exists():
        for role in ROLES:
            tls.check(folder, role)
        click.echo(f"kept {folder}: its certificates are valid")
        return
    make(folder, addresses, days)
    until = datetime.now(UTC) + timedelta(days=days)
    click.echo(
        f"wrote {folder}, valid until {until:%Y-%m-%d}\n\n"
        f"master's machine:   {AUTHORITY} master.pem master.key\n"
        f"  bohb-master --tls {folder} --host ADDRESS\n"
        f"workers' machines:  {AUTHORITY} worker.pem worker.key\n"
        f"  bohb-worker --tls {folder} --host ADDRESS\n\n"
        f"{AUTHORITY_KEY} can issue more: no machine needs it, so keep it where only you can"
        " read it, or delete it."
    )


def main() -> None:
    """Entry point of ``bohb-certs``."""
    command_line.run(command)


if __name__ == "__main__":
    main()
