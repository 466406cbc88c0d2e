"""The worker gives each evaluation the split that its bracket and number ask for."""

import numpy as np
import pytest

from bohb_seg.data.other_splits import OtherSplits
from bohb_seg.settings import TrainingSettings, WorkerSettings
from bohb_seg.training.evaluation import Job, evaluate
from bohb_seg.trials import COMPARISON_BRACKET, FOLDS_BRACKET, RUNOFF_BRACKET
from bohb_seg.worker import start

pytestmark = pytest.mark.training

RECIPE = {"batch_size": 4, "base_filters": 8, "depth": 1, "learning_rate": 3e-3}
FOLDS = 4


@pytest.fixture
def worker(folder):
    for number in range(8):
        folder.add(f"Tile {number}", "a", (32, 32))
    data = folder.settings().model_dump()
    settings = TrainingSettings(**data, precision="float32")
    found = start.load_worker_class("segmentation")
    return start.build(found, WorkerSettings(), settings, "run")


def test_the_runoff_and_the_folds_have_splits_of_their_own(worker, tmp_path):
    def computed(*trial):
        directory = tmp_path / "run"
        (directory / "checkpoints").mkdir(parents=True, exist_ok=True)
        return worker.compute(
            config_id=trial, config=RECIPE, budget=1.0, working_directory=str(directory)
        )

    worker.chosen_later = {"final_folds": FOLDS}  # it joined before the run had folds
    tested = []
    for number in range(FOLDS, 2 * FOLDS):  # of the second seed
        result = computed(FOLDS_BRACKET, 1, number)
        part = result["info"]["parts"]["test"]
        assert result["loss"] == result["info"]["parts"]["validation"]["loss"]
        assert np.sum(part["confusion"]) == 32 * 32 * len(part["groups"])
        tested += part["groups"]
    assert sorted(tested) == [f"Tile {number}" for number in range(8)]

    trial = (RUNOFF_BRACKET, 0, 0)
    rotated = computed(*trial)["loss"]
    job = Job(trial, RECIPE, 1.0, tmp_path / "other")
    (job.directory / "checkpoints").mkdir(parents=True)
    other = OtherSplits(worker.data).of(trial)
    assert rotated == pytest.approx(evaluate(worker._settings, other, job)["loss"], abs=1e-6)
    assert other.split_hash != worker.data.split_hash == worker.facts()["split_hash"]

    groups = computed(COMPARISON_BRACKET, 1, 0)["info"]["parts"]["test"]["groups"]
    assert set(groups) == {source.split("/")[0] for source in worker.data.test.sources}
