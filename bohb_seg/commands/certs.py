"""``bohb-certs``: a private authority with certificates for master, workers and single workers."""

import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import click

from bohb_seg.commands import command_line
from bohb_seg.errors import ServiceError, SettingsError
from bohb_seg.machine import bare_host, is_everywhere
from bohb_seg.rpc import tls
from bohb_seg.rpc.certificates import (
    AUTHORITY_KEY,
    invite,
    make,
    make_worker,
    revoke,
    sign_worker,
)
from bohb_seg.rpc.holders import ROLES
from bohb_seg.rpc.invitations import Invitations, Token
from bohb_seg.rpc.inviting import Door
from bohb_seg.rpc.joining import join
from bohb_seg.rpc.tls import AUTHORITY

MOST_CHARACTERS = 1000
"""Characters of a token from a pipe, at most; it has 180."""


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
@click.option(
    "--invite",
    "invited",
    multiple=True,
    metavar="NAME",
    help="Print a token by which one machine gets a certificate of this name, and wait for it at"
    " --host and --port; may be repeated.",
)
@click.option(
    "--join", "text", metavar="TOKEN", help="Get a certificate by this token (-: from a pipe)."
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address at which invitations wait.",
)
@click.option("--port", default=9091, type=click.IntRange(0, 65535), show_default=True)
@click.option(
    "--hours",
    default=24,
    type=click.FloatRange(0, 1000, min_open=True),
    show_default=True,
    help="Time for which invitations wait.",
)
@click.option("--keep", is_flag=True, help="Change nothing if DIR holds valid ones already.")
@click.option("--days", default=3650, type=click.IntRange(1, 36_500), show_default=True)
@click.version_option(version("bohb-seg"))
def command(
    folder: Path,
    addresses: tuple[str, ...],
    workers: tuple[str, ...],
    revoked: tuple[str, ...],
    invited: tuple[str, ...],
    text: str | None,
    host: str,
    port: int,
    hours: float,
    keep: bool,
    days: int,
) -> None:
    """Makes the certificates of a private cluster in the new folder DIR.

    \b
    Example: bohb-certs certificates
             bohb-certs certificates --worker node-7
             bohb-certs certificates --invite node-7 --host 10.0.0.1
    """
    others = bool(workers or revoked or keep)
    if text is not None and (others or invited or addresses):
        raise SettingsError("--join does nothing else; give only DIR, --host and --port with it")
    if invited and others:
        raise SettingsError("--invite waits; give --worker, --revoke and --keep without it")
    if text is not None:
        _join(folder, text, _bare(host), port)
    elif invited:
        _invite(folder, invited, _bare(host), port, hours, addresses, days)
    else:
        _issue(folder, addresses, workers, revoked, keep, days)


def _issue(
    folder: Path,
    addresses: tuple[str, ...],
    workers: tuple[str, ...],
    revoked: tuple[str, ...],
    keep: bool,
    days: int,
) -> None:
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


def _bare(host: str) -> str:
    try:
        return bare_host(host)
    except ValueError as error:
        raise SettingsError(f"--host {host}: {error}") from None


def _invite(
    folder: Path,
    names: tuple[str, ...],
    host: str,
    port: int,
    hours: float,
    addresses: tuple[str, ...],
    days: int,
) -> None:
    if is_everywhere(host):
        raise SettingsError(
            f"--host {host!r} means all addresses; choose the one at which the new machines reach"
            " this one"
        )
    command_line.start_logging("info")
    authority, *_ = (invite(folder, name) for name in names)
    invitations = Invitations(
        names,
        authority,
        hours * 3600,
        lambda name, key: sign_worker(folder, name, key, addresses, days),
    )
    door = Door(invitations, folder, host, port)
    for name, token in invitations.tokens.items():
        click.echo(f"bohb-certs {name} --host {host} --port {door.port} --join {token.text}")
    click.echo(
        f"\nEach line is for one machine and works once; this waits for {hours:g} h, or until all"
        " have joined"
    )
    door.serve()
    if invitations.missing:
        raise ServiceError(
            f"the invitation of {' and '.join(invitations.missing)} is over, and nobody came; give"
            " more --hours"
        )


def _join(folder: Path, text: str, host: str, port: int) -> None:
    token = Token.read(sys.stdin.readline(MOST_CHARACTERS) if text == "-" else text)
    join(token, folder, host, port)
    until = tls.certificate(folder / "worker.pem").not_valid_after_utc
    click.echo(
        f"wrote {folder}, valid until {until:%Y-%m-%d}\n  bohb-worker --tls {folder} --host ADDRESS"
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
