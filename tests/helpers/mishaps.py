"""A machine that lets its commands down for a while: no room, no processes, clocks that jump.

Each is real and none touches the machine that the tests run on: the disk is a small file system in
memory, threads and children are refused by a control group, the time of day is shifted where the
system tells it, and the monotonic clock is that of a time namespace. Whatever is not to be had here
is named by :attr:`Machine.missing`.
"""

import contextlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from helpers.cluster import Place

DISK_BYTES = 64 << 20
"""Room for a run of some thousand evaluations, filled in a moment."""
TICK = 100_000
"""Seconds, by a multiple of which the time of day jumps: much longer than a run, so that the true
time can be told from the jumped one (:func:`true_time`)."""
SOURCE = Path(__file__).with_name("programs") / "clock.c"
"""The library that stands between a command and the time of day. Not ``libfaketime``: with that
one, ``time.sleep`` fails when the clock jumps."""
GROUPS = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))
"""Folders of control groups that count processes, in the kernel's first and second version."""
UPTIMES = (0, 10_000_000)
"""Seconds by which the monotonic clock of a later start is ahead, as if the machine had started
long before, or anew between two starts."""


class Disk:
    """A small file system that can be filled.

    Args:
        place: Folder where it is mounted.
    """

    def __init__(self, place: Path) -> None:
        self.place, self._balloon = place, place / "balloon"

    def fill(self) -> None:
        """Leaves no free byte."""
        with self._balloon.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"\0" * 4096):
                pass

    def free(self) -> None:
        """Gives the room back."""
        self._balloon.unlink(missing_ok=True)


class Processes:
    """A control group that can be kept from starting threads and children.

    Args:
        group: Its folder.
    """

    def __init__(self, group: Path) -> None:
        self._group = group

    @property
    def enter(self) -> tuple[str, ...]:
        """Words before a command that is to be in it, with its children."""
        return ("sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(self._group))

    @property
    def members(self) -> list[int]:
        """Numbers of the processes that are in it."""
        return [int(line) for line in (self._group / "cgroup.procs").read_text().split()]

    def starve(self) -> None:
        """Refuses every new thread and child; those that there are go on."""
        (self._group / "pids.max").write_text("0")

    def feed(self) -> None:
        """Refuses nothing any more."""
        (self._group / "pids.max").write_text("max")


class Clock:
    """The time of day of some commands.

    Args:
        folder: For a file that tells them how far they are off, and the library that reads it.

    Raises:
        OSError: there is no C compiler.
        subprocess.CalledProcessError: it cannot compile the library.
    """

    def __init__(self, folder: Path) -> None:
        self._file, self._library = folder / "clock", folder / "clock.so"
        self._file.write_bytes(bytes(8))
        _run("cc", "-shared", "-fPIC", "-O1", "-o", str(self._library), str(SOURCE))

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables of a command that is to go by it; its monotonic time and files stay true."""
        return {"LD_PRELOAD": str(self._library), "CLOCK_FILE": str(self._file)}

    def set(self, ticks: int) -> None:
        """Jumps to so many :data:`TICK` from the true time, at once."""
        with self._file.open("r+b", buffering=0) as file:  # never cut: others have it in memory
            file.write((ticks * TICK).to_bytes(8, sys.byteorder, signed=True))


def true_time(told: float, near: float) -> float:
    """The true time of what happened at most some hours after ``near``, by a clock that jumps."""
    return near + (told - near + TICK / 2) % TICK - TICK / 2


@dataclass
class Machine:
    """A host and how it can let its commands down.

    Args:
        plain: The host, with nothing wrong.
        disk: Its disk; None: it cannot be filled.
        processes: Limit of its threads and children; None: they cannot be limited.
        clock: Its time of day; None: it cannot jump.
        has_uptime: Whether commands can have another monotonic clock.
        missing: Sentences about what is not to be had.
    """

    plain: Place
    disk: Disk | None = None
    processes: Processes | None = None
    clock: Clock | None = None
    has_uptime: bool = False
    missing: list[str] = field(default_factory=list)

    @property
    def place(self) -> Place:
        """The host for commands that it may let down."""
        # First the control group: `ip netns exec` hides what is mounted in /sys.
        enter = self.processes.enter if self.processes else ()
        return Place(self.plain.address, (*enter, *self.plain.enter))

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables of these commands."""
        return self.clock.environment if self.clock else {}

    def started_anew(self, chance: random.Random) -> Place:
        """The same with another monotonic clock, as after a start of the machine."""
        if not self.has_uptime:
            return self.place
        uptime = ("unshare", "--time", "--monotonic", str(chance.randint(*UPTIMES)))
        return Place(self.plain.address, (*self.place.enter, *uptime))


@contextlib.contextmanager
def machine(plain: Place, folder: Path) -> Iterator[Machine]:
    """Yields a host that can let its commands down in as many ways as are to be had here.

    Args:
        plain: The host.
        folder: For its disk and its clock.
    """
    made = Machine(plain)
    with contextlib.ExitStack() as undo:
        with _told(made, "no disk runs full"):
            made.disk = undo.enter_context(_disk(folder / "disk"))
        with _told(made, "threads and children are not refused"):
            made.processes = undo.enter_context(_processes())
        with _told(made, "the time of day does not jump"):
            made.clock = Clock(folder)
        with _told(made, "the monotonic clock stays that of this machine"):
            _run("unshare", "--time", "--monotonic", "1", "true")
            made.has_uptime = True
        yield made


@contextlib.contextmanager
def _told(made: Machine, consequence: str) -> Iterator[None]:
    try:
        yield
    except (OSError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", None) or error
        made.missing.append(f"{consequence}: {str(why).strip()}")


@contextlib.contextmanager
def _disk(place: Path) -> Iterator[Disk]:
    place.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place))
    disk = Disk(place)
    try:
        yield disk
    finally:
        disk.free()
        shutil.copytree(place, kept := place.with_suffix(".kept"), symlinks=True)
        _run("umount", "--lazy", str(place))
        place.rmdir()
        kept.rename(place)


@contextlib.contextmanager
def _processes() -> Iterator[Processes]:
    parent = next(
        (Path(folder) for folder in GROUPS if Path(folder, "cgroup.procs").exists()), None
    )
    if parent is None:
        raise FileNotFoundError("there are no control groups")
    group = parent / f"bohb{os.getpid()}"
    group.mkdir()
    try:
        if not (group / "pids.max").exists():
            raise FileNotFoundError(f"{parent} does not count processes")
        yield Processes(group)
    finally:
        group.rmdir()


def _run(*words: str) -> None:
    subprocess.run(words, capture_output=True, text=True, check=True)
