"""Writes a run directory as a search would leave it: simulated, seeded, through the real journal.

To look at a report: ``PYTHONPATH=tests python -m helpers.recorded_run DIR && bohb-report DIR``.
"""

import heapq
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import numpy as np
from helpers.recorded_info import SECONDS_PER_EPOCH, collapsed, information, patient
from helpers.recorded_scenes import CLASSES, NAMES, predictions, scenes, score_histograms, scores

from bohb_seg.search.events import (
    BracketFinished,
    Discard,
    Evaluate,
    Evaluated,
    Finish,
    Settled,
    WorkersChanged,
)
from bohb_seg.storage.journal import FILE_NAME, Journal
from bohb_seg.storage.journal_entries import RunResumed, RunStarted
from bohb_seg.trials import EvaluationId, Observation, TrialId

DEFAULT = {"batch_size": 16, "learning_rate": 0.007, "activation": "relu"}
SPACE = {
    "hyperparameters": [
        {"type": "uniform_int", "name": "batch_size", "lower": 1, "upper": 32, "log": False},
        {
            "type": "uniform_float",
            "name": "learning_rate",
            "lower": 1e-4,
            "upper": 0.1,
            "log": True,
        },
        {"type": "categorical", "name": "activation", "choices": ["relu", "swish", "none"]},
    ]
}
BRACKETS = (((1, 27), (3, 9), (9, 3), (27, 1)), ((3, 9), (9, 3), (27, 1)), ((9, 6), (27, 2)))
"""(budget, trials) of every rung."""
WORKERS = ("hpbandster.run_demo.worker.alpha.101", "hpbandster.run_demo.worker.beta.202")
START = 1_790_000_000.0


class Clock:
    """Stands for ``time.time`` while the journal is written."""

    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now


class Settling:
    """Orders what a scheduler orders first: the first result settles its evaluation."""

    def __init__(self):
        self.settled = set()

    def __call__(self, *events):
        for event in events:
            yield event
            decides = isinstance(event, Evaluated) and event.outcome != "crashed"
            if decides and event.evaluation not in self.settled:
                self.settled.add(event.evaluation)
                yield Settled(event.evaluation, event.attempt, event.worker)


@dataclass
class Recorder:
    """A journal with a clock of its own."""

    path: Path
    clock: Clock = field(default_factory=Clock)
    settling: Settling = field(default_factory=Settling)

    def __post_init__(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.journal = Journal(self.path)

    def __call__(self, *events, at=None):
        self.clock.now = self.clock.now if at is None else START + at
        with mock.patch("bohb_seg.storage.journal.time.time", self.clock):
            self.journal.append(self.settling(*events))


EARLIER = (
    Observation({"batch_size": 8, "learning_rate": 0.004, "activation": "relu"}, 27.0, 0.41),
    Observation({"batch_size": 8, "learning_rate": 0.09, "activation": "none"}, 27.0, None),
)
TOO_LARGE = (
    'Traceback (most recent call last):\n  File "memory.py", line 1\n'
    "bohb_seg.errors.DoesNotFitError: the configuration runs out of memory on NVIDIA L4 even with"
    " a micro-batch of 1 patch of 64 x 64 pixels; give the run a worker with more memory, or a"
    " space with smaller networks\n"
)


def started(earlier=(), **settings):
    """The first entry of the simulated run."""
    known = {
        "run_id": "demo", "data": "../data/aerial", "patch_size": 64, "split": "group",
        "model": "unet", "objective": "default", "space": "milestone3-hyperband",
        "optimizer": "bohb",
        "n_iterations": 3, "min_budget": 1.0, "max_budget": 27.0, "eta": 3.0, "seed": 0,
    }  # fmt: skip
    data = {
        "fingerprint": "c0ffee",
        "classes": [{"name": name, "colour": list(rgb)} for name, rgb in CLASSES.items()],
        "patches": {"train": 220, "validation": 36, "test": 40},
    }
    return RunStarted({**known, **settings}, SPACE, data, DEFAULT, earlier)


def sample(random, model):
    """A configuration; the model's lie nearer to the good ones."""
    if model:
        rate, activation = (
            10 ** random.normal(-2.7, 0.3),
            random.choice(["swish", "relu"], p=[0.8, 0.2]),
        )
    else:
        rate, activation = 10 ** random.uniform(-4, -1), random.choice(["relu", "swish", "none"])
    size = int(random.integers(1, 33))
    return {"batch_size": size, "learning_rate": float(rate), "activation": str(activation)}


class Simulation:
    """A search on two workers, with a diverged, a crashed and a lost evaluation."""

    def __init__(self, record, brackets, seed):
        self.record, self.brackets = record, brackets
        self.random = np.random.default_rng(seed)
        self.free = [(0.0, worker) for worker in WORKERS]
        self.pending = []
        self.done = 0
        self.known = []

    def run(self):
        self.record(started(EARLIER, warm_start=["../runs/earlier"]))
        self.record(WorkersChanged(joined=WORKERS), at=2.0)
        for bracket, rungs in enumerate(self.brackets):
            self._bracket(bracket, rungs)
            self.record(BracketFinished(bracket))

    def best(self):
        """Configurations at the largest budget, best first, and that budget."""
        largest = max(budget for budget, _, _ in self.known)
        its = [each for each in self.known if each[0] == largest]
        return [each[2] for each in sorted(its, key=lambda each: each[1])], largest

    def _bracket(self, bracket, rungs):
        models = [bracket > 0 and self.random.random() < 0.7 for _ in range(rungs[0][1])]
        field_ = [(sample(self.random, model), model) for model in models]
        if bracket == 0:
            field_[0] = (DEFAULT, False)
        alive = {TrialId(bracket, 0, n): each for n, each in enumerate(field_)}
        before = 0.0
        for budget, places in rungs:
            alive = {trial: alive[trial] for trial in list(alive)[:places]}
            losses = self._rung(alive, budget, before)
            ranked = sorted(losses, key=losses.get)
            alive, before = {trial: alive[trial] for trial in ranked}, budget

    def _rung(self, alive, budget, before):
        losses = {}
        for trial, (configuration, model) in alive.items():
            loss = self._evaluation(trial, configuration, model, float(budget), float(before))
            losses[trial] = math.inf if loss is None else loss
        return losses

    def _evaluation(self, trial, configuration, model, budget, before, attempt=1):
        """Hands out to the worker that is free first; tells accidents by a running number."""
        self.done += 1
        start, worker = heapq.heappop(self.free)
        evaluation = EvaluationId(trial, budget)
        self._at(start + 0.5, Evaluate(evaluation, attempt, worker, configuration, model))
        end = start + 0.5 + (budget - before) * SECONDS_PER_EPOCH * self.random.uniform(0.8, 1.3)
        if self.done == 30:
            self._at(end - 2, WorkersChanged(left=(worker,)))
            self._at(end + 30, WorkersChanged(joined=(worker,)))
            heapq.heappush(self.free, (end + 30, worker))
            return self._evaluation(trial, configuration, model, budget, before, attempt + 1)
        heapq.heappush(self.free, (end, worker))
        if self.done == 12 or configuration["learning_rate"] > 0.08:
            text = "the loss became nan in epoch 1"
            self._at(end, Evaluated(evaluation, attempt, worker, "diverged", None, {}, text))
            return None
        if self.done in (20, 25):
            text = (
                'Traceback (most recent call last):\n  File "x.py", line 1\nOSError: disk on fire'
            )
            text = text if self.done == 20 else TOO_LARGE
            self._at(end, Evaluated(evaluation, attempt, worker, "crashed", None, {}, text))
            return self._evaluation(trial, configuration, model, budget, before, attempt + 1)
        loss, info = information(configuration, budget, before, self.random)
        if self.done in (35, 50):
            loss, info = collapsed(info)
        self.known.append((budget, loss, configuration))
        self._at(end, Evaluated(evaluation, attempt, worker, "finished", loss, info))
        return loss

    def _at(self, time, event):
        heapq.heappush(self.pending, (time, len(self.pending) + 1000 * self.done, event))

    def flush(self):
        """Writes what happened in order of time."""
        while self.pending:
            time, _, event = heapq.heappop(self.pending)
            self.record(event, at=time)


def write_run(
    directory,
    *,
    brackets=BRACKETS,
    seeds=3,
    arms=("default", "incumbent"),
    seed=3,
    end=True,
    candidates=3,
):
    """Writes a whole run directory and returns it.

    Args:
        directory: Where; its journal must not exist yet.
        brackets: Rungs of every bracket, as ``BRACKETS``.
        seeds: Of the comparison; 0 for none.
        arms: Which of ``default`` and ``incumbent`` the comparison has.
        seed: Of the simulation.
        end: Whether the journal ends with a ``Finish``.
        candidates: Of the runoff; 0 for none.
    """
    directory = Path(directory)
    record = Recorder(directory / FILE_NAME)
    simulation = Simulation(record, brackets, seed)
    simulation.run()
    simulation.flush()
    ranked, budget = simulation.best()
    record(RunResumed(), at=max(time for time, _ in simulation.free) + 1)
    record(WorkersChanged(joined=WORKERS), at=max(time for time, _ in simulation.free) + 6)
    random = np.random.default_rng(seed + 1)
    best = write_runoff(record, ranked[:candidates], budget, random) if candidates else ranked[0]
    if seeds:
        both = {"default": DEFAULT, "incumbent": best}
        write_comparison(directory, record, both, arms, seeds, random)
    record(Discard(TrialId(0, 0, 0)))
    if end:
        record(Finish("all brackets are done"))
    record.journal.close()
    return directory


def write_runoff(record, ranked, budget, random, seeds=2):
    """The candidates trained again; returns the winner."""
    begin, sums = record.clock.now - START + 2, [0.0] * len(ranked)
    for index, (seed, rank) in enumerate(np.ndindex(seeds, len(ranked))):
        start = begin + (index // 2) * budget * SECONDS_PER_EPOCH * 1.05
        evaluation, worker = EvaluationId(TrialId(-2, rank, seed), budget), WORKERS[index % 2]
        loss, info = information(ranked[rank], budget, 0.0, random)
        loss += (0.03, 0.004, 0.012)[rank % 3]
        sums[rank] += loss
        record(Evaluate(evaluation, 1, worker, ranked[rank]), at=start)
        end = start + budget * SECONDS_PER_EPOCH
        record(Evaluated(evaluation, 1, worker, "finished", loss, info), at=end)
    return ranked[sums.index(min(sums))]


def write_comparison(directory, record, configurations, arms, seeds, random, epochs=40):
    """Both arms with their artefacts, evaluations one after the other on the two workers."""
    images, labels = scenes(36, 64, random)
    folder = directory / "comparison"
    folder.mkdir(exist_ok=True)
    sources = np.array(
        [f"Tile {i // 9}/images/part_00{i % 9 + 1}.jpg@{64 * i},0" for i in range(36)]
    )
    np.savez(
        folder / "validation.npz", images=images, labels=labels, sources=sources,
        class_names=np.array(NAMES), class_colours=np.array(list(CLASSES.values()), dtype=np.uint8),
    )  # fmt: skip
    begin = record.clock.now - START + 2
    for index, (name, number) in enumerate((arm, n) for n in range(seeds) for arm in arms):
        rung = ("default", "incumbent").index(name)
        start = begin + (index // 2) * epochs * SECONDS_PER_EPOCH * 1.02
        evaluation = EvaluationId(TrialId(-1, rung, number), float(epochs))
        order = Evaluate(evaluation, 1, WORKERS[index % 2], configurations[name])
        info, loss = retraining(
            directory, name, number, configurations[name], labels, epochs, random
        )
        record(order, at=start)
        record(
            Evaluated(evaluation, 1, order.worker, "finished", loss, info),
            at=start + epochs * SECONDS_PER_EPOCH * (0.93 + 0.05 * rung),
        )


def retraining(directory, name, number, configuration, labels, epochs, random):
    """Info and loss of one retraining; writes its predictions."""
    artefacts = f"comparison/{name}-{number}"
    (directory / artefacts).mkdir(parents=True)
    loss, info = patient(information(configuration, float(epochs), 0.0, random)[1])
    arrays, parts = {}, {}
    for part, harder in (("train", 0.75), ("validation", 1.0), ("test", 1.1)):
        error = harder * (0.16 if name == "incumbent" else 0.22) + random.normal(0, 0.01)
        predicted = predictions(labels, error, random)
        positive, negative = score_histograms(labels, error, random)
        arrays |= {f"{part}_positive": positive, f"{part}_negative": negative}
        if part == "validation":
            arrays["validation"] = predicted
        parts[part] = scores(labels, predicted, loss * harder)
    np.savez_compressed(directory / artefacts / "predictions.npz", **arrays)
    return {**info, "parts": parts, "artefacts": artefacts}, loss


if __name__ == "__main__":
    print(write_run(sys.argv[1]))
