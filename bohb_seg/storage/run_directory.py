"""One run's directory: what is in it, how it is opened, gone on with and kept up to date."""

import json
import logging
import math
import shutil
import subprocess
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from bohb_seg.errors import JournalError, SettingsError
from bohb_seg.files import write_whole
from bohb_seg.search.events import Discard, Evaluated
from bohb_seg.search.hyperband import Ladder
from bohb_seg.settings import NAMESERVER_FILE, SearchSettings, flag_of, public
from bohb_seg.storage.checkpoint_retention import cap, leftovers
from bohb_seg.storage.checkpoint_store import Storage
from bohb_seg.storage.hpbandster_files import LiveLog, write_pickle, write_pickle_aside
from bohb_seg.storage.journal import FILE_NAME, Entry, Event, Journal, RunStarted, counted, read
from bohb_seg.trials import (
    COMPARISON_BRACKET,
    INCUMBENT_ARM,
    Info,
    TrialId,
    checkpoint_folder,
)

OF_THIS_START = (
    *("host", "port", "nameserver", "tls", "insecure", "local_workers", "min_workers"),
    *("heartbeat", "checkpoint_gb", "dashboard"),
    *("resume", "restartable", "log_level", "cache_dir", "run_dir", "max_hours"),
)
"""Settings that may differ from those of the run that is resumed; each start has its own, but one
that says nothing of ``max_hours`` has those of the first."""

CAP_EVERY = 10.0
"""Seconds between two looks at how much the checkpoints take."""
RESULTS_EVERY = 30.0
"""Seconds between two writings of ``results.pkl``; brackets that are shorter share one."""

RECORDED_VERSIONS = (
    *("bohb-seg", "hpbandster", "ConfigSpace", "Pyro4", "keras", "tensorflow", "jax", "numpy"),
)
"""Packages whose version is kept with the settings."""


_log = logging.getLogger(__name__)


class RunDirectory:
    """The files of a run; every change of the run passes through :meth:`record`.

    Args:
        settings: All settings of the run.
        start: The first entry of its journal.
        past: The journal so far; empty for a new run.

    Raises:
        SettingsError: the directory cannot be written.
    """

    def __init__(self, settings: SearchSettings, start: RunStarted, past: Sequence[Entry]) -> None:
        self.path, self._settings = settings.run_dir, settings
        self._ladder = Ladder(settings.min_budget, settings.max_budget, settings.eta)
        self._writing: subprocess.Popen[bytes] | None = None
        self._behind = False
        self._losses: dict[TrialId, float] = {}
        self._note_losses(entry.event for entry in past)
        self._cap_due = self._results_due = -math.inf
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._journal = Journal(self.path / FILE_NAME)
            self.storage = Storage(self.path)
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
        text = yaml.safe_dump(_settings_record(start), sort_keys=False)
        write_whole(self.path / "settings.yaml", text, durable=False)
        self._journal.append([start])

    def record(self, events: Sequence[Event]) -> None:
        """Makes events durable: in the journal, then in HpBandSter's files that follow from it.

        Raises:
            OSError: the journal could not be written; nothing is recorded.
        """
        entries = self._journal.append(events)
        self._note_losses(events)
        try:
            if self._behind:
                self._live_log.rewrite(read(self.path / FILE_NAME))
            else:
                self._live_log.add(entries)
            self._behind = False
        except OSError as error:
            self._behind = True
            _log.warning("HpBandSter's live log is behind (%s); it follows later", error.strerror)

    def _note_losses(self, events: Iterable[Event]) -> None:
        """The latest loss of each trial that has a checkpoint."""
        for event in events:
            match event:
                case Evaluated(evaluation=evaluation, loss=float() as loss):
                    self._losses[evaluation.trial] = loss
                case Discard(trial=trial):
                    self._losses.pop(trial, None)

    def keep_cap(self, running: Collection[TrialId]) -> Sequence[TrialId]:
        """Removes the checkpoints of the worst trials if ``--checkpoint-gb`` is used up.

        Args:
            running: Trials whose checkpoint is being written or read.

        Returns:
            The trials whose checkpoint was removed.
        """
        if self._settings.checkpoint_gb is None or time.monotonic() < self._cap_due:
            return ()
        self._cap_due = time.monotonic() + CAP_EVERY
        return cap(self.path, self._settings.checkpoint_gb, self._losses, running)

    def keep_only(self, live: Collection[TrialId]) -> None:
        """Removes what is left of the checkpoints of all other trials."""
        for trial in leftovers(self.path, live):
            _log.debug("removed what was left of trial %s", trial)

    def discard(self, trial: TrialId) -> None:
        """Removes the checkpoint of a trial that is not needed any more."""
        shutil.rmtree(self.path / checkpoint_folder(trial), ignore_errors=True)

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
        artefacts = Info.read(best.info).artefacts if best else None
        if artefacts and (model := self.path / artefacts / "model.keras").is_file():
            with model.open("rb") as source:
                write_whole(
                    self.path / "model.keras", lambda target: shutil.copyfileobj(source, target)
                )

    def tell(self, nameserver: tuple[str, int] | None) -> None:
        """Tells workers that share our storage where the nameserver is; None: the run is over."""
        try:
            _write_json(self.path / NAMESERVER_FILE, nameserver)
        except OSError as error:
            _log.warning("%s could not be written (%s)", NAMESERVER_FILE, error.strerror)

    def close(self) -> None:
        """Closes the journal."""
        self._journal.close()


def holds_run(run_dir: Path) -> bool:
    """Whether a run has begun there: a crash may leave a journal without a whole first line."""
    journal = run_dir / FILE_NAME
    if not journal.exists():
        return False
    with journal.open("rb") as file:
        return file.readline().endswith(b"\n")


def refuse_used(run_dir: Path) -> None:
    """Refuses to start a new run where one lies already.

    Raises:
        SettingsError: names the two ways out.
    """
    if holds_run(run_dir):
        raise SettingsError(
            f"--run-dir {run_dir} already holds a run; add --resume to go on with it, or choose"
            " another --run-dir"
        )


def resumed(
    settings: SearchSettings, flags: Mapping[str, object]
) -> tuple[SearchSettings, list[Entry]]:
    """The settings and the journal of the run to go on with.

    Args:
        settings: As merged for this start.
        flags: What stood on the command line; None means that the flag was not given.

    Raises:
        SettingsError: there is no such run, or a flag contradicts it.
        JournalError: the journal is damaged.
    """
    journal = settings.run_dir / FILE_NAME
    if not journal.is_file():
        raise SettingsError(
            f"--resume: {settings.run_dir} holds no run; name its directory with --run-dir"
        )
    past = read(journal)
    start = started(past)
    if start is None:
        raise JournalError(journal, 1, "the journal does not begin with RunStarted")
    chosen = {name: getattr(settings, name) for name in OF_THIS_START}
    if "max_hours" not in settings.model_fields_set:
        del chosen["max_hours"]
    run = SearchSettings.model_validate({**start.settings, **chosen})
    now, had = settings.model_dump(mode="json"), run.model_dump(mode="json")
    for name in (name for name, value in flags.items() if value is not None):
        if now[name] != had[name]:
            raise SettingsError(
                f"{flag_of(name)} {now[name]} contradicts the run that is resumed, which has"
                f" {had[name]}; leave the flag out or start a new run"
            )
    return run, past


def started(past: Sequence[Entry]) -> RunStarted | None:
    """How the run began; None if it has not yet."""
    first = past[0].event if past else None
    return first if isinstance(first, RunStarted) else None


def _settings_record(start: RunStarted) -> dict[str, Any]:
    return {
        **{public(name): value for name, value in start.settings.items()},
        "versions": {name: _version(name) for name in RECORDED_VERSIONS},
        "git_commit": _git_commit(),
        "data_fingerprint": start.data.get("fingerprint"),
        "split_hash": start.data.get("split_hash"),
    }


def _version(package: str) -> str | None:
    """None if it is not installed: one of the two backends suffices."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return found.stdout.strip() or None


def _write_json(file: Path, value: object) -> None:
    write_whole(file, json.dumps(value, indent=2) + "\n", durable=False)
