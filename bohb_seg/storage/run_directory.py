"""The directory of a run: its files, kept up to date while the search goes on."""

import contextlib
import json
import logging
import math
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from bohb_seg.errors import BohbSegError, SettingsError
from bohb_seg.files import Content, write_whole
from bohb_seg.files.integrity import check_archive
from bohb_seg.rpc.names import NAMESERVER_FILE
from bohb_seg.search.hyperband import Ladder
from bohb_seg.settings import SearchSettings
from bohb_seg.storage import resume, settings_record
from bohb_seg.storage.checkpoint_retention import CheckpointRetention
from bohb_seg.storage.checkpoint_store import CheckpointStore
from bohb_seg.storage.compared import best_model
from bohb_seg.storage.hpbandster_files import LiveLog, PickleAside, write_pickle
from bohb_seg.storage.journal import FILE_NAME, Journal
from bohb_seg.storage.journal_entries import Entry, Event, RunStarted
from bohb_seg.storage.run_folders import RunFolders, opened_file
from bohb_seg.trials import MODEL_FILE, comparison_folder, trial_name

LIVE_LOG_EVERY = 10.0
"""Seconds between two tries to write HpBandSter's live log anew while that fails."""

_log = logging.getLogger(__name__)


class RunDirectory:
    """The files of a run; every change of the run passes through :meth:`record`.

    Args:
        settings: All settings of the run.
        start: The first entry of its journal; None if :meth:`begin` is called later.
        past: The journal so far; empty for a new run.
        journal: The journal, open; None for a new run, which makes its own.

    Attributes:
        path: The directory.
        storage: Remote object through which workers elsewhere read and write checkpoints.
        checkpoints: Checkpoints that are kept.

    Raises:
        SettingsError: the directory cannot be written, or another master has begun a run in it.
    """

    def __init__(
        self,
        settings: SearchSettings,
        start: RunStarted | None,
        past: Sequence[Entry],
        journal: Journal | None = None,
    ) -> None:
        self.path, self._settings = settings.run_dir, settings
        if start is not None:
            self._take_ladder(settings)
        self._is_behind = False
        self._live_log_due = -math.inf
        self.checkpoints = CheckpointRetention(self.path, settings.checkpoint_gb)
        self.checkpoints.note(entry.event for entry in past)
        with _in_words(self.path), contextlib.ExitStack() as undo:
            self.path.mkdir(parents=True, exist_ok=True)
            self._journal = journal or self._new_journal()
            undo.callback(self._journal.close)
            self.storage = CheckpointStore(self.path, settings.trial_gb)
            self._live_log = LiveLog(self.path)
            self._live_log.rewrite(past)
            if start is not None and not past:
                self._write_start(start)
            undo.pop_all()

    def _new_journal(self) -> Journal:
        """Refuses once more, under the lock, what was refused before the data were looked at."""
        journal = Journal(self.path / FILE_NAME, resume.take_over(self._settings))
        try:
            resume.refuse_used(self.path)
        except SettingsError:
            journal.close()
            raise
        return journal

    def begin(self, settings: SearchSettings, start: RunStarted) -> None:
        """Begins the run, whose settings are known only now.

        Raises:
            SettingsError: the directory cannot be written.
        """
        self._take_ladder(settings)
        with _in_words(self.path):
            self._write_start(start)

    def _take_ladder(self, settings: SearchSettings) -> None:
        self._ladder = Ladder(settings.min_budget, settings.max_budget, settings.eta)
        self._pickle_aside = PickleAside(self.path, self._ladder)

    def _write_start(self, start: RunStarted) -> None:
        self._write_json("configspace.json", start.space)
        self._write(settings_record.FILE_NAME, settings_record.text(start), durable=False)
        self._journal.append([start])

    def record(self, events: Sequence[Event]) -> None:
        """Makes events durable: in the journal, then in HpBandSter's files that follow from it.

        Raises:
            RunLostError: the directory is not there any more, or not this master's.
            OSError: the journal could not be written; nothing is recorded.
        """
        entries = self._journal.append(events)
        self.checkpoints.note(events)
        try:
            self._follow(entries)
        except Exception as error:  # the journal has everything, and nothing may keep it from that
            # Room for a line may be there at once; to write all anew is worth a try now and then.
            self._live_log_due = time.monotonic() + LIVE_LOG_EVERY * self._is_behind
            self._is_behind = True
            reason = getattr(error, "strerror", None) or error
            _log.warning("HpBandSter's live log is behind (%s); it follows later", reason)

    def _follow(self, entries: Sequence[Entry]) -> None:
        """Keeps HpBandSter's live log up with the journal; tries seldom while that fails."""
        if not self._is_behind:
            self._live_log.add(entries)
        elif time.monotonic() >= self._live_log_due:
            self._live_log.rewrite(self._journal.read())
            self._is_behind = False

    def check(self) -> None:
        """Makes sure that the directory is still where it was, and this master's.

        Raises:
            RunMissingError: it is not there; it may come back.
            RunLostError: another master has it, or another journal lies in it.
            OSError: it cannot be looked at.
        """
        self._journal.check()

    def rescue(self) -> str:
        """Words about the journal of a run whose directory is missing, and about what to do.

        A journal that was removed is written again, so that no result is lost.
        """
        try:
            place, is_written_again = self._journal.rescue()
        except OSError as error:
            return f"{self.path} was removed and cannot be written again ({error.strerror})"
        again = f"go on with 'bohb-master --resume --run-dir {place.parent}'"
        if is_written_again:
            return f"{self.path} was removed; its journal was saved and is there again: {again}"
        return f"{self.path} was moved to {place.parent}: {again}"

    def write_results_aside(self, incumbent: Mapping[str, Any] | None) -> None:
        """Writes ``incumbent.json``, and now and then ``results.pkl`` in a process of its own."""
        self._write_incumbent(incumbent)
        self._pickle_aside.write_if_due()

    def write_results(self, incumbent: Mapping[str, Any] | None) -> None:
        """Completes HpBandSter's files and ``incumbent.json`` from the journal.

        Raises:
            OSError: they cannot be written.
        """
        self._pickle_aside.wait()
        self._live_log.rewrite(self._journal.read())
        write_pickle(self.path, self._ladder)
        self._write_incumbent(incumbent)

    def _write_incumbent(self, incumbent: Mapping[str, Any] | None) -> None:
        if incumbent is not None:
            record = {"run_id": self._settings.run_id, **incumbent}
            self._write_json("incumbent.json", record)

    def keep_model(self) -> None:
        """Copies a retrained model to ``model.keras``: the best seed of the arm to be preferred.

        That is the incumbent, unless the verdict says that it is worse or equivalent.

        Raises:
            BohbSegError: its file is damaged; an earlier copy stays as it is.
            OSError: it cannot be read or written.
        """
        trial, reason = best_model(self._journal.read())
        if trial is None:
            return
        # The folder is that of the trial: nothing that a worker says becomes a path.
        _keep_model(self.path, comparison_folder(trial))
        if reason:
            _log.info("%s is that of %s: %s", MODEL_FILE, trial_name(trial), reason)

    def tell_nameserver(self, nameserver: tuple[str, int] | None) -> None:
        """Tells workers that share the directory where the nameserver is; None: the run is over."""
        try:
            self._write_json(NAMESERVER_FILE, nameserver)
        except OSError as error:
            _log.warning("%s could not be written (%s)", NAMESERVER_FILE, error.strerror)

    def close(self) -> None:
        """Closes the journal, and gives the run free for another master."""
        self._journal.close()

    def _write_json(self, name: str, value: object) -> None:
        self._write(name, json.dumps(value, indent=2) + "\n", durable=False)

    def _write(self, name: str, content: Content, durable: bool = True) -> None:
        """Writes a file of the run; the directory is never made anew, for it may be put back."""
        write_whole(self.path / name, content, durable=durable, within=self.path)


@contextlib.contextmanager
def _in_words(run_dir: Path) -> Iterator[None]:
    """Says what cannot be written."""
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"--run-dir {run_dir} cannot be written: {error.strerror}; choose another"
        ) from None


def _keep_model(run_dir: Path, folder: str) -> None:
    """Copies a model; no link that a worker places in its folder leads to a file of this user."""
    with (
        contextlib.suppress(FileNotFoundError),
        RunFolders(run_dir).opened(folder) as directory,
        opened_file(directory, MODEL_FILE) as descriptor,
        open(descriptor, "rb", closefd=False) as source,
    ):
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            _check_model(run_dir / folder / MODEL_FILE, source)
            copy = partial(shutil.copyfileobj, source)
            write_whole(run_dir / MODEL_FILE, copy, within=run_dir)


def _check_model(path: Path, file: BinaryIO) -> None:
    """Leaves the file at its beginning."""
    try:
        check_archive(file)
    except ValueError as error:
        raise BohbSegError(
            f"{path} is damaged ({error}); take the model of another seed from {path.parent.parent}"
        ) from None
    file.seek(0)
