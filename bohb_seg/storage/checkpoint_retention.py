"""Which checkpoints a run keeps: those of live trials, below a size; and what old starts left."""

import contextlib
import math
import shutil
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from bohb_seg.files import is_unfinished
from bohb_seg.rpc import checkpoint_names
from bohb_seg.trials import CHECKPOINTS, COMPARISON, TrialId, checkpoint_folder

STALE_AFTER = 3600.0
"""Seconds after which a hidden file is nobody's; a worker that writes one needs seconds."""

_WRITTEN_BY_WORKERS = tuple(
    f"{folder}/{hidden}" for folder in (CHECKPOINTS, COMPARISON) for hidden in (".*", "*/.*")
)
_WRITTEN_BY_THE_MASTER = (".*", "report/.*", "report/*/.*")


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
        gigabytes: What all checkpoints together may take, in 10^9 bytes.
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
        shutil.rmtree(run_dir / checkpoint_folder(trial), ignore_errors=True)
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
        shutil.rmtree(run_dir / checkpoint_folder(trial), ignore_errors=True)
    for path in _hidden(run_dir):
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime > STALE_AFTER:
                path.unlink()
    return sorted(dead)


def _trials(run_dir: Path) -> list[tuple[TrialId, Path]]:
    """The trials that have a folder for their checkpoint, and that folder."""
    found = (
        (checkpoint_names.trial(path.name), path) for path in (run_dir / CHECKPOINTS).glob("*")
    )
    return [(TrialId(*trial), path) for trial, path in found if trial and not path.is_symlink()]


def _hidden(run_dir: Path) -> list[Path]:
    """Hidden files where workers write; elsewhere in the run directory unfinished ones only."""
    ours = {path for pattern in _WRITTEN_BY_WORKERS for path in run_dir.glob(pattern)}
    rest = {path for pattern in _WRITTEN_BY_THE_MASTER for path in run_dir.glob(pattern)}
    found = ours | {path for path in rest if is_unfinished(path.name)}
    return sorted(
        path for path in found - {run_dir / checkpoint_names.TOKEN_FILE} if path.is_file()
    )


def _size(folder: Path) -> int:
    total = 0
    for path in folder.glob("*"):
        with contextlib.suppress(OSError):
            total += path.lstat().st_size
    return total


def _badness(loss: float, trial: TrialId) -> tuple[float, TrialId]:
    """Sorts by loss, where not a number is worst; equal ones by their id, the later the worse."""
    return (math.inf if math.isnan(loss) else loss), trial
