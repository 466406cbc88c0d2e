"""``bohb-master``: checks its settings, then searches, compares and reports."""

import contextlib
import logging
from pathlib import Path
from typing import NoReturn

import click

from bohb_seg import machine
from bohb_seg.commands import command_line
from bohb_seg.dashboard.launcher import Dashboard
from bohb_seg.errors import SettingsError
from bohb_seg.master import plugin_check
from bohb_seg.master.lifecycle import Master
from bohb_seg.rpc import pyro
from bohb_seg.settings import SearchSettings, flag_of, merge
from bohb_seg.storage import repair, resume
from bohb_seg.storage.journal_entries import Entry

_log = logging.getLogger(__name__)


@click.command("bohb-master")
@command_line.settings_flags(SearchSettings)
def command(config: Path | None, **flags: object) -> int:
    """Search for the best training recipe, retrain it beside the default, and report.

    Example: bohb-master --n-iterations 4 --data /data/aerial
    """
    settings = merge(SearchSettings, flags, config)
    command_line.start_logging(settings.log_level)
    if settings.repair:
        _repair(settings)
        if not settings.resume:
            return 0
    _refuse_contradictions(settings)
    with contextlib.ExitStack() as closing:
        journal, past = None, list[Entry]()
        if settings.resume or (settings.restartable and resume.holds_run(settings.run_dir)):
            journal = closing.enter_context(contextlib.closing(resume.opened(settings)))
            past = resume.past(journal)
            settings = resume.resumed(settings, flags, past)
        else:
            resume.refuse_used(settings.run_dir)
        _refuse_strangers(settings)
        pyro.set_up_pyro(settings.tls, "master")
        plugin_check.check_plugins(settings)
        if not past:
            plugin_check.check_new_run(settings)
        dashboard = closing.enter_context(Dashboard(settings))
        return Master(settings, past, journal).run(dashboard)


def main() -> NoReturn:
    """Entry point of ``bohb-master``."""
    command_line.run(command)


def _repair(settings: SearchSettings) -> None:
    with contextlib.closing(resume.opened(settings)) as journal:
        repair.repair(journal)
    if not settings.resume:
        _log.info("go on with 'bohb-master --resume --run-dir %s'", settings.run_dir)


def _refuse_contradictions(settings: SearchSettings) -> None:
    if settings.plan and settings.resume:
        raise SettingsError(
            "--plan shows what a new run would do and --resume goes on with one; give one of them"
        )
    finals = [name for name in sorted(settings.model_fields_set) if name.startswith("final_")]
    if finals and not settings.comparison:
        raise SettingsError(
            f"--no-comparison leaves out runoff and comparison, which {flag_of(finals[0])} is for;"
            " give one of them"
        )


def _refuse_strangers(settings: SearchSettings) -> None:
    if machine.is_everywhere(settings.host):
        raise SettingsError(
            f"--host {settings.host} is no address that workers could call; give the one by which"
            " they reach this machine, e.g. its name"
        )
    hosts = [settings.host]
    if settings.nameserver:
        hosts.append(machine.split_location(settings.nameserver)[0])
    if settings.tls or all(map(machine.is_loopback, hosts)):
        return
    if not settings.insecure:
        raise SettingsError(
            f"--host {settings.host} can be reached from other machines and nothing is encrypted;"
            " make certificates with 'bohb-certs DIR' and add --tls DIR, or add --insecure if"
            " everybody on that network may stop and feed this run"
        )
    _log.warning("--insecure: everybody who reaches %s can stop and feed this run", settings.host)


if __name__ == "__main__":
    main()
