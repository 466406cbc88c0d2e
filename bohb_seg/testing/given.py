"""The contracts of the plug-ins that ``python -m bohb_seg.testing`` was given."""

from collections.abc import Mapping

import pytest

from bohb_seg import plugins
from bohb_seg.testing.datasets import DatasetContract
from bohb_seg.testing.models import ModelContract
from bohb_seg.testing.optimizers import OptimizerContract
from bohb_seg.testing.spaces import SpaceContract
from bohb_seg.testing.workers import WorkerContract

Given = Mapping[str, str]
"""Names or paths of the plug-ins by kind."""


class TestModel(ModelContract):
    """The model."""

    @pytest.fixture
    def plugin(self, given: Given) -> str:
        """Its name or path."""
        return given["models"]


class TestDataset(DatasetContract):
    """The data set."""

    @pytest.fixture
    def plugin(self, given: Given) -> str:
        """Its name or path."""
        return given["datasets"]


class TestSpace(SpaceContract):
    """The space, with the model if one was given, too."""

    @pytest.fixture
    def plugin(self, given: Given) -> str:
        """Its name or path."""
        return given["spaces"]

    @pytest.fixture
    def model(self, given: Given) -> str | None:
        """None if the space is for a worker with hyperparameters of its own."""
        trains = plugins.takes_settings(given.get("workers", "segmentation"))
        return given.get("models", "unet") if trains else None


class TestOptimizer(OptimizerContract):
    """The optimizer."""

    @pytest.fixture
    def plugin(self, given: Given) -> str:
        """Its name or path."""
        return given["optimizers"]


class TestWorker(WorkerContract):
    """The worker, in the space if one was given, too."""

    @pytest.fixture
    def plugin(self, given: Given) -> str:
        """Its name or path."""
        return given["workers"]

    @pytest.fixture
    def space(self, given: Given) -> str:
        """A space for the worker."""
        trains = plugins.takes_settings(given["workers"])
        return given.get("spaces", "quick" if trains else "counting")
