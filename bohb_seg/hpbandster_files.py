"""``configs.json``, ``results.json`` and ``results.pkl`` out of the journal.

They open in unmodified HpBandSter (``logged_results_to_HBS_result``, ``pickle.load``) and, with
``configspace.json`` beside them, in DeepCAVE. Failed and diverged evaluations have no result but an
exception, as in HpBandSter. The final comparison is no part of the search and stays out.
"""

import json
import pickle
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hpbandster.core.result import Result, logged_results_to_HBS_result

from bohb_seg import hyperband
from bohb_seg.journal import Entry
from bohb_seg.settings import SearchSettings
from bohb_seg.trials import (
    COMPARISON_BRACKET,
    Evaluate,
    Evaluated,
    EvaluationId,
    TrialId,
    WorkersChanged,
)


class LiveLog:
    """HpBandSter's live log of a run, kept up with the journal.

    Args:
        run_dir: Where ``configs.json`` and ``results.json`` lie.
        max_attempts: A crash is a result only when it happened so many times.
    """

    def __init__(self, run_dir: Path, max_attempts: int) -> None:
        self._configs, self._results = run_dir / "configs.json", run_dir / "results.json"
        self._max_attempts = max_attempts
        self._trials: set[TrialId] = set()
        self._running: dict[EvaluationId, tuple[Evaluate, float]] = {}
        self._crashes: Counter[EvaluationId] = Counter()

    def rewrite(self, entries: Iterable[Entry]) -> None:
        """Writes both files anew from a whole journal."""
        self._configs.write_text("", encoding="utf-8")
        self._results.write_text("", encoding="utf-8")
        self.add(entries)

    def add(self, entries: Iterable[Entry]) -> None:
        """Appends what new entries of the journal mean."""
        configs: list[Sequence[Any]] = []
        results: list[Sequence[Any]] = []
        for entry in entries:
            match entry.event:
                case Evaluate() as order if order.evaluation.trial.bracket != COMPARISON_BRACKET:
                    configs.extend(self._ordered(order, entry.time))
                case WorkersChanged() as news:
                    self._lost(news.left)
                case Evaluated() as news:
                    results.extend(self._counted(news, entry.time))
        _append(self._configs, configs)
        _append(self._results, results)

    def _lost(self, workers: Iterable[str]) -> None:
        self._running = {
            evaluation: (order, started)
            for evaluation, (order, started) in self._running.items()
            if order.worker not in workers
        }

    def _ordered(self, order: Evaluate, time: float) -> list[Sequence[Any]]:
        self._running[order.evaluation] = order, time
        trial = order.evaluation.trial
        if trial in self._trials:
            return []
        self._trials.add(trial)
        return [(trial, order.configuration, {"model_based_pick": order.model_based})]

    def _counted(self, news: Evaluated, time: float) -> list[Sequence[Any]]:
        order, started = self._running.get(news.evaluation, (None, 0.0))
        if order is None or order.attempt != news.attempt:
            return []
        del self._running[news.evaluation]
        if news.outcome == "crashed":
            self._crashes[news.evaluation] += 1
            if self._crashes[news.evaluation] < self._max_attempts:
                return []
        times = {"submitted": started, "started": started, "finished": time}
        finished = news.outcome == "finished"
        result = {"loss": news.loss, "info": news.info} if finished else None
        trial, budget = news.evaluation
        return [(trial, budget, times, result, news.error)]


def write_pickle(run_dir: Path, settings: SearchSettings) -> None:
    """Writes ``results.pkl``, atomically; nothing while no evaluation has ended."""
    if not (run_dir / "results.json").stat().st_size:
        return
    result: Result = logged_results_to_HBS_result(str(run_dir))
    ladder = hyperband.Ladder(settings.min_budget, settings.max_budget, settings.eta)
    result.HB_config.update(
        eta=ladder.eta,
        min_budget=ladder.min_budget,
        max_budget=ladder.max_budget,
        budgets=list(ladder.budgets),
        max_SH_iter=len(ladder.budgets),
    )
    partial = run_dir / "results.pkl.partial"
    partial.write_bytes(pickle.dumps(result))
    partial.replace(run_dir / "results.pkl")


def _append(file: Path, lines: Sequence[Sequence[Any]]) -> None:
    if lines:
        with file.open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(line) + "\n" for line in lines)
