"""The contract of a worker: what ``bohb-worker`` asks of a subclass of HpBandSter's ``Worker``."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hpbandster.core.worker import Worker

from bohb_seg.rpc import values
from bohb_seg.settings import TrainingSettings, WorkerSettings
from bohb_seg.spaces.formats import configspace, loading
from bohb_seg.trials import CHECKPOINTS
from bohb_seg.worker import start

TRIAL = (0, 0, 0)


class WorkerContract:
    """Tests of one worker: ``NAME`` or ``FILE.py[:Class]``."""

    @pytest.fixture
    def space(self) -> str:
        """A search space whose default configuration the worker can compute."""
        return "counting"

    @pytest.fixture
    def settings(self, tmp_path: Path) -> TrainingSettings:
        """Settings of the run, for a worker that takes them."""
        return TrainingSettings(patch_size=64, cache_dir=tmp_path / "cache")

    @pytest.fixture
    def worker(self, plugin: str, settings: TrainingSettings) -> Worker:
        """The worker as ``bohb-worker`` builds it; it talks to nobody."""
        return start.build(
            start.load_worker_class(plugin), WorkerSettings(worker=plugin), settings, "contract"
        )

    def test_its_facts_are_text(self, worker: Worker) -> None:
        facts = worker.facts() if hasattr(worker, "facts") else {}
        assert all(isinstance(text, str) for pair in facts.items() for text in pair)

    def test_it_computes_a_loss(self, worker: Worker, space: str, tmp_path: Path) -> None:
        result = computed(worker, space, 1.0, tmp_path)
        assert math.isfinite(result["loss"])

    def test_its_result_survives_the_wire(self, worker: Worker, space: str, tmp_path: Path) -> None:
        info = computed(worker, space, 1.0, tmp_path).get("info", {})
        assert values.plain(info) == info
        assert json.loads(json.dumps(info)) == info

    def test_a_promoted_trial_goes_on(self, worker: Worker, space: str, tmp_path: Path) -> None:
        """The budget is a total, and the files of the smaller budget are still there."""
        computed(worker, space, 1.0, tmp_path)
        assert math.isfinite(computed(worker, space, 3.0, tmp_path)["loss"])


def computed(worker: Worker, space: str, budget: float, directory: Path) -> dict[str, Any]:
    """The result of the default configuration of a space."""
    (directory / CHECKPOINTS).mkdir(exist_ok=True)  # as in the directory of a run
    configuration = configspace.plain(loading.load(space).get_default_configuration())
    result: dict[str, Any] = worker.compute(
        config_id=TRIAL,
        config=configuration,
        budget=budget,
        working_directory=str(directory),
    )
    return result
