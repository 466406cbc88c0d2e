"""One run's directory: what is in it, how it is opened, gone on with and kept up to date."""

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from bohb_seg.errors import JournalError, SettingsError
from bohb_seg.hpbandster_files import LiveLog, write_pickle
from bohb_seg.journal import FILE_NAME, Entry, Event, Journal, RunStarted, read
from bohb_seg.settings import SearchSettings
from bohb_seg.trials import COMPARISON_BRACKET, INCUMBENT_ARM, Evaluated, TrialId

OF_THIS_START = (
    *("host", "port", "nameserver", "insecure", "local_workers", "min_workers", "heartbeat"),
    *("resume", "log_level", "cache_dir", "run_dir", "max_hours"),
)
"""Settings that may differ from those of the run that is resumed."""

RECORDED_VERSIONS = (
    *("bohb-seg", "hpbandster", "ConfigSpace", "Pyro4", "keras", "tensorflow", "numpy"),
)
"""Packages whose version is kept with the settings."""


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
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._journal = Journal(self.path / FILE_NAME)
        except OSError as error:
            raise SettingsError(
                f"--run-dir {self.path} cannot be written: {error.strerror}; choose another"
            ) from None
        self._live_log = LiveLog(self.path, settings.max_attempts)
        self._live_log.rewrite(past)
        if not past:
            _write_json(self.path / "configspace.json", start.space)
            text = yaml.safe_dump(_settings_record(start), sort_keys=False)
            (self.path / "settings.yaml").write_text(text, encoding="utf-8")

    def record(self, events: Iterable[Event]) -> None:
        """Makes events durable, in the journal first."""
        self._live_log.add(self._journal.append(events))

    def discard(self, trial: TrialId) -> None:
        """Removes the checkpoint of a trial that is not needed any more."""
        name = "-".join(map(str, trial))
        shutil.rmtree(self.path / "checkpoints" / name, ignore_errors=True)

    def write_results(self, incumbent: Mapping[str, Any] | None) -> None:
        """Writes ``results.pkl`` and ``incumbent.json``."""
        write_pickle(self.path, self._settings)
        if incumbent is not None:
            record = {"run_id": self._settings.run_id, **incumbent}
            _write_json(self.path / "incumbent.json", record)

    def keep_model(self) -> None:
        """Copies the retrained incumbent of the best seed to ``model.keras``."""
        results = {
            entry.event.evaluation.trial: entry.event
            for entry in read(self.path / FILE_NAME)
            if isinstance(entry.event, Evaluated)
            and entry.event.evaluation.trial.bracket == COMPARISON_BRACKET
            and entry.event.loss is not None
        }
        incumbents = [news for trial, news in results.items() if trial.rung == INCUMBENT_ARM]
        candidates = incumbents or list(results.values())
        best = min(candidates, key=lambda news: news.loss or 0.0, default=None)
        artefacts = best.info.get("artefacts") if best else None
        if artefacts and (model := self.path / artefacts / "model.keras").is_file():
            shutil.copyfile(model, self.path / "model.keras")

    def close(self) -> None:
        """Closes the journal."""
        self._journal.close()


def refuse_used(run_dir: Path) -> None:
    """Refuses to start a new run where one lies already.

    Raises:
        SettingsError: names the two ways out.
    """
    if (run_dir / FILE_NAME).exists():
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
    now = settings.model_dump(mode="json")
    for name in (name for name, value in flags.items() if value is not None):
        if name not in OF_THIS_START and now[name] != start.settings[name]:
            raise SettingsError(
                f"--{name.replace('_', '-')} {now[name]} contradicts the run that is resumed,"
                f" which has {start.settings[name]}; leave the flag out or start a new run"
            )
    chosen = {name: getattr(settings, name) for name in OF_THIS_START}
    return SearchSettings.model_validate({**start.settings, **chosen}), past


def started(past: Sequence[Entry]) -> RunStarted | None:
    """How the run began; None if it has not yet."""
    first = past[0].event if past else None
    return first if isinstance(first, RunStarted) else None


def _settings_record(start: RunStarted) -> dict[str, Any]:
    return {
        **start.settings,
        "versions": {name: version(name) for name in RECORDED_VERSIONS},
        "git_commit": _git_commit(),
        "data_fingerprint": start.data.get("fingerprint"),
        "split_hash": start.data.get("split_hash"),
    }


def _git_commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return found.stdout.strip() or None


def _write_json(file: Path, value: object) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
