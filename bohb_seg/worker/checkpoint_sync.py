"""Gives each trial a directory to work in, and keeps its files in step with the master's.

A worker that can read the run's token below the working directory of its job shares the master's
storage and works there. Any other worker works in a directory of its own: the trial's checkpoint is
downloaded from the master before the work. Every file that is new and whole is uploaded now and
then, and once more at the end, before the result is delivered: no result is without its checkpoint.

Nothing here raises because of the network: training goes on, and
:attr:`CheckpointSync.complaint` tells.
"""

import contextlib
import logging
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, final

from bohb_seg.rpc import checkpoint_names
from bohb_seg.trials import CHECKPOINTS
from bohb_seg.worker.file_transfer import download_folder
from bohb_seg.worker.local_copies import LocalCopies, shares_storage
from bohb_seg.worker.storage_calls import PATIENCE, StorageCalls
from bohb_seg.worker.upload_thread import UploadThread

UPLOAD_INTERVAL = 30.0
"""Seconds between two uploads; a worker that is killed loses at most that much, or an epoch."""
FAREWELL = 4.0
"""Seconds for the last upload of a worker that must leave; docker grants ten for everything."""

_log = logging.getLogger(__name__)


@final
class CheckpointSync:
    """A run's files on this machine and at the master.

    Args:
        connect: Returns a proxy of the master's storage at its present address; it may raise.
        token: The run's token; "" if the master has no storage to offer (stock HpBandSter).
        local: Folder for copies on this machine; several workers may share it.
        interval: Seconds between two uploads.
        patience: Seconds without progress for which a master that is away is waited for.

    Raises:
        ValueError: the token has not the form of one.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        token: str,
        local: Path,
        *,
        interval: float = UPLOAD_INTERVAL,
        patience: float = PATIENCE,
    ) -> None:
        if token and not checkpoint_names.is_token(token):
            raise ValueError(f"{token!r:.100} is no token of a run; use 32 hex digits")
        self._connect, self._token = connect, token
        self._copies = LocalCopies(local / token)
        self._interval, self._patience = interval, patience
        self._uploader = secrets.token_hex(16)
        self._not_downloaded = self._not_uploaded = ""

    @property
    def complaint(self) -> str:
        """Sentence about the latest trial's files for its record; "" if all went well."""
        return "; ".join(filter(None, (self._not_downloaded, self._not_uploaded)))

    @contextlib.contextmanager
    def trial(self, config_id: tuple[int, int, int], working_directory: str) -> Iterator[str]:
        """Yields the directory in which the trial is to be computed.

        Leaving the context waits until the trial's files are at the master; if an exception leaves
        it, a few seconds at most.

        Args:
            config_id: HpBandSter's id of the trial.
            working_directory: Directory that the job names; the master's files lie there. That of
                a stock master is made; a run directory of ours is there, or only away.

        Raises:
            OSError: this machine's own disk cannot be written.
        """
        self._not_downloaded = self._not_uploaded = ""
        if not self._token:
            with contextlib.suppress(OSError):  # without it no checkpoint is kept
                Path(working_directory, CHECKPOINTS).mkdir(parents=True, exist_ok=True)
        if not self._token or shares_storage(Path(working_directory), self._token):
            yield working_directory
            return
        directory, folders = self._copies.directory(), checkpoint_names.folders_of(config_id)
        self._copies.clear(but=folders[0])
        self._download(directory, folders[0])
        upload = UploadThread(self._calls(), directory, folders, self._uploader, self._interval)
        try:
            upload.start()
            yield str(directory)
            self._finish(upload)
        except BaseException:  # also of a worker that was told to leave during `_finish`
            self._finish(upload, FAREWELL)
            raise

    def _calls(self) -> StorageCalls:
        return StorageCalls(self._connect, self._patience)

    def _download(self, directory: Path, folder: str) -> None:
        calls = self._calls()
        reason = calls.insist(
            lambda storage: download_folder(storage, folder, directory / folder, calls.progressed)
        )
        if reason:
            self._not_downloaded = (
                f"the checkpoint could not be brought from the master ({reason}), so training"
                " began without it"
            )
            _log.warning("%s: %s", folder, self._not_downloaded)

    def _finish(self, upload: UploadThread, limit: float | None = None) -> None:
        """Waits for the last upload; files that the master has are not needed here any more."""
        reason = upload.finish(limit)
        if not reason:
            self._not_uploaded = ""
            self._copies.clear()
            return
        self._not_uploaded = (
            f"not all files are at the master ({reason}), so another worker may have to start again"
        )
        _log.warning("%s", self._not_uploaded)
