"""``configs.json``, ``results.json`` and ``results.pkl``, made from the journal.

They open in unmodified HpBandSter (``logged_results_to_HBS_result``, ``pickle.load``) and, with
``configspace.json`` beside them, in DeepCAVE. Failed and diverged evaluations have no result but an
exception, as in HpBandSter. Runoff and comparison are no part of the search and are left out.

Where HpBandSter takes further values, among the times of a result and beside ``model_based_pick``,
a line has a check: the CRC-32 of the line without it, as a number, because HpBandSter subtracts the
run's beginning from all that stands among the times. HpBandSter's own lines have none.
"""

import json
import logging
import math
import pickle
import subprocess
import sys
import time
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, final

from hpbandster.core.result import Result, logged_results_to_HBS_result

from bohb_seg import machine
from bohb_seg.files import LARGEST_RECORD, open_to_append, read_regular, write_whole
from bohb_seg.search.events import BracketFinished, Evaluate, Evaluated, Settled
from bohb_seg.search.hyperband import Ladder
from bohb_seg.storage.journal_entries import Entry, counted
from bohb_seg.trials import EvaluationId, TrialId

CHECK = "check"
"""Name of the check in the third part of a line."""
PICKLE_EVERY: Final = 30.0
"""Seconds between two writings of ``results.pkl``; brackets that are shorter share one."""

_Lines = Sequence[Sequence[Any]]

_log = logging.getLogger(__name__)


class LiveLog:
    """HpBandSter's live log of a run, kept up with the journal.

    Only results that count are in it, each with the times of its attempt. The object remembers no
    more than open brackets and evaluations.

    Args:
        run_dir: Directory of ``configs.json`` and ``results.json``.
    """

    def __init__(self, run_dir: Path) -> None:
        self._configs, self._results = run_dir / "configs.json", run_dir / "results.json"
        self._forget()

    def _forget(self) -> None:
        self._trials: dict[int, set[TrialId]] = {}  # of each bracket that is open
        self._started: dict[EvaluationId, dict[int, float]] = {}  # each attempt of what is open
        self._latest: list[Entry] = []  # the last news of a result, not settled yet perhaps

    def rewrite(self, entries: Iterable[Entry]) -> None:
        """Writes both files anew from a whole journal; each appears whole or stays as it was.

        Raises:
            OSError: a file cannot be written.
        """
        self._forget()
        configs, results = self._lines(entries)
        for file, lines in ((self._configs, configs), (self._results, results)):
            write_whole(file, _text(lines), durable=False, within=file.parent)

    def add(self, entries: Iterable[Entry]) -> None:
        """Appends a line for each new trial and each result that counts.

        Args:
            entries: New entries of the journal, oldest first.

        Raises:
            OSError: a file cannot be written; :meth:`rewrite` makes up for it.
        """
        configs, results = self._lines(entries)
        _append(self._configs, configs)
        _append(self._results, results)

    def _lines(self, entries: Iterable[Entry]) -> tuple[_Lines, _Lines]:
        """The lines of both files that follow from new entries."""
        entries = [*self._latest, *entries]
        configs: list[Sequence[Any]] = []
        settled: list[EvaluationId] = []
        for entry in entries:
            match entry.event:
                case Evaluate() as order if _is_searched(order.evaluation):
                    configs.extend(self._ordered(order, entry.time))
                case Evaluated():
                    self._latest = [entry]
                case Settled() as order if _is_searched(order.evaluation):
                    settled.append(order.evaluation)
                case BracketFinished() as order:
                    self._trials.pop(order.bracket, None)
        results = [each for each in counted(entries) if _is_searched(each[0].evaluation)]
        assert [news.evaluation for news, _ in results] == settled, "settled without a result"
        return configs, [self._counted(*each) for each in results]

    def _ordered(self, order: Evaluate, time: float) -> list[Sequence[Any]]:
        self._started.setdefault(order.evaluation, {})[order.attempt] = time
        trial = order.evaluation.trial
        known = self._trials.setdefault(trial.bracket, set())
        if trial in known:
            return []
        known.add(trial)
        return [(trial, order.configuration, {"model_based_pick": order.model_based})]

    def _counted(self, news: Evaluated, time: float) -> Sequence[Any]:
        started = self._started.pop(news.evaluation)[news.attempt]
        times = {"submitted": started, "started": started, "finished": time}
        finished = news.outcome == "finished"
        result = {"loss": news.loss, "info": news.info} if finished else None
        trial, budget = news.evaluation
        return trial, budget, times, result, news.error


def check_of(line: Sequence[Any]) -> bool | None:
    """Whether a line is as it was written; None if it has no check, as HpBandSter's own have none.

    Args:
        line: A line of the live log as JSON has it.
    """
    told = line[2] if len(line) > 2 else None
    if not isinstance(told, dict) or CHECK not in told:
        return None
    rest = {name: value for name, value in told.items() if name != CHECK}
    return bool(told[CHECK] == _sum([*line[:2], rest, *line[3:]]))


def write_pickle(run_dir: Path, ladder: Ladder) -> None:
    """Writes ``results.pkl`` from the live log; nothing as long as no evaluation has ended.

    Only whole lines are read, so a master may go on writing them.

    Args:
        run_dir: Directory of the live log, and of ``results.pkl``.
        ladder: Budgets of the run, which HpBandSter would infer from the results.

    Raises:
        OSError: the file cannot be written.
    """
    with TemporaryDirectory(prefix=".results-", dir=run_dir) as copy:
        for name in ("results.json", "configs.json"):  # in this order no result lacks its trial
            text = read_regular(run_dir / name, LARGEST_RECORD)
            (Path(copy) / name).write_bytes(text[: text.rfind(b"\n") + 1])
        if not (Path(copy) / "results.json").stat().st_size:
            return
        result: Result = logged_results_to_HBS_result(copy)
        result.HB_config.update(
            eta=ladder.eta,
            min_budget=ladder.min_budget,
            max_budget=ladder.max_budget,
            budgets=list(ladder.budgets),
            max_SH_iter=len(ladder.budgets),
        )
        write_whole(run_dir / "results.pkl", pickle.dumps(result), durable=False, within=run_dir)


@final
class PickleAside:
    """Writes ``results.pkl`` now and then in a process of its own.

    It takes the longer the longer a run is. The process ends with this one, for else it might write
    over the pickle of the next master.

    Args:
        run_dir: The run directory.
        ladder: Budgets and eta of the run.
    """

    def __init__(self, run_dir: Path, ladder: Ladder) -> None:
        words = (run_dir, ladder.min_budget, ladder.max_budget, ladder.eta)
        self._command = machine.tied(__name__, *words)
        self._process: subprocess.Popen[bytes] | None = None
        self._due = -math.inf

    def write_if_due(self) -> None:
        """Starts a process, unless one is at work or was started a short while ago.

        Raises:
            OSError: it cannot be started.
        """
        if time.monotonic() < self._due or (self._process and self._process.poll() is None):
            return
        self._due = time.monotonic() + PICKLE_EVERY
        self.wait()
        self._process = subprocess.Popen(self._command, stderr=subprocess.PIPE)

    def wait(self) -> None:
        """Waits for the process, and says why if it could not write."""
        if self._process is None:
            return
        _, said = self._process.communicate()
        if status := self._process.returncode:
            reason = (said.decode(errors="replace").splitlines() or [f"status {status}"])[-1]
            _log.warning("results.pkl could not be written (%s); it follows", reason)
        self._process = None


def _append(file: Path, lines: _Lines) -> None:
    if lines:
        with open_to_append(file) as stream:
            stream.write(_text(lines).encode())


def _text(lines: _Lines) -> str:
    checked = ([*line[:2], {**line[2], CHECK: _sum(line)}, *line[3:]] for line in lines)
    return "".join(json.dumps(line) + "\n" for line in checked)


def _sum(line: Sequence[Any]) -> int:
    return zlib.crc32(json.dumps(line).encode())


def _is_searched(evaluation: EvaluationId) -> bool:
    return evaluation.trial.bracket >= 0


if __name__ == "__main__":
    directory, *numbers = sys.argv[1:]
    try:
        write_pickle(Path(directory), Ladder(*map(float, numbers)))
    except Exception as error:  # whatever it is, the master writes the file once more at its end
        sys.exit(str(error))
