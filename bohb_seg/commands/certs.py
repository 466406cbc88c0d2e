"""``bohb-certs``: a private authority with certificates for master, workers and single workers."""

from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import click

from bohb_seg.commands import command_line
from bohb_seg.rpc import tls
from bohb_seg.rpc.certificates import AUTHORITY_KEY, make, make_worker, revoke
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
@click.option(
    "--worker",
    "workers",
    multiple=True,
    metavar="NAME",
    help="Make a certificate for this worker or machine alone, in DIR/NAME; may be repeated.",
)
@click.option(
    "--revoke",
    "revoked",
    multiple=True,
    metavar="NAME",
    help="Refuse this worker's certificate from now on (worker: the shared one); may be repeated.",
)
@click.option("--keep", is_flag=True, help="Change nothing if DIR holds valid ones already.")
@click.option("--days", default=3650, type=click.IntRange(1, 36_500), show_default=True)
@click.version_option(version("bohb-seg"))
def command(
    folder: Path,
    addresses: tuple[str, ...],
    workers: tuple[str, ...],
    revoked: tuple[str, ...],
    keep: bool,
    days: int,
) -> None:
    """Makes the certificates of a private cluster in the new folder DIR.

    \b
    Example: bohb-certs certificates
             bohb-certs certificates --worker node-7
    """
    for name in revoked:
        _revoke(folder, name)
    if revoked and not workers:
        return
    exists = (folder / AUTHORITY).exists()
    if keep and exists:
        for role in ROLES:
            tls.check(folder, role)
        click.echo(f"kept {folder}: its certificates are valid")
    elif not (workers and exists):
        _make(folder, addresses, days)
    for name in workers:
        _make_worker(folder, name, addresses, days, keep)


def _make(folder: Path, addresses: tuple[str, ...], days: int) -> None:
    make(folder, addresses, days)
    click.echo(
        f"wrote {folder}, valid until {_until(days)}\n\n"
        f"master's machine:   {AUTHORITY} master.pem master.key\n"
        f"  bohb-master --tls {folder} --host ADDRESS\n"
        f"workers' machines:  {AUTHORITY} worker.pem worker.key\n"
        f"  bohb-worker --tls {folder} --host ADDRESS\n\n"
        f"{AUTHORITY_KEY} can issue more: no machine needs it, so keep it where only you can"
        " read it, or delete it."
    )


def _make_worker(
    folder: Path, name: str, addresses: tuple[str, ...], days: int, keep: bool
) -> None:
    if keep and (folder / name / AUTHORITY).exists():
        tls.check(folder / name, "worker")
        click.echo(f"kept {folder / name}: its certificate is valid")
        return
    made = make_worker(folder, name, addresses, days)
    click.echo(
        f"wrote {made}, valid until {_until(days)}; copy it to the machine of {name}\n"
        f"  bohb-worker --tls {name} --host ADDRESS"
    )


def _revoke(folder: Path, name: str) -> None:
    file = revoke(folder, name)
    click.echo(
        f"revoked {name} in {file}; copy it to the folder of the master's --tls if that is"
        " another: a running master reads it at once"
    )


def _until(days: int) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"


def main() -> None:
    """Entry point of ``bohb-certs``."""
    command_line.run(command)


if __name__ == "__main__":
    main()
