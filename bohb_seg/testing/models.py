"""The contract of a model: the promises of :class:`bohb_seg.training.graph.architecture.Build`."""

import inspect
import math
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bohb_seg import plugins
from bohb_seg.data.patch_sets import HeldPatches
from bohb_seg.plugins import hyperparameters
from bohb_seg.plugins.hyperparameters import Hyperparameter, ModelDeclaration
from bohb_seg.settings import PRESETS
from bohb_seg.training import devices
from bohb_seg.training.recipe import parse
from bohb_seg.training.seeds import epoch_seeds

if TYPE_CHECKING:
    from bohb_seg.training.trainer import TrainingSpec

CLASSES = 3
PATCHES, BATCH = 16, 4
LEAST_EDGE = 16
"""Pixels: the smallest patches of ``--patch-size``."""

PLAIN_KERAS = """
import sys
sys.modules["bohb_seg"] = None
import keras, numpy as np
model = keras.models.load_model(sys.argv[1])
np.save(sys.argv[3], model.predict(np.load(sys.argv[2]), verbose=0))
"""


class ModelContract:
    """Tests of one model, on the processor."""

    @pytest.fixture(autouse=True)
    def on_the_processor(self) -> None:
        """Chooses the backend, unless Keras is there already."""
        if "keras" not in sys.modules:
            devices.prepare("cpu")

    @pytest.fixture
    def declared(self, plugin: str) -> ModelDeclaration:
        """Hyperparameters that the file states, read without running it."""
        return hyperparameters.of_model(plugins.file_of("models", plugin))

    @pytest.mark.parametrize("preset", PRESETS)
    def test_its_defaults_are_allowed(self, declared: ModelDeclaration, preset: str) -> None:
        hyperparameters.check_values(declared.defaults(preset), declared)

    @pytest.mark.parametrize("kind", [np.uint8, np.float32])
    @pytest.mark.parametrize("times", [1, 2, 3])
    def test_it_gives_probabilities_for_images_of_several_sizes(
        self, plugin: str, times: int, kind: type
    ) -> None:
        spec = spec_of(plugin)
        found: NDArray[Any] = images(2, times * edge(plugin)).astype(kind)
        scores = np.asarray(spec.build(seed=0)(found))
        assert scores.shape == (*found.shape[:3], CLASSES)
        assert scores.dtype == np.float32
        assert scores.min() >= 0
        np.testing.assert_allclose(scores.sum(axis=-1), 1, atol=1e-4)

    def test_it_takes_as_many_bands_as_there_are(self, plugin: str) -> None:
        """A model whose function ``build`` has no argument ``bands`` takes three."""
        if "bands" not in inspect.signature(plugins.find("models", plugin).build).parameters:
            pytest.skip(f"{plugin} takes images of three bands alone")
        spec = replace(spec_of(plugin), bands=5)
        found = np.repeat(images(2, edge(plugin))[..., :1], 5, axis=-1)
        assert np.asarray(spec.build(seed=0)(found)).shape == (*found.shape[:3], CLASSES)

    def test_it_can_be_built_with_every_choice_and_least_value(
        self, plugin: str, declared: ModelDeclaration
    ) -> None:
        for each in declared.hyperparameters.values():
            for value in _few_values(each):
                assert spec_of(plugin, {each.name: value}).build(seed=0).count_params()

    def test_the_seed_decides_the_weights(self, plugin: str) -> None:
        spec = spec_of(plugin)
        one, same, other = (spec.build(seed).get_weights() for seed in (1, 1, 2))
        assert all(map(np.array_equal, one, same))
        assert not all(map(np.array_equal, one, other))

    def test_it_gives_float32_also_when_it_computes_in_bfloat16(self, plugin: str) -> None:
        scores = spec_of(plugin, policy="mixed_bfloat16").build(seed=0)(images(1, edge(plugin)))
        assert np.asarray(scores).dtype == np.float32
        np.testing.assert_allclose(np.asarray(scores).sum(axis=-1), 1, atol=1e-4)

    def test_all_its_dropout_layers_are_made_by_the_given_function(self, plugin: str) -> None:
        from bohb_seg.training.graph.dropout import PlainDropout

        spec, made = spec_of(plugin), []
        maker = PlainDropout(spec.recipe.model, seed=0)

        def recording(name: str, factor: float, dtype: str) -> Any:
            made.append(maker.layer(name, factor, dtype))
            return made[-1]

        model = spec.architecture.build(
            spec.recipe.model, classes=CLASSES, precision="float32", seed=0, dropout=recording
        )
        found = [each for each in model._flatten_layers() if "Dropout" in type(each).__name__]
        assert {id(each) for each in found} == {id(each) for each in made}

    @pytest.mark.parametrize("micro_batch", [None, 2])
    def test_it_learns(self, plugin: str, micro_batch: int | None) -> None:
        """Tells bright pixels from dark ones, also where memory holds only two patches."""
        from bohb_seg.training.trainer import Trainer

        trainer = Trainer(spec_of(plugin), epoch_seeds(0, (0, 0, 0), 0), micro_batch)
        patches = images(PATCHES, edge(plugin))
        labels = (patches.mean(axis=-1) // (256 / CLASSES)).astype(np.uint8)
        part = HeldPatches(patches, labels, ("",) * PATCHES)
        losses = [trainer.epoch(part, epoch_seeds(0, (0, 0, 0), epoch)) for epoch in range(1, 7)]
        trainer.close()
        assert all(map(math.isfinite, losses))
        assert losses[-1] < losses[0]

    def test_its_file_loads_where_this_package_is_not(self, plugin: str, tmp_path: Path) -> None:
        model, found = spec_of(plugin).build(seed=0), images(2, edge(plugin))
        file, given, answer = (tmp_path / name for name in ("m.keras", "given.npy", "answer.npy"))
        model.save(file)
        np.save(given, found)
        command = [sys.executable, "-c", PLAIN_KERAS, file, given, answer]
        subprocess.run([str(word) for word in command], check=True)
        np.testing.assert_allclose(np.load(answer), np.asarray(model(found)), atol=1e-4)


def spec_of(
    plugin: str, chosen: Mapping[str, Any] | None = None, policy: str = "float32"
) -> "TrainingSpec":
    """The training of a model with its default hyperparameters but those that are chosen."""
    from bohb_seg.training.trainer import TrainingSpec, architecture

    declared = hyperparameters.of_model(plugins.file_of("models", plugin))
    recipe = parse({"batch_size": BATCH, "loss": "ce", **(chosen or {})}, declared)
    return TrainingSpec(
        recipe, architecture(plugin, declared), CLASSES, policy, patches=PATCHES, horizon=9
    )


def edge(plugin: str) -> int:
    """Edge in pixels of the smallest patches that the model takes by default."""
    declared = hyperparameters.of_model(plugins.file_of("models", plugin))
    step = 2 ** declared.halvings_of({})
    return int(math.ceil(LEAST_EDGE / step) * step)


def images(count: int, edge: int) -> NDArray[np.uint8]:
    """Blocks of random brightness, (count, edge, edge, 3)."""
    random = np.random.default_rng(0)
    blocks = random.integers(256, size=(count, math.ceil(edge / 4), math.ceil(edge / 4), 3))
    return blocks.repeat(4, axis=1).repeat(4, axis=2)[:, :edge, :edge].astype(np.uint8)


def _few_values(hyperparameter: Hyperparameter) -> tuple[Any, ...]:
    if hyperparameter.range is None:
        return hyperparameter.choices
    return (hyperparameter.range[0],)
