"""The thread that brings a trial's new files to the master while it is trained."""

import contextlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from bohb_seg.worker.file_transfer import upload
from bohb_seg.worker.local_copies import whole_files
from bohb_seg.worker.storage_calls import StorageCalls


@final
class UploadThread(threading.Thread):
    """Uploads new files once every interval, and the rest at the end.

    Args:
        calls: Calls of the master's storage, for this thread alone.
        directory: Directory with the trial's files.
        folders: Folders in it that the trial writes to.
        uploader: 32 hex digits that no other uploader has.
        interval: Seconds between two looks for new files.
    """

    def __init__(
        self,
        calls: StorageCalls,
        directory: Path,
        folders: Sequence[str],
        uploader: str,
        interval: float,
    ) -> None:
        super().__init__(name="upload", daemon=True)
        self._calls, self._directory, self._folders = calls, directory, folders
        self._uploader, self._interval = uploader, interval
        self._uploaded: dict[Path, tuple[int, ...]] = {}
        self._closing, self._done = threading.Event(), threading.Event()
        self._reason = "it was not tried"

    def run(self) -> None:
        """Tries once every interval, and at the end as long as there is hope."""
        try:
            while not self._closing.wait(self._interval):
                self._calls.once(self._upload_new)
            self._reason = self._calls.insist(self._upload_new)
        finally:
            self._done.set()

    def finish(self, limit: float | None) -> str:
        """Waits for the last upload.

        Args:
            limit: Seconds to wait at most; None: as long as there is hope.

        Returns:
            "" when all files are at the master, else the reason why they are not.
        """
        self._closing.set()
        # Not join(): when a signal's exception ends it, CPython 3.11 takes the thread for dead.
        if not self._done.wait(limit):
            self._calls.stop()
            return f"there was no more time than {limit:g} s"
        return self._reason

    def _upload_new(self, storage: Any) -> None:
        for folder in self._folders:
            for path in whole_files(self._directory / folder):
                # A checkpoint may be replaced by that of a later epoch at any moment.
                with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                    state = os.fstat(file.fileno())
                    signature = (state.st_ino, state.st_size, state.st_mtime_ns)
                    if self._uploaded.get(path) != signature:
                        progressed = self._calls.progressed
                        upload(storage, folder, path.name, file, self._uploader, progressed)
                        self._uploaded[path] = signature
