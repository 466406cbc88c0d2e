"""``bohb-worker --deliver``: brings the results that workers had to leave on this machine."""

import signal

import click

from bohb_seg.errors import EXIT_BAD_INPUT, RunOverError, ServiceError
from bohb_seg.rpc import pyro
from bohb_seg.settings import WorkerSettings
from bohb_seg.worker import run_info
from bohb_seg.worker.delivery import brought, spool_of
from bohb_seg.worker.run_info import RunInfo
from bohb_seg.worker.shutdown import SIGNALS


def run(settings: WorkerSettings) -> int:
    """Offers each result once, and prints a line about it.

    Args:
        settings: Settings of the worker, which tell where its master is.

    Returns:
        The exit status: 0 if nothing is left here, else 2.

    Raises:
        ServiceError: results are left, and the nameserver or a master does not answer.
    """
    for number in SIGNALS:  # there is nothing to hand back, and an early end is no success
        signal.signal(number, signal.SIG_DFL)
    spool = spool_of(settings)
    if spool.is_empty:
        click.echo("no results are left here")
        return 0
    pyro.set_up_pyro(settings.tls, "worker")
    for found in _runs(settings):
        for record, outcome in brought(spool, found):
            click.echo(f"run {found.run_id}: the result of {record.trial} {outcome.said}")
    left = list(spool.left())
    for record, held in left:
        held.release(settled=False)
        click.echo(f"run {record.run_id}: the result of {record.trial} waits in {held.path}")
    if left:
        click.echo("resume the run, or name its master by --host, --port and --tls, and try again")
    return EXIT_BAD_INPUT if left else 0


def _runs(settings: WorkerSettings) -> list[RunInfo]:
    """The runs that are served now."""
    try:
        found = []
        for run_id, dispatcher in run_info.runs(settings, settings.run_id).items():
            with pyro.proxy(dispatcher, of="master") as master:
                found.append(run_info.ask(run_id, master))
    except RunOverError:
        raise
    except pyro.TRANSIENT as error:
        raise ServiceError(
            f"no master answers ({error}), so the results in {settings.cache_dir / 'spool'} stay"
            " there; start it with --resume, or check --host, --port and --tls"
        ) from None
    return found
