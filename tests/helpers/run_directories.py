"""Small run directories, made by the real class."""

from bohb_seg.search.events import Evaluate, Evaluated, Settled, WorkersChanged
from bohb_seg.settings import SearchSettings
from bohb_seg.storage import resume
from bohb_seg.storage.journal_entries import RunStarted
from bohb_seg.storage.run_directory import RunDirectory
from bohb_seg.trials import EvaluationId, TrialId


def chosen(folder, **flags):
    return SearchSettings(**{"run_id": "r", "run_dir": folder / "run", "seed": 5, **flags})


def beginning(settings):
    data = {"fingerprint": "f" * 8, "split_hash": "s" * 8}
    return RunStarted(settings.model_dump(mode="json"), {"hyperparameters": []}, data, {"x": 1})


def new_run(folder):
    settings = chosen(folder)
    return RunDirectory(settings, beginning(settings), [])


def gone_on_with(settings, start=None):
    """The directory of a run as the next master opens it."""
    journal = resume.opened(settings)
    past = journal.read()
    return RunDirectory(settings, start or past[0].event, past, journal)


def evaluation(number=0, bracket=0, rung=0, budget=9.0):
    return EvaluationId(TrialId(bracket, rung, number), budget)


def evaluated(identity, loss, **info):
    outcome = "diverged" if loss is None else "finished"
    return Evaluated(identity, 1, "w", outcome, loss, info)


def searched(loss=0.5):
    begun = Evaluate(evaluation(), 1, "w", {"x": 1})
    ended = evaluated(evaluation(), loss)
    return [WorkersChanged(joined=("w",)), begun, ended, Settled(evaluation(), 1, "w")]
