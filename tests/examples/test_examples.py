"""The examples keep the contracts of their kinds, and are short."""

from pathlib import Path

import cv2
import pytest
from helpers.data_folder import Folder

from bohb_seg.testing.datasets import DatasetContract
from bohb_seg.testing.models import ModelContract
from bohb_seg.testing.optimizers import OptimizerContract
from bohb_seg.testing.spaces import SpaceContract
from bohb_seg.testing.workers import WorkerContract

EXAMPLES = Path(__file__).parents[2] / "examples"
MOST_LINES = 60

MODEL, SPACE = str(EXAMPLES / "dilated.py"), str(EXAMPLES / "dilated_space.py")
OPTIMIZER, WORKER = str(EXAMPLES / "local_search.py"), str(EXAMPLES / "spirals.py")


@pytest.mark.training
@pytest.mark.parametrize("plugin", [MODEL])
class TestModel(ModelContract):
    pass


@pytest.mark.parametrize("plugin", [SPACE])
class TestSpace(SpaceContract):
    @pytest.fixture
    def model(self):
        return MODEL


@pytest.mark.parametrize("plugin", [OPTIMIZER])
class TestOptimizer(OptimizerContract):
    pass


class TestDataset(DatasetContract):
    @pytest.fixture
    def plugin(self, tmp_path):
        folder = Folder(tmp_path)
        for number in range(6):
            image, _ = folder.add(name=f"{number}")
            place = tmp_path / "flat"
            place.mkdir(exist_ok=True)
            cv2.imwrite(str(place / f"{number}.jpg"), image)
            (folder.root / f"Tile 1/masks/{number}.png").rename(place / f"{number}_mask.png")
        return f"{EXAMPLES / 'side_by_side.py'}:{place}"


@pytest.mark.parametrize("plugin", [WORKER])
class TestWorker(WorkerContract):
    @pytest.fixture
    def space(self):
        return "milestone3-hyperband"


def test_there_is_one_of_each_kind_and_it_is_short():
    lines = {path.name: len(path.read_text().splitlines()) for path in EXAMPLES.glob("*.py")}
    assert lines.keys() == {
        *("dilated.py", "dilated_space.py", "local_search.py", "side_by_side.py", "spirals.py"),
    }
    assert max(lines.values()) < MOST_LINES
