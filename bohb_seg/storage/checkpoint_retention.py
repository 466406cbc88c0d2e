"""Which checkpoints a run keeps: those of trials that may go on, as far as there is room.

Hidden files that earlier starts of the run did not finish are removed as well. When the run is over
the whole folder goes. Nobody who writes a checkpoint makes it again, so a worker that slept through
the end leaves nothing behind.
"""

import contextlib
import logging
import math
import os
import shutil
import stat
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import final

from bohb_seg.files import is_unfinished, refuse_foreign_link, remove_folder, remove_unfinished
from bohb_seg.rpc import checkpoint_names
from bohb_seg.search.events import Discard, Evaluated
from bohb_seg.storage.journal_entries import Event
from bohb_seg.trials import CHECKPOINTS, COMPARISON, TrialId, checkpoint_folder

CAP_EVERY = 10.0
"""Seconds between two looks at how much the checkpoints take."""
STALE_AFTER = 3600.0
"""Seconds after which a hidden file is nobody's; a worker that writes one needs seconds."""
TOKEN = Path(checkpoint_names.TOKEN_FILE).name
"""Name of the one hidden file that stays."""

_WRITTEN_BY_WORKERS = (CHECKPOINTS, COMPARISON)

_log = logging.getLogger(__name__)


@final
class CheckpointRetention:
    """The checkpoints of a run, as long as its master is alive.

    Args:
        run_dir: The run's directory.
        gigabytes: Room for all checkpoints together, in 10^9 bytes; None: as much as there is.
    """

    def __init__(self, run_dir: Path, gigabytes: float | None) -> None:
        self._run_dir, self._gigabytes = run_dir, gigabytes
        self._losses: dict[TrialId, float] = {}
        self._next_look = -math.inf

    def note(self, events: Iterable[Event]) -> None:
        """Takes the latest loss of each trial that has a checkpoint from new events."""
        for event in events:
            match event:
                case Evaluated(evaluation=evaluation, loss=float() as loss):
                    self._losses[evaluation.trial] = loss
                case Discard(trial=trial):
                    self._losses.pop(trial, None)

    def keep_cap(self, running: Collection[TrialId]) -> Sequence[TrialId]:
        """Removes the checkpoints of the worst trials if the room is used up; looks now and then.

        Args:
            running: Trials whose checkpoint is being written or read.

        Returns:
            The trials whose checkpoint was removed.
        """
        if self._gigabytes is None or time.monotonic() < self._next_look:
            return ()
        self._next_look = time.monotonic() + CAP_EVERY
        with _told("the checkpoints cannot be counted"):
            return cap(self._run_dir, self._gigabytes, self._losses, running)
        return ()

    def keep_only(self, live: Collection[TrialId]) -> None:
        """Removes what is left of the checkpoints of all other trials."""
        with _told("old checkpoints cannot be removed"):
            for trial in leftovers(self._run_dir, live):
                _log.debug("removed what was left of trial %s", trial)

    def remove(self) -> None:
        """Removes all checkpoints and their folder: the run is over."""
        with _told("the checkpoints cannot be removed"):
            leftovers(self._run_dir, ())
            remove_folder(self._run_dir / CHECKPOINTS)

    def discard(self, trial: TrialId) -> None:
        """Removes the checkpoint of a trial that is not needed any more."""
        _remove(self._run_dir, trial)


@contextlib.contextmanager
def _told(problem: str) -> Iterator[None]:
    """Tells of a disk that fails: a run can do without more room."""
    try:
        yield
    except OSError as error:
        _log.warning("%s: %s", problem, error)


def cap(
    run_dir: Path,
    gigabytes: float,
    losses: Mapping[TrialId, float],
    running: Collection[TrialId],
) -> list[TrialId]:
    """Removes whole checkpoints, those of the worst trials first, until they fit.

    A trial whose checkpoint is removed starts again when it is promoted. Trials that run, and
    those that have no loss yet, keep theirs, also if the rest then does not fit.

    Args:
        run_dir: The run's directory.
        gigabytes: Room for all checkpoints together, in 10^9 bytes.
        losses: The latest loss of each trial that has one; the larger the worse.
        running: Trials that are being trained now.

    Returns:
        The trials whose checkpoints were removed, worst first.
    """
    sizes = {trial: _size(path) for trial, path in _trials(run_dir)}
    excess = sum(sizes.values()) - round(gigabytes * 1e9)
    removable = [trial for trial in sizes if trial in losses and trial not in running]
    removed = []
    for trial in sorted(removable, key=lambda trial: _badness(losses[trial], trial), reverse=True):
        if excess <= 0:
            break
        _remove(run_dir, trial)
        excess -= sizes[trial]
        removed.append(trial)
    return removed


def leftovers(run_dir: Path, live: Collection[TrialId]) -> list[TrialId]:
    """Removes what earlier starts of the run left: checkpoints of dead trials, hidden files.

    Args:
        run_dir: The run's directory.
        live: Trials that may still be trained on.

    Returns:
        The trials whose checkpoints were removed.
    """
    dead = [trial for trial, _ in _trials(run_dir) if trial not in live]
    for trial in dead:
        _remove(run_dir, trial)
    remove_unfinished(run_dir / CHECKPOINTS)
    for folder in _WRITTEN_BY_WORKERS:
        _remove_hidden(run_dir / folder)
    _remove_hidden(run_dir, is_unfinished, alone=True)
    _remove_hidden(run_dir / "report", is_unfinished)
    return sorted(dead)


def _remove(run_dir: Path, trial: TrialId) -> None:
    shutil.rmtree(run_dir / checkpoint_folder(trial), ignore_errors=True)


def _trials(run_dir: Path) -> list[tuple[TrialId, Path]]:
    """The trials that have a folder for their checkpoint, and that folder."""
    refuse_foreign_link(run_dir / CHECKPOINTS)
    found = (
        (checkpoint_names.trial(path.name), path) for path in (run_dir / CHECKPOINTS).glob("*")
    )
    return [(TrialId(*trial), path) for trial, path in found if trial and not path.is_symlink()]


def _remove_hidden(
    top: Path, is_ours: Callable[[str], bool] = lambda name: True, alone: bool = False
) -> None:
    """Removes a folder's hidden files that nobody writes any more, and those one folder below.

    Workers that share the disk can place links there: none is followed but one of this user at the
    top, and a folder is emptied by its descriptor, so that it cannot be exchanged meanwhile.
    """
    with contextlib.suppress(OSError):
        refuse_foreign_link(top)
        for folder, below, names, descriptor in os.fwalk(top.resolve()):
            if alone or folder != str(top.resolve()):
                below.clear()
            for name in names:
                if name.startswith(".") and name != TOKEN and is_ours(name):
                    _remove_if_stale(name, descriptor)


def _remove_if_stale(name: str, folder: int) -> None:
    with contextlib.suppress(OSError):
        state = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(state.st_mode) and time.time() - state.st_mtime > STALE_AFTER:
            os.unlink(name, dir_fd=folder)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.glob("*"):
        with contextlib.suppress(OSError):
            total += path.lstat().st_size
    return total


def _badness(loss: float, trial: TrialId) -> tuple[float, TrialId]:
    """Sorts by loss, where not a number is worst; of equal losses the later trial is worse."""
    return (math.inf if math.isnan(loss) else loss), trial
