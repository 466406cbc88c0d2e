"""The directory of a run: its files, kept up to date while the search goes on."""

import json
import logging
import math
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bohb_seg.errors import SettingsError
from bohb_seg.files import write_whole
from bohb_seg.rpc.names import NAMESERVER_FILE
from bohb_seg.search.hyperband import Ladder
from bohb_seg.settings import SearchSettings
from bohb_seg.storage.checkpoint_retention import CheckpointRetention
from bohb_seg.storage.checkpoint_store import CheckpointStore
from bohb_seg.storage.hpbandster_files import LiveLog, write_pickle, write_pickle_aside
from bohb_seg.storage.journal import FILE_NAME, Entry, Event, Journal, RunStarted, counted, read
from bohb_seg.storage.settings_record import settings_record
from bohb_seg.trials import COMPARISON_BRACKET, INCUMBENT_ARM, MODEL_FILE, comparison_folder

RESULTS_EVERY = 30.0
"""Seconds between two writings of ``results.pkl``; brackets that are shorter share one."""

_log = logging.getLogger(__name__)


class RunDirectory:
    """The files of a run; every change of the run passes through :meth:`record`.

    Args:
        settings: All settings of the run.
        start: The first entry of its journal.
        past: The journal so far; empty for a new run.

    Attributes:
        path: The directory.
        storage: Remote object through which workers elsewhere read and write checkpoints.
        checkpoints: Checkpoints that are kept.

    Raises:
        SettingsError: the directory cannot be written.
    """

    def __init__(self, settings: SearchSettings, start: RunStarted, past: Sequence[Entry]) -> None:
        self.path, self._settings = settings.run_dir, settings
        self._ladder = Ladder(settings.min_budget, settings.max_budget, settings.eta)
        self._writing: subprocess.Popen[bytes] | None = None
        self._behind = False
        self._results_due = -math.inf
        self.checkpoints = CheckpointRetention(self.path, settings.checkpoint_gb)
        self.checkpoints.note(entry.event for entry in past)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._journal = Journal(self.path / FILE_NAME)
            self.storage = CheckpointStore(self.path)
            self._live_log = LiveLog(self.path)
            self._live_log.rewrite(past)
            if not past:
                self._begin(start)
        except OSError as error:
            raise SettingsError(
                f"--run-dir {self.path} cannot be written: {error.strerror}; choose another"
            ) from None

    def _begin(self, start: RunStarted) -> None:
        _write_json(self.path / "configspace.json", start.space)
        write_whole(self.path / "settings.yaml", settings_record(start), durable=False)
        self._journal.append([start])

    def record(self, events: Sequence[Event]) -> None:
        """Makes events durable: in the journal, then in HpBandSter's files that follow from it.

        Raises:
            OSError: the journal could not be written; nothing is recorded.
        """
        entries = self._journal.append(events)
        self.checkpoints.note(events)
        try:
            if self._behind:
                self._live_log.rewrite(read(self.path / FILE_NAME))
            else:
                self._live_log.add(entries)
            self._behind = False
        except OSError as error:
            self._behind = True
            _log.warning("HpBandSter's live log is behind (%s); it follows later", error.strerror)

    def write_results_aside(self, incumbent: Mapping[str, Any] | None) -> None:
        """Writes ``incumbent.json``, and now and then ``results.pkl`` in a process of its own."""
        self._write_incumbent(incumbent)
        if time.monotonic() >= self._results_due and not self._is_writing():
            self._results_due = time.monotonic() + RESULTS_EVERY
            self._writing = write_pickle_aside(self.path, self._ladder)

    def write_results(self, incumbent: Mapping[str, Any] | None) -> None:
        """Writes ``results.pkl`` and ``incumbent.json``.

        Raises:
            OSError: they cannot be written.
        """
        if self._writing is not None:
            self._writing.wait()
        write_pickle(self.path, self._ladder)
        self._write_incumbent(incumbent)

    def _is_writing(self) -> bool:
        return self._writing is not None and self._writing.poll() is None

    def _write_incumbent(self, incumbent: Mapping[str, Any] | None) -> None:
        if incumbent is not None:
            record = {"run_id": self._settings.run_id, **incumbent}
            _write_json(self.path / "incumbent.json", record)

    def keep_model(self) -> None:
        """Copies the retrained incumbent of the best seed to ``model.keras``."""
        retrained = [
            news
            for news, _ in counted(read(self.path / FILE_NAME))
            if news.evaluation.trial.bracket == COMPARISON_BRACKET and news.loss is not None
        ]
        incumbents = [each for each in retrained if each.evaluation.trial.rung == INCUMBENT_ARM]
        best = min(incumbents or retrained, key=lambda news: news.loss or 0.0, default=None)
        # The folder is that of the trial: nothing that a worker says becomes a path.
        folder = comparison_folder(best.evaluation.trial) if best else ""
        if folder and (model := self.path / folder / MODEL_FILE).is_file():
            with model.open("rb") as source:
                write_whole(
                    self.path / MODEL_FILE, lambda target: shutil.copyfileobj(source, target)
                )

    def tell_nameserver(self, nameserver: tuple[str, int] | None) -> None:
        """Tells workers that share the directory where the nameserver is; None: the run is over."""
        try:
            _write_json(self.path / NAMESERVER_FILE, nameserver)
        except OSError as error:
            _log.warning("%s could not be written (%s)", NAMESERVER_FILE, error.strerror)

    def close(self) -> None:
        """Closes the journal."""
        self._journal.close()


def _write_json(file: Path, value: object) -> None:
    write_whole(file, json.dumps(value, indent=2) + "\n", durable=False)
