"""Flags out of settings; one sentence and status 2 for whatever a user can put right."""

import contextlib
import io
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from helpers.commands import ROOT
from rich.console import Console
from rich.logging import RichHandler

from bohb_seg.commands import command_line
from bohb_seg.errors import EXIT_BAD_INPUT, EXIT_FAULT, DataError, JournalError, SettingsError
from bohb_seg.settings import DataSettings, SearchSettings, WorkerSettings, flag_of, merge

KINDS = [DataSettings, SearchSettings, WorkerSettings]


def flags_of(kind, *words):
    """What a command gets of the words a user types."""
    got = {}

    @click.command("bohb-try")
    @command_line.settings_flags(kind)
    def command(config, **flags):
        got.update(flags, config=config)

    done = CliRunner().invoke(command, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return got


def helps(kind):
    @click.command("bohb-try")
    @command_line.settings_flags(kind)
    def command(config, **flags):
        pass

    return " ".join(CliRunner().invoke(command, ["--help"]).output.split())


@pytest.mark.parametrize("kind", KINDS)
def test_a_flag_that_is_not_given_is_none(kind):
    assert flags_of(kind) == dict.fromkeys([*kind.model_fields, "config"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_is_a_flag_with_its_help(kind):
    text = helps(kind)
    for name, field in kind.model_fields.items():
        assert flag_of(name) in text
        assert "".join(field.description.split()) in "".join(text.split())


def test_flags_reach_the_settings():
    flags = flags_of(SearchSettings, "--n-iterations", "9", "--no-comparison", "--insecure")
    settings = merge(SearchSettings, flags | {"config": None}, None, {})
    assert (settings.n_iterations, settings.comparison, settings.insecure) == (9, False, True)
    assert flags_of(SearchSettings, "--comparison")["comparison"] is True


def test_a_flag_that_may_be_repeated():
    flags = flags_of(SearchSettings, "--warm-start", "a", "--no-continue", "--warm-start", "b")
    settings = merge(SearchSettings, flags | {"config": None}, None, {})
    assert (settings.warm_start, settings.continue_) == ((Path("a"), Path("b")), False)


def test_defaults_and_choices_are_told():
    text = helps(SearchSettings)
    assert "--log-level debug|info|warning|error how much is logged [default: info]" in text
    assert "[default: 9090]" in text
    assert "[default: .]" not in text
    assert "[default: None]" not in text
    assert "[default: ]" not in text


def ends(capsys, body, *words, monkeypatch):
    """Exit status and standard error of a command with this body."""
    command = click.Command("bohb-try", callback=body, params=[click.Option(["--n"], type=int)])
    monkeypatch.setattr("sys.argv", ["bohb-try", *words])
    with pytest.raises(SystemExit) as end:
        command_line.run(command)
    said = capsys.readouterr()
    assert said.out == ""
    return end.value.code, said.err


def raises(error):
    def body(n):
        raise error

    return body


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (SettingsError("--n 1: no"), "bohb-try: --n 1: no\n"),
        (DataError("no data"), "bohb-try: no data\n"),
        (
            JournalError("f", 3, "torn"),
            "bohb-try: f, line 3: torn; restore the file from a copy\n",
        ),
    ],
)
def test_what_a_user_can_put_right_is_one_sentence(capsys, monkeypatch, error, sentence):
    assert ends(capsys, raises(error), monkeypatch=monkeypatch) == (2, sentence)


@pytest.mark.parametrize("words", [["--m", "1"], ["--n", "x"], ["--n"], ["extra"]])
def test_a_wrong_flag_is_one_sentence(capsys, monkeypatch, words):
    status, said = ends(capsys, lambda n: 0, *words, monkeypatch=monkeypatch)
    assert status == 2
    assert said.startswith("bohb-try: ")
    assert said.endswith("; see bohb-try --help\n")
    assert said.count("\n") == 1


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (3, 3)])
def test_a_command_returns_its_status(capsys, monkeypatch, returned, status):
    assert ends(capsys, lambda n: returned, monkeypatch=monkeypatch) == (status, "")


def test_an_interrupted_command_stopped_early(capsys, monkeypatch):
    assert ends(capsys, raises(KeyboardInterrupt()), monkeypatch=monkeypatch)[0] == 3


def test_a_fault_of_our_own_is_loud_and_has_a_status_of_its_own(capsys, monkeypatch):
    """Not 1, which says that nothing works, and for which no service manager tries again."""
    status, said = ends(capsys, raises(ZeroDivisionError("never")), monkeypatch=monkeypatch)
    assert status == EXIT_FAULT == 70
    assert said.startswith("Traceback (most recent call last):\n")
    assert said.endswith("ZeroDivisionError: never\n")


def test_a_fault_that_names_what_came_from_outside_does_nothing_to_a_terminal(capsys, monkeypatch):
    _, said = ends(capsys, raises(ValueError(HOSTILE)), monkeypatch=monkeypatch)
    assert all(line.isprintable() for line in said.splitlines())


@pytest.mark.parametrize("unit", ["bohb-master@.service", "bohb-worker@.service"])
def test_services_are_started_again_after_a_fault_and_not_after_bad_input(unit):
    text = (ROOT / "deploy/systemd" / unit).read_text()
    (prevented,) = re.findall(r"^RestartPreventExitStatus=(.*)$", text, re.MULTILINE)
    assert "Restart=on-failure\n" in text
    assert str(EXIT_FAULT) not in prevented.split()
    assert str(EXIT_BAD_INPUT) in prevented.split()


@contextlib.contextmanager
def logged(level):
    """Logging as a command starts it in its process."""
    root, factory = logging.getLogger(), logging.getLogRecordFactory()
    before = root.level, list(root.handlers)
    root.handlers = []
    try:
        command_line.start_logging(level)
        yield logging.getLogger("bohb_seg.try")
    finally:
        root.level, root.handlers = before
        logging.setLogRecordFactory(factory)


def test_the_log_goes_to_standard_error(capsys):
    with logged("warning") as log:
        log.info("quiet")
        log.warning("loud")
    said = capsys.readouterr()
    assert said.out == ""
    assert "WARNING loud" in said.err
    assert "quiet" not in said.err


HOSTILE = "gone\n12:00:00 INFO    all is well \x1b[2J\x1b]0;title\x07 \udcdf"


def test_text_from_outside_makes_no_line_and_no_escape_in_the_log(capsys):
    with logged("info") as log:
        log.warning("worker %s", HOSTILE)
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            log.exception("told %s", HOSTILE)
    first, *others = capsys.readouterr().err.splitlines()
    assert first.endswith(r"worker gone\n12:00:00 INFO    all is well \x1b[2J\x1b]0;title\x07 \xdf")
    assert others[1] == "    Traceback (most recent call last):"
    assert not [line for line in others if not line.isprintable()]
    assert others[-1].startswith("    12:00:00 INFO    all is well"), "no line looks like another"


def test_nor_in_the_panel_of_a_terminal():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=200)
    with logged("info") as log:
        logging.getLogger().handlers = [RichHandler(console=console, show_path=False)]
        log.warning("worker %s", f"[/x] :boom: {HOSTILE}")
    told = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())
    assert told.count("\n") == 1
    assert r"worker [/x] :boom: gone\n12:00:00 INFO    all is well \x1b[2J" in told
    assert told.strip().isprintable()


def test_a_sentence_is_one_line_whatever_it_names(capsys, monkeypatch):
    for error in (DataError(HOSTILE), click.UsageError(HOSTILE)):
        status, said = ends(capsys, raises(error), monkeypatch=monkeypatch)
        assert status == 2
        assert said.startswith(r"bohb-try: gone\n12:00:00")
        assert said.removesuffix("\n").isprintable()


def test_too_little_memory_is_one_sentence(capsys, monkeypatch):
    @click.command("bohb-greedy")
    def greedy():
        raise MemoryError

    monkeypatch.setattr(sys, "argv", ["bohb-greedy"])
    with pytest.raises(SystemExit) as end:
        command_line.run(greedy)
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said == "bohb-greedy: this machine has not enough memory; free some or give it more\n"


GONE = """
import logging
import click
from bohb_seg.commands import command_line

@click.command("bohb-late")
def command():
    logging.error("into the void")
    return 3

command_line.run(command)
"""


def test_a_terminal_that_is_gone_does_not_change_the_exit_status():
    reader, writer = os.pipe()
    os.close(reader)
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-c", GONE]
    done = subprocess.run(command, stderr=writer, env=usual, check=False, timeout=60)
    os.close(writer)
    assert done.returncode == 3
