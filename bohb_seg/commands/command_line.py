"""Shared by all commands: flags made from settings, logging, one-sentence errors, exit status."""

import atexit
import contextlib
import logging
import os
import sys
import traceback
import typing
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from textwrap import indent
from typing import Any

import click
from pydantic.fields import FieldInfo

from bohb_seg.errors import (
    EXIT_BAD_INPUT,
    EXIT_FAULT,
    EXIT_STOPPED_EARLY,
    BohbSegError,
    printable,
    printable_lines,
)
from bohb_seg.settings import DataSettings, flag_of


def settings_flags(kind: type[DataSettings]) -> Callable[[Any], Any]:
    """Decorates a click command with a flag per field of ``kind``, ``--config`` and ``--version``.

    Flags that are not given are None.
    """

    def decorate(function: Any) -> Any:
        for name, field in reversed(kind.model_fields.items()):
            function = _flag(name, field)(function)
        file = click.Path(path_type=Path)
        config = click.option("--config", type=file, help="settings file (YAML), same names.")
        return click.version_option(version("bohb-seg"))(config(function))

    return decorate


def run(command: click.Command) -> typing.NoReturn:
    """Runs a command and ends the process with its exit status.

    A :class:`BohbSegError` or a wrong flag is one sentence on standard error and status 2. Another
    error is a fault of ours: its traceback and status 70, for which service managers try again.
    """
    name = command.name or "bohb"
    atexit.register(_let_go_of_broken_streams)
    try:
        sys.exit(command.main(prog_name=name, standalone_mode=False) or 0)
    except BohbSegError as error:
        _fail(name, str(error))
    except click.ClickException as error:
        _fail(name, f"{error.format_message().rstrip('.')}; see {name} --help")
    except MemoryError:
        _fail(name, "this machine has not enough memory; free some or give it more")
    except click.Abort:
        sys.exit(EXIT_STOPPED_EARLY)
    except Exception:
        with contextlib.suppress(OSError):  # a terminal that is gone
            click.echo(printable_lines(traceback.format_exc()), err=True)
        sys.exit(EXIT_FAULT)


def start_logging(level: str) -> None:
    """Sends log lines with time and level to standard error.

    Whatever text from outside is in a message, it stays one line and does nothing to a terminal.

    Args:
        level: The least important level that is logged, e.g. ``"info"``.
    """
    logging.setLogRecordFactory(_LogRecord)
    logging.basicConfig(
        level=level.upper(),
        format="%(asctime)s %(levelname)-7s %(message)s",
        datefmt="%H:%M:%S",
        stream=sys.stderr,
    )


class _LogRecord(logging.LogRecord):
    """A record whose text is harmless, whichever handler shows it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.exc_info:
            trace = printable_lines(logging.Formatter().formatException(self.exc_info))
            self.exc_text = indent(trace, "    ")  # so that no line of it looks like one of ours

    def getMessage(self) -> str:  # noqa: N802 - the library's name
        """The message with its arguments, in one line."""
        return printable(super().getMessage())


def _flag(name: str, field: FieldInfo) -> Callable[[Any], Any]:
    flag = flag_of(name)
    text = f"{field.description}."
    if field.annotation is bool:
        pair = f"{flag}/--no-{flag[2:]}" if field.default else flag
        return click.option(pair, name, is_flag=True, default=None, help=text)
    if typing.get_origin(field.annotation) is tuple:
        return click.option(
            flag, name, metavar="VALUE", multiple=True, callback=_none_if_empty, help=text
        )
    if field.default not in (None, "", Path()):
        text = f"{text[:-1]} [default: {field.default}]."
    if typing.get_origin(field.annotation) is typing.Literal:
        metavar = "|".join(map(str, typing.get_args(field.annotation)))
    else:
        metavar = "VALUE"
    return click.option(flag, name, metavar=metavar, default=None, help=text)


def _none_if_empty(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Makes a flag that may be repeated None if it was not given, so that other sources count."""
    return values or None


def _let_go_of_broken_streams() -> None:
    """Keeps the exit status where the terminal is gone; Python would make it 120."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _fail(name: str, sentence: str) -> typing.NoReturn:
    click.echo(f"{name}: {printable(sentence)}", err=True)
    sys.exit(EXIT_BAD_INPUT)
