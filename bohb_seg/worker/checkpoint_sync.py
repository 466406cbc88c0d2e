"""A trial's files on a worker without the master's storage: brought before, pushed while and after.

A worker that can read the run's token below the working directory of its order shares the storage
and works there. Any other works in a folder of its own: the trial's checkpoint is brought from the
master before the work, and every file that is new and whole goes to the master, every now and then
and once more at the end, before the result is told: so no result is without its checkpoint.

Nothing here raises because of the network: training goes on, and :attr:`Mirror.complaint` tells.
While the master is away nothing is lost by waiting, since the result could not be told either.
"""

import contextlib
import fcntl
import hashlib
import itertools
import logging
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Any, BinaryIO

import Pyro4
import serpent

from bohb_seg.files import write_whole
from bohb_seg.retry import Retry
from bohb_seg.rpc import checkpoint_names
from bohb_seg.trials import (
    CHECKPOINTS,
    COMPARISON,
    COMPARISON_BRACKET,
    checkpoint_folder,
    comparison_folder,
)

PUSH_INTERVAL = 30.0
"""Seconds between two pushes; a worker that is killed loses at most that much, or an epoch."""
PATIENCE = 600.0
"""Seconds without progress for which a master that is away is waited for; a result is offered to
it as long."""
REFUSED = 0.1
"""Share of that for a master that answers, but refuses: waiting rarely helps."""
FAREWELL = 4.0
"""Seconds for the last push of a worker that must leave; docker grants ten for all."""
LONGEST_PAUSE = 10.0
"""Seconds between two tries after many have failed."""

ConfigId = tuple[int, int, int]
Work = Callable[[Any], None]

_log = logging.getLogger(__name__)


class Mirror:
    """Gives each trial a directory to work in, and hands its files to and fro.

    Args:
        storage: Returns a proxy of the master's storage at its present address; it may raise.
        token: The run's; "" if the master has no storage to offer (stock HpBandSter).
        local: Where this machine keeps copies; several workers may share it.
        interval: Seconds between two pushes.
        patience: Seconds without progress for which a master that is away is waited for.

    Raises:
        ValueError: the token is none.
    """

    def __init__(
        self,
        storage: Callable[[], Any],
        token: str,
        local: Path,
        *,
        interval: float = PUSH_INTERVAL,
        patience: float = PATIENCE,
    ) -> None:
        if token and not checkpoint_names.is_token(token):
            raise ValueError(f"{token!r:.100} is no token of a run; use 32 hex digits")
        self._storage, self._token, self._local = storage, token, local
        self._interval, self._patience = interval, patience
        self._uploader = secrets.token_hex(16)
        self._own: tuple[Path, BufferedWriter] | None = None
        self._not_brought = self._not_pushed = ""

    @property
    def complaint(self) -> str:
        """What the latest trial's record must say of its files; "" if all went well."""
        return "; ".join(filter(None, (self._not_brought, self._not_pushed)))

    @contextlib.contextmanager
    def trial(self, config_id: ConfigId, working_directory: str) -> Iterator[str]:
        """The directory that ``compute`` shall use for this trial, as long as the context lasts.

        Leaving the context waits until the trial's files are at the master; if it is left by an
        exception, a few seconds at most.

        Args:
            config_id: HpBandSter's.
            working_directory: Of the order; where the master's files lie.

        Raises:
            OSError: this machine's own disk cannot be written.
        """
        self._not_brought = self._not_pushed = ""
        if not self._token or _shares(Path(working_directory), self._token):
            yield working_directory
            return
        directory, folders = self._own_directory(), _folders(config_id)
        _clear(directory, but=folders[0])
        self._bring(directory, folders[0])
        pusher = _Pusher(self._link(), directory, folders, self._uploader, self._interval)
        try:
            pusher.start()
            yield str(directory)
            self._finish(pusher, directory)
        except BaseException:  # also the leave of a worker that was told to go, in `_finish` too
            self._finish(pusher, directory, FAREWELL)
            raise

    def _link(self) -> "_Link":
        return _Link(self._storage, self._patience)

    def _bring(self, directory: Path, folder: str) -> None:
        link = self._link()
        if reason := link.insist(lambda remote: _bring(remote, directory / folder, folder, link)):
            self._not_brought = (
                f"the checkpoint could not be brought from the master ({reason}), so training"
                " began without it"
            )
            _log.warning("%s: %s", folder, self._not_brought)

    def _finish(self, pusher: "_Pusher", directory: Path, limit: float | None = None) -> None:
        """Waits for the last push; what the master has is not needed here any more."""
        reason = pusher.finish(limit)
        if not reason:
            self._not_pushed = ""
            _clear(directory)
            return
        self._not_pushed = (
            f"not all files are at the master ({reason}), so another worker may have to start again"
        )
        _log.warning("%s", self._not_pushed)

    def _own_directory(self) -> Path:
        """A directory that no other living process uses; what a dead one left is used again."""
        numbers = itertools.count()
        while self._own is None:
            directory = self._local / self._token / str(next(numbers))
            directory.mkdir(parents=True, exist_ok=True)
            lock = (directory / ".lock").open("wb")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._own = directory, lock
            except BlockingIOError:
                lock.close()
            except OSError:  # a file system without locks, e.g. Lustre's default
                self._own = directory.with_name(self._uploader), lock
                self._own[0].mkdir(exist_ok=True)
        return self._own[0]


# --- calls that may fail ----------------------------------------------------------------------


class _Link:
    """Work with the master's storage, done again while there is hope.

    Args:
        storage: Returns a proxy; it may raise.
        patience: Seconds without progress.
    """

    def __init__(self, storage: Callable[[], Any], patience: float) -> None:
        self._storage, self._patience = storage, patience
        self._away = False
        self._stopped = threading.Event()
        self._retry = Retry("")

    def insist(self, work: Work) -> str:
        """Does the work, again and again; it must be harmless to do twice.

        Returns:
            "" when it is done, else why it is not, in the words of the last try.
        """
        self._retry = Retry(
            "the master's storage cannot be used", longest=LONGEST_PAUSE, wait=self._stopped.wait
        )
        while reason := self.once(work):
            patience = self._patience * (1 if self._away else REFUSED)
            if not self._retry.pause(reason, patience):
                break
        return reason

    def once(self, work: Work) -> str:
        """Does the work; "" or why it was not done."""
        self._away = True
        try:
            with self._storage() as remote:
                self._away = False
                work(remote)
        # Whatever goes wrong between here and there, training is worth more than its copy.
        except Exception as error:
            self._away = self._away or isinstance(error, Pyro4.errors.CommunicationError)
            _log.debug("the master's storage: %s", error, exc_info=True)
            return (str(error) or type(error).__name__).splitlines()[0]
        return ""

    def advanced(self) -> None:
        """A piece went over: patience begins again.

        Raises:
            InterruptedError: there is no time for more.
        """
        if self._stopped.is_set():
            raise InterruptedError("the worker had to go on")
        self._retry.progressed()

    def stop(self) -> None:
        """Gives up at the next piece or pause."""
        self._stopped.set()


class _Pusher(threading.Thread):
    """Brings new files to the master while the trial is worked on, and the rest at its end."""

    def __init__(
        self,
        link: _Link,
        directory: Path,
        folders: Sequence[str],
        uploader: str,
        interval: float,
    ) -> None:
        super().__init__(name="pusher", daemon=True)
        self._link, self._directory, self._folders = link, directory, folders
        self._uploader, self._interval = uploader, interval
        self._pushed: dict[Path, tuple[int, ...]] = {}
        self._closing, self._done = threading.Event(), threading.Event()
        self._reason = "it was not tried"

    def run(self) -> None:
        """Tries once every interval, and at the end as long as there is hope."""
        try:
            while not self._closing.wait(self._interval):
                self._link.once(self._push)
            self._reason = self._link.insist(self._push)
        finally:
            self._done.set()

    def finish(self, limit: float | None) -> str:
        """Waits for the last push, ``limit`` seconds at most; "" or why it did not succeed."""
        self._closing.set()
        # Not join(): when a signal's exception ends it, CPython 3.11 takes the thread for dead.
        if not self._done.wait(limit):
            self._link.stop()
            return f"there was no more time than {limit:g} s"
        return self._reason

    def _push(self, remote: Any) -> None:
        for folder in self._folders:
            for path in _whole_files(self._directory / folder):
                # A checkpoint may be replaced by that of a later epoch at any moment.
                with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                    state = os.fstat(file.fileno())
                    signature = (state.st_ino, state.st_size, state.st_mtime_ns)
                    if self._pushed.get(path) != signature:
                        self._upload(remote, folder, path.name, file)
                        self._pushed[path] = signature

    def _upload(self, remote: Any, folder: str, name: str, file: BufferedReader) -> None:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
        if remote.stored(folder).get(name) == [size, sha256]:
            return
        file.seek(0)
        for offset in range(0, max(size, 1), checkpoint_names.PIECE_BYTES):
            piece = file.read(checkpoint_names.PIECE_BYTES)
            remote.store(folder, name, offset, piece, self._uploader)
            self._link.advanced()
        remote.keep(folder, name, size, sha256, self._uploader)


# --- from the master --------------------------------------------------------------------------


def _bring(remote: Any, target: Path, folder: str, link: _Link) -> None:
    """Makes the files of ``folder`` that the master has lie in ``target`` too."""
    for name, (size, sha256) in remote.stored(folder).items():
        if not checkpoint_names.is_name(name):
            raise ValueError(f"the master has a file {name!r:.100}; its name cannot be used")
        if not _is(target / name, sha256):
            target.mkdir(parents=True, exist_ok=True)
            _fetch(remote, folder, target / name, (size, sha256), link)


def _fetch(remote: Any, folder: str, path: Path, announced: tuple[int, str], link: _Link) -> None:
    def receive(file: BinaryIO) -> None:
        digest, size = hashlib.sha256(), 0
        while piece := serpent.tobytes(remote.fetch(folder, path.name, size)):
            file.write(piece)
            digest.update(piece)
            size += len(piece)
            link.advanced()
        if (size, digest.hexdigest()) != announced:
            raise ValueError(f"{folder}/{path.name} did not arrive as the master announced it")

    write_whole(path, receive, durable=False)  # should the machine fail, the master has it


# --- this machine's disk ----------------------------------------------------------------------


def _shares(working_directory: Path, token: str) -> bool:
    """Whether the run's own token lies there, and files can be written beside it."""
    path = working_directory / checkpoint_names.TOKEN_FILE
    try:
        found = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return False
    return found == token and os.access(path.parent, os.W_OK)


def _folders(config_id: ConfigId) -> tuple[str, ...]:
    """The folders that a trial writes to, its checkpoint's first."""
    checkpoint = checkpoint_folder(config_id)
    if config_id[0] != COMPARISON_BRACKET:
        return (checkpoint,)
    return checkpoint, COMPARISON, comparison_folder(config_id)


def _clear(directory: Path, but: str = "") -> None:
    """Removes the copies that lie here, except those of the folder ``but``."""
    for path in (*(directory / CHECKPOINTS).glob("*"), directory / COMPARISON):
        if path != directory / but:
            shutil.rmtree(path, ignore_errors=True)


def _whole_files(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.glob("*") if checkpoint_names.is_name(path.name) and path.is_file()
    )


def _is(path: Path, sha256: object) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False
