"""Commands as forks of one process that has imported everything, and what each of them read."""

import contextlib
import ctypes
import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from bohb_seg.errors import EXIT_BAD_INPUT
from bohb_seg.rpc.names import NAMESERVER_FILE

PATIENCE = 150.0
"""Seconds after which a command counts as hanging."""
LOOK = 0.02
"""Seconds between two looks at a command."""
RUN, NEW = "run", "new"
"""Names of the damaged run directory, and of the one that a command begins."""
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
"""Linux' ``CLONE_NEWUSER`` and ``CLONE_NEWNET``."""


@dataclass(frozen=True)
class Command:
    """A command that is run beside a run directory.

    Args:
        name: Word for it in the table.
        module: Module with its entry point ``main``.
        words: Its arguments.
        serves: Run directory in which it serves until it is killed, which happens as soon as it
            has told there that it serves; "" if it ends by itself.
        alone: Whether it gets a network of its own, so that it calls nobody at a damaged address.
    """

    name: str
    module: str
    words: tuple[str, ...]
    serves: str = ""
    alone: bool = False


@dataclass(frozen=True)
class Said:
    """End of a command.

    Args:
        status: Exit status, negative after a signal; None if it had to be killed.
        text: What it printed.
        read: Files of the run directory that it read as they lay there, by their relative names.
    """

    status: int | None
    text: str
    read: frozenset[str]

    @property
    def is_sentence(self) -> bool:
        """Whether it refused its input in one sentence."""
        last = (self.text.strip().splitlines() or [""])[-1]
        return self.status == EXIT_BAD_INPUT and last.startswith(("bohb-", "not ready: "))


def files(folder: Path) -> dict[str, Path]:
    """All files below a folder by their relative names."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path for path in found}


def execute(command: Command, place: Path) -> Said:
    """Runs a command in a folder, which holds the run directory, to its end."""
    its = files(place / RUN)
    lying = {path.stat().st_ino: name for name, path in its.items()}
    served = place / command.serves / NAMESERVER_FILE if command.serves else None
    before = _inode(served)
    with contextlib.ExitStack() as open_:  # so that no new file gets the number of a replaced one
        for path in its.values():
            open_.enter_context(path.open("rb"))
        child = os.fork()
        if not child:
            _become(command, place, lying)
        status = _ended(child, served, before)
    read = (place / "read").read_text().split("\n")
    return Said(status, (place / "said").read_text(errors="replace"), frozenset(read) - {""})


def _ended(child: int, served: Path | None, before: int) -> int | None:
    """Waits for the end; kills a command that serves."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if served and _inode(served) != before:
            served = None
            os.killpg(child, signal.SIGKILL)
        time.sleep(LOOK)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _inode(file: Path | None) -> int:
    with contextlib.suppress(OSError):
        return file.stat().st_ino if file else 0
    return 0


def _become(command: Command, place: Path, lying: Mapping[int, str]) -> NoReturn:
    """Makes this fork the command, and ends with its exit status."""
    status = 1
    try:
        os.setpgid(0, 0)
        os.chdir(place)
        with open("said", "w", buffering=1) as said, open("read", "w", buffering=1) as read:  # noqa: PTH123
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
                os.dup2(said.fileno(), stream.fileno())
            if command.alone:
                _leave_network()
            sys.addaudithook(lambda event, words: _note(event, words, lying, read.write))
            sys.argv = [command.name, *command.words]
            status = _status(command.module)
            sys.stdout.flush()
            sys.stderr.flush()
    finally:
        os._exit(status)


def _status(module: str) -> int:
    try:
        importlib.import_module(module).main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _note(event: str, words: tuple[object, ...], lying: Mapping[int, str], write: object) -> None:
    """Writes down a file of the run directory that is opened to be read."""
    if event != "open" or not isinstance(words[0], str | bytes) or not isinstance(words[2], int):
        return
    if words[2] & os.O_ACCMODE == os.O_WRONLY:
        return
    assert callable(write)
    name = os.fsdecode(words[0])
    try:
        found: Iterator[str] = iter([lying[os.stat(name).st_ino]])  # noqa: PTH116
    except FileNotFoundError:  # relative to a folder that is open
        found = (its for its in lying.values() if os.path.basename(its) == name)  # noqa: PTH119
    except (OSError, KeyError):
        return
    for each in found:
        write(f"{each}\n")


def _leave_network() -> None:
    """Enters a network without any address, where the system lets us."""
    libc = ctypes.CDLL(None)
    libc.unshare(_NEW_NETWORK | (_NEW_USER if os.geteuid() else 0))
