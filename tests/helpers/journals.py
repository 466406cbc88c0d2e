"""Short journals by hand, as entries in memory."""

from pathlib import Path

from helpers.recorded_run import DEFAULT, SPACE, Settling

from bohb_seg.report.analysis.history import replay
from bohb_seg.search.events import Evaluate, Evaluated, Finish, WorkersChanged
from bohb_seg.storage.journal_entries import Entry, RunStarted
from bohb_seg.trials import EvaluationId, TrialId

OTHER = {"batch_size": 8, "learning_rate": 0.001, "activation": "swish"}
CURVES = {"epoch": [1, 2, 3], "train_loss": [0.9, 0.7, 0.6], "validation_loss": [0.8, 0.5, 0.7]}


def evaluation(trial, budget):
    return EvaluationId(TrialId(*trial), float(budget))


def order(trial, budget, worker="a", attempt=1, configuration=OTHER, model=False):
    return Evaluate(evaluation(trial, budget), attempt, worker, configuration, model)


def news(trial, budget, loss, worker="a", attempt=1, outcome="finished", **info):
    error = None if outcome == "finished" else f"Traceback\nValueError: {outcome}"
    return Evaluated(evaluation(trial, budget), attempt, worker, outcome, loss, info, error)


def run(*timed, directory=Path("run"), settles=True, default=DEFAULT, settings=None, **given):
    """A run out of (time, event) pairs after its start at time 0; first results settle."""
    start = RunStarted({"run_id": "r", **(settings or {})}, SPACE, {}, default, **given)
    entries, settling = [Entry(0.0, start)], Settling()
    for time, event in timed:
        events = settling(event) if settles else (event,)
        entries += [Entry(float(time), each) for each in events]
    return replay(directory, entries)


def search(*losses_by_trial, bracket=0):
    """A run on one worker: each trial a dict budget -> loss (None: diverged), in turn."""
    timed, time = [(1, WorkersChanged(joined=("a",)))], 10
    for number, losses in enumerate(losses_by_trial):
        before = 0
        for budget, loss in losses.items():
            outcome = "diverged" if loss is None else "finished"
            trained = {"epochs_trained": budget - before}
            timed.append((time, order((bracket, 0, number), budget)))
            timed.append(
                (time + 10, news((bracket, 0, number), budget, loss, outcome=outcome, **trained))
            )
            before, time = budget, time + 10
    return run(*timed)


def ended(stopped):
    """A run of two trials with curves; the second ended early for this reason."""
    timed = []
    for number, reason in enumerate((None, stopped)):
        told = {"curves": CURVES, "stopped": reason}
        timed += [(1, order((0, 0, number), 3)), (2, news((0, 0, number), 3, 0.7 + number, **told))]
    return run(*timed)


def run_off(first, second, *, ended=True):
    """Trial 0 (OTHER) was better in the search than trial 1 (DEFAULT); losses of the runoff."""
    timed = []
    for number, (configuration, loss) in enumerate(((OTHER, 0.1), (DEFAULT, 0.2))):
        timed.append((1, order((0, 0, number), 3, configuration=configuration)))
        timed.append((2, news((0, 0, number), 3, loss)))
    for rank, (configuration, losses) in enumerate(((OTHER, first), (DEFAULT, second))):
        for seed, loss in enumerate(losses):
            outcome = "diverged" if loss is None else "finished"
            timed.append((3, order((-2, rank, seed), 3, configuration=configuration)))
            timed.append((4, news((-2, rank, seed), 3, loss, outcome=outcome)))
    return run(*timed, *([(5, order((-1, 0, 0), 9, configuration=DEFAULT))] if ended else []))


def comparison(default, incumbent, *, parts=("validation", "test"), finish=True):
    """A run whose two arms have these losses by seed (None: diverged); mIoU is 1 - loss."""
    timed = [(1, order((0, 0, 1), 3)), (2, news((0, 0, 1), 3, 0.1))]
    for rung, losses in enumerate((default, incumbent)):
        for seed, loss in enumerate(losses or ()):
            trial, configuration = (-1, rung, seed), (DEFAULT, OTHER)[rung]
            timed.append((10, order(trial, 9, configuration=configuration)))
            if loss is None:
                timed.append((20, news(trial, 9, None, outcome="diverged")))
                continue
            scores = {part: {"loss": loss, "miou": 1 - loss} for part in parts}
            timed.append((20, news(trial, 9, loss, parts=scores)))
    planned = {"final_seeds": max(3, len(default or ()))}
    return run(*timed, *([(30, Finish("done"))] if finish else []), settings=planned)
