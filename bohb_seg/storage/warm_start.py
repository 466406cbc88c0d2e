"""Observations of earlier runs, which a run learns before it begins: ``--warm-start``.

Everything that a search settled is handed to the optimizer, on all budgets and unchanged, the bad
evaluations too. The optimizer decides what it can use of a configuration of another space. An
earlier run does not pass on what it learnt from still earlier ones; they may be named beside it.

The optimizer's model compares losses as they are, so they must measure the same thing: runs with
other data, another split, another objective or another worker are refused. (Optuna's
``add_trials`` and HpBandSter's ``previous_result`` take whatever they are given; SageMaker tells a
warm start with identical data from transfer, and Syne Tune's transfer methods bring the losses of
each task to a scale of its own first, which published BOHB does not.) HpBandSter's files do not say
what was measured, so there is a warning only.
"""

import json
import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from bohb_seg import plugins
from bohb_seg.errors import JournalError, SettingsError
from bohb_seg.files import LARGEST_RECORD, read_regular
from bohb_seg.search.events import Evaluate
from bohb_seg.storage import journal, journal_entries
from bohb_seg.storage.hpbandster_files import check_of
from bohb_seg.storage.journal_entries import Entry, RunStarted
from bohb_seg.trials import Observation

_OBSERVATION = TypeAdapter(Observation)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EarlierRun:
    """A search that was run before, or still runs.

    Args:
        directory: Directory of the run.
        observations: Observations of the search, in the order in which they were settled.
        start: First entry of its journal; None for a run of HpBandSter's, which has none.
    """

    directory: Path
    observations: tuple[Observation, ...]
    start: RunStarted | None


def read(directories: Iterable[Path], flag: str = "--warm-start") -> list[EarlierRun]:
    """Reads earlier runs, each once, from our journal or else from HpBandSter's live log.

    Args:
        directories: Directories of the runs.
        flag: The flag that names them, for messages.

    Raises:
        SettingsError: there is no run in one of the directories.
        JournalError: the files of a run are damaged.
    """
    distinct = {directory.resolve(): directory for directory in directories}
    return [_read(directory, flag) for directory in distinct.values()]


def comparable(runs: Sequence[EarlierRun], start: RunStarted) -> tuple[Observation, ...]:
    """Observations of earlier runs that the optimizer of a new run can use.

    Args:
        runs: The earlier runs.
        start: First entry of the new run's journal.

    Raises:
        SettingsError: the losses of an earlier run are no measure for the new run, or its space has
            nothing in common with the new run's.
    """
    found: list[Observation] = []
    for run in runs:
        _refuse_other_losses(run, start)
        found += _usable(run, start, "--warm-start")
    return tuple(found)


def expected(runs: Sequence[EarlierRun], start: RunStarted) -> tuple[tuple[Observation, ...], ...]:
    """Observations of each run on other data: ``--prior``.

    Of their losses only the order within the run counts.

    Args:
        runs: The earlier runs.
        start: First entry of the new run's journal.

    Raises:
        SettingsError: a run has no loss, or its space has nothing in common with the new run's.
    """
    return tuple(_usable(run, start, "--prior") for run in runs)


def _usable(run: EarlierRun, start: RunStarted, flag: str) -> tuple[Observation, ...]:
    names = {hyperparameter["name"] for hyperparameter in start.space["hyperparameters"]}
    if run.observations and all(each.loss is None for each in run.observations):
        raise SettingsError(
            f"{flag} {run.directory}: none of its {len(run.observations)} evaluations has"
            " a loss, so nothing can be learnt from it; leave it out"
        )
    usable = [each for each in run.observations if not names.isdisjoint(each.configuration)]
    if not usable:
        raise SettingsError(
            f"{flag} {run.directory}: none of its {len(run.observations)} evaluations"
            " has a hyperparameter of this run's space; leave it out"
        )
    _log.info("learning from %d evaluations of %s", len(usable), run.directory)
    return tuple(usable)


def _read(directory: Path, flag: str) -> EarlierRun:
    try:
        if not directory.is_dir():
            problem = "there is no such directory"
        elif (path := directory / journal.FILE_NAME).is_file():
            entries = journal.read(path)
            if entries and isinstance(entries[0].event, RunStarted):
                return EarlierRun(directory, tuple(_of_journal(entries)), entries[0].event)
            problem = "its run has not begun yet"
        elif (directory / "configs.json").is_file() and (directory / "results.json").is_file():
            return EarlierRun(directory, tuple(_of_live_log(directory)), None)
        else:
            problem = (
                f"it holds no run, neither {journal.FILE_NAME} nor HpBandSter's configs.json and"
                " results.json"
            )
    except OSError as error:
        problem = f"it cannot be read ({error.strerror})"
    raise SettingsError(f"{flag} {directory}: {problem}; give the directory of an earlier run")


def _of_journal(entries: Sequence[Entry]) -> Iterator[Observation]:
    """Observations of the search; results of runoff and comparison are left out."""
    orders = [entry.event for entry in entries if isinstance(entry.event, Evaluate)]
    configurations = {order.evaluation.trial: order.configuration for order in orders}
    for news, _ in journal_entries.counted(entries):
        trial, budget = news.evaluation
        if trial.bracket >= 0:
            yield Observation(configurations[trial], budget, news.loss)


def _of_live_log(directory: Path) -> Iterable[Observation]:
    """Observations as HpBandSter reads them: of several results for one budget the last."""
    configurations = {
        tuple(identity): configuration
        for _, (identity, configuration, *_) in _lines(directory / "configs.json")
    }
    found: dict[tuple[Any, ...], Observation] = {}
    results = directory / "results.json"
    for number, (identity, budget, _, result, *_) in _lines(results, length=5):
        try:
            loss = math.nan if result is None else float(result["loss"])
            told = configurations[tuple(identity)], budget, loss if math.isfinite(loss) else None
            # By way of JSON, because the observation is written into the journal of the new run.
            seen = _OBSERVATION.validate_json(json.dumps(told, allow_nan=False))
        except (KeyError, TypeError, ValueError, OverflowError):
            raise _damaged(results, number) from None
        found[*identity, seen.budget] = seen
    return found.values()


def _lines(file: Path, length: int = 2) -> Iterator[tuple[int, list[Any]]]:
    """Lists that a file of HpBandSter's live log holds, with their lines counted from 1."""
    *whole, torn = read_regular(file, LARGEST_RECORD).split(b"\n")
    for number, line in enumerate(whole, start=1):
        record = _record(line)
        if record is None or len(record) < length:
            raise _damaged(file, number)
        if check_of(record) is False:
            raise JournalError(file, number, "it was changed after it had been written")
        yield number, record
    for line in (torn, torn[:-1]):  # whole all the same if only its end is lost or damaged
        if (record := _record(line)) and check_of(record):
            yield len(whole) + 1, record
            return


def _record(line: bytes) -> list[Any] | None:
    """The list of a line, which begins with the id of a trial; None if it is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, list) and record and _is_id(record[0]) else None


def _is_id(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(part, int) for part in value)


def _damaged(file: Path, line: int) -> JournalError:
    return JournalError(file, line, "not a line of HpBandSter's live log")


def _refuse_other_losses(run: EarlierRun, start: RunStarted) -> None:
    if run.start is None:
        _log.warning(
            "--warm-start %s: HpBandSter does not tell on which data it ran; its losses are taken"
            " to be comparable with this run's",
            run.directory,
        )
        return
    then, now = _measured(run.start), _measured(start)
    differing = [name for name in now if then[name] != now[name]]
    if not _is_same_worker(run, start):
        differing.append("worker")
    if differing:
        raise SettingsError(
            f"--warm-start {run.directory}: it had another {' and another '.join(differing)}, so"
            " its losses cannot be compared with this run's; leave it out"
        )


def _measured(start: RunStarted) -> Mapping[str, Any]:
    """Facts that decide what a loss measures."""
    return {
        "data set": start.data.get("fingerprint"),
        "split": start.data.get("split_hash"),
        "objective": start.settings.get("objective"),
    }


def _is_same_worker(run: EarlierRun, start: RunStarted) -> bool:
    """Whether one program measured the losses of both runs, as far as can be told.

    A file of one's own is the same if its content is, wherever it lies. If it has changed since, or
    if the earlier run did not record its content, its path decides.
    """
    assert run.start
    (then, its_class), (now, our_class) = (
        plugins.parts("workers", each.settings.get("worker", "segmentation"))
        for each in (run.start, start)
    )
    if its_class and our_class and its_class != our_class:
        return False
    if run.start.worker and run.start.worker == start.worker:
        return True
    if Path(then).expanduser().resolve() != Path(now).expanduser().resolve():
        return False
    if start.worker and run.start.worker:
        _log.warning(
            "--warm-start %s: %s has changed since; its losses are taken to be comparable with this"
            " run's",
            *(run.directory, then),
        )
    return True
