"""Results that lie on this machine's disk until a master has taken them.

A worker writes every result here before it offers it. So whatever ends the worker, the result is
not lost: the next worker of the run on this machine brings it, or ``bohb-worker --deliver``. The
process that offers a record keeps it locked, so that no other offers it too. Where files cannot be
locked two may do so, which the master bears.
"""

import contextlib
import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, final

from bohb_seg.files import whole_file
from bohb_seg.files.integrity import SEAL_BYTES, check_seal, seal
from bohb_seg.rpc import checkpoint_names
from bohb_seg.trials import trial_key

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Record:
    """A result and where it belongs.

    Args:
        run_id: Name of the run.
        token: The run's token, which tells it from another run of the same name.
        reply: Object id that takes the result.
        config_id: HpBandSter's id of the trial.
        result: HpBandSter's form of a result.
    """

    run_id: str
    token: str
    reply: str
    config_id: tuple[int, int, int]
    result: Mapping[str, Any]

    @property
    def trial(self) -> str:
        """Key of the trial, for people."""
        return f"trial {trial_key(self.config_id)}"


@final
class Held:
    """A record on disk that nobody else offers until it is released.

    Args:
        path: Its file; None if it could not be written.
        lock: The open file, which holds the lock.
    """

    def __init__(self, path: Path | None, lock: BinaryIO | None) -> None:
        self.path, self._lock = path, lock

    def release(self, settled: bool) -> None:
        """Removes the record if its result is settled, else leaves it to others."""
        with contextlib.suppress(OSError):
            if settled and self.path is not None:
                self.path.unlink(missing_ok=True)
            elif self._lock is not None:
                os.fsync(self._lock.fileno())
        if self._lock is not None:
            self._lock.close()


@final
class Spool:
    """The results that wait on this machine.

    Args:
        folder: Folder on this machine's own disk, which all its workers share.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits here, nor is being offered."""
        return next(self._folder.glob("*.json"), None) is None

    def keep(self, record: Record) -> Held:
        """Writes a record and holds it; says so if it cannot be written.

        A record of a run without a token is not written, because nobody could tell later where it
        belongs.
        """
        if not checkpoint_names.is_token(record.token):
            return Held(None, None)
        name = hashlib.sha256(record.reply.encode()).hexdigest()[:16]
        path = self._folder / f"{record.token}-{name}.json"
        try:
            # Hidden until it is locked: without a lock it looks like one that was left.
            with whole_file(path, durable=False) as hidden:
                lock = hidden.open("w+b")
                lock.write(json.dumps(asdict(record)).encode())
                seal(lock)
                lock.flush()
                _lock(lock)
        except OSError as error:
            reason = error.strerror or error
            _log.warning("%s cannot be written (%s): the result waits in memory", path, reason)
            return Held(None, None)
        return Held(path, lock)

    def left(self, token: str | None = None) -> Iterator[tuple[Record, Held]]:
        """Holds one record after the other that no living process offers.

        Args:
            token: Token of the run; None takes the records of all runs.
        """
        if token is not None and not checkpoint_names.is_token(token):
            return
        for path in sorted(self._folder.glob(f"{token or '*'}-*.json")):
            if path.is_file() and (found := _taken_up(path)):  # no pipe, which would wait
                yield found


def _taken_up(path: Path) -> tuple[Record, Held] | None:
    """Reads and holds a record; None if another process does, or if it cannot be read."""
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("r+b"))
            if not _lock(file) or not os.fstat(file.fileno()).st_nlink:
                return None
            record = _read(file)
        except FileNotFoundError:  # it was taken just now
            return None
        except Exception as error:  # whatever bits that nobody wrote lead to
            _log.warning("%s holds no result that can be brought (%s); ignored", path, error)
            return None
        stack.pop_all()
        return record, Held(path, file)


def _read(file: BinaryIO) -> Record:
    """Reads a record; raises whatever a damaged one leads to."""
    if not check_seal(file):
        raise ValueError("its seal is missing")
    file.seek(0)
    told = json.loads(file.read()[:-SEAL_BYTES])
    bracket, rung, number = map(int, told.pop("config_id"))
    return Record(config_id=(bracket, rung, number), **told)


def _lock(file: BinaryIO) -> bool:
    """Locks an open file; returns False if another process has, True also where none can."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks, e.g. Lustre's default
        return True
    return True
