"""Ours and Keras' own ``fit`` on one model, and the machine's matrix rate on the same backend.

As a program: serves one way, ``python -m benchmarks.training.keras_ways NAME PRECISION``.
"""

import itertools
import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from benchmarks.training.protocol import BATCH, CLASSES, LEARNING_RATE, Way, ready, serve
from bohb_seg import plugins
from bohb_seg.data.imagery.scaling import Scaling
from bohb_seg.data.patch_sets import HeldPatches, PatchSet, StoredPatches
from bohb_seg.data.store.arrays import Store, building
from bohb_seg.data.store.windows import laid
from bohb_seg.plugins import hyperparameters
from bohb_seg.training import devices
from bohb_seg.training.recipe import parse
from bohb_seg.training.seeds import epoch_seeds

if TYPE_CHECKING:
    from bohb_seg.training.trainer import Trainer, TrainingSpec

UNET = hyperparameters.of_model(plugins.file_of("models", "unet"))
RECIPE = parse({"batch_size": BATCH, "learning_rate": LEARNING_RATE}, UNET)
"""U-Net and loss of the Milestone 3 reports (docs/origin.md), un-tuned."""
Precision = Literal["float32", "bfloat16"]
MATRICES_ON_CPU, MATRICES = (2048, 10), (8192, 200)
"""Rows of the square matrices and products per round, on a processor and on an accelerator."""


def patches_of(edge: int, patches: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Random images and labels."""
    random = np.random.default_rng(0)
    images = random.integers(256, size=(patches, edge, edge, 3), dtype=np.uint8)
    return images, random.integers(CLASSES, size=(patches, edge, edge), dtype=np.uint8)


def spec(patches: int, precision: Precision) -> "TrainingSpec":
    """The training that is timed."""
    from bohb_seg.training.trainer import TrainingSpec, architecture

    policy = devices.policy(precision)
    return TrainingSpec(RECIPE, architecture("unet", UNET), CLASSES, policy, patches, horizon=9)


class _KerasWay:
    """Data and look at memory that the ways with Keras share."""

    def __init__(self, precision: Precision) -> None:
        self.precision = precision

    def take(self, edge: int, patches: int) -> None:
        """Forgets the size before."""
        from bohb_seg.training import trainer

        trainer.release()
        self.images, self.labels = patches_of(edge, patches)

    def peak_mb(self) -> float | None:
        """Largest memory of the accelerator in MB; None on a processor."""
        return devices.peak_memory_mb() if accelerated() else None


class Ours(_KerasWay):
    """Our epoch loop, on patches in memory."""

    def prepare(self, edge: int, patches: int) -> dict[str, Any]:
        """Two evaluations of one shape; also counts what a patch costs."""
        self.take(edge, patches)
        self.patches = self.placed()
        self.trainer: Trainer | None = None
        self.seeds = (epoch_seeds(0, (0, 0, 0), epoch) for epoch in itertools.count())
        facts = ready(self._evaluate)
        return facts | {"flops": flops(spec(patches, self.precision).build(0), edge)}

    def placed(self) -> PatchSet:
        """The patches, where they are trained from."""
        return HeldPatches(self.images, self.labels, ("",) * len(self.images))

    def epoch(self) -> None:
        """All patches."""
        self._train(self.patches)

    def _evaluate(self) -> Callable[[], object]:
        from bohb_seg.training.trainer import Trainer

        if self.trainer is not None:
            self.trainer.close()
        self.trainer = Trainer(spec(len(self.images), self.precision), next(self.seeds))
        few = HeldPatches(*self.patches.read(np.arange(BATCH)), ("",) * BATCH)
        return lambda: self._train(few)

    def _train(self, patches: PatchSet) -> None:
        assert self.trainer is not None
        self.trainer.epoch(patches, next(self.seeds))


@final
class FromStore(Ours):
    """Our epoch loop, on patches that are read from a store while they are used."""

    def placed(self) -> PatchSet:
        """Each patch is an image of the store."""
        self.folder = tempfile.TemporaryDirectory()
        place = Path(self.folder.name) / "store"
        with building(place) as writer:
            for number, image in enumerate(zip(self.images, self.labels, strict=True)):
                writer.add(number, image[0].shape, "uint8", [image])
        store = Store.open(place)
        assert store is not None
        windows = laid(store, self.images.shape[1])
        return StoredPatches(windows, Scaling("uint8"), [""] * len(self.images))


@final
class Bare(_KerasWay):
    """Keras' ``fit`` on uint8 images and labels with our loss, or on float32 images and one-hot
    labels, as in the Milestone 3 reports.
    """

    def __init__(self, precision: Precision, one_hot: bool) -> None:
        super().__init__(precision)
        self.one_hot = one_hot

    def prepare(self, edge: int, patches: int) -> dict[str, Any]:
        """Two models, one after the other."""
        self.take(edge, patches)
        if self.one_hot:
            self.images = self.images.astype(np.float32)
            self.labels = np.eye(CLASSES, dtype=np.float32)[self.labels]
        return ready(self._evaluate)

    def epoch(self) -> None:
        """All patches, in Keras' order."""
        self.model.fit(self.images, self.labels, batch_size=BATCH, verbose=0)

    def _evaluate(self) -> Callable[[], object]:
        import keras

        self.model = spec(len(self.images), self.precision).build(seed=0)
        self.model.compile(
            optimizer=keras.optimizers.Adam(LEARNING_RATE),
            loss=one_hot_loss if self.one_hot else sparse_loss,
            jit_compile=devices.compiles(),
        )
        images, labels = self.images[:BATCH], self.labels[:BATCH]
        return lambda: self.model.fit(images, labels, batch_size=BATCH, verbose=0)


@final
class Matrices:
    """Products of large square matrices: the machine's rate."""

    def __init__(self, precision: Precision) -> None:
        self.precision = precision

    def prepare(self, edge: int, patches: int) -> dict[str, Any]:
        """The same whatever the size."""
        from keras import ops

        rows, self.products = MATRICES if accelerated() else MATRICES_ON_CPU
        self.matrix = ops.cast(ops.full((rows, rows), 1 / rows), self.precision)
        self.epoch()
        return {"flops": 2 * rows**3 * self.products}

    def epoch(self) -> None:
        """Some products."""
        from keras import ops

        for _ in range(self.products):
            product = ops.matmul(self.matrix, self.matrix)
        # An accelerator computes in order, so the last one waits for all.
        ops.convert_to_numpy(ops.cast(product[0, 0], "float32"))

    def peak_mb(self) -> float | None:
        """Not asked for."""
        return None


def sparse_loss(labels: Any, probabilities: Any) -> Any:
    """Loss of the Milestone 3 reports in our own form."""
    from bohb_seg.training.graph import losses

    formula = losses.Formula.of(RECIPE, CLASSES).vector()
    sums = losses.sums(labels, probabilities, losses.gamma(formula))
    return losses.value(sums, formula)


def one_hot_loss(truth: Any, scores: Any) -> Any:
    """Loss of the Milestone 3 reports in their form, with one-hot labels."""
    from keras import ops

    pixels = (0, 1, 2)
    hits, total = ops.sum(truth * scores, pixels), ops.sum(truth, pixels) + ops.sum(scores, pixels)
    clipped = ops.clip(scores, 1e-7, 1 - 1e-7)
    focal = ops.mean(-0.25 * truth * (1 - clipped) ** 2 * ops.log(clipped))
    return 1 - ops.mean(0.1666 * (2 * hits + 1e-5) / (total + 1e-5)) + focal


def flops(model: Any, edge: int) -> float:
    """Floating point operations of a training step per patch: three times those of convolutions.

    A multiplication and an addition are two operations. The gradients with respect to a layer's
    weights and to its input each cost as much as the layer itself. All else is small beside it and
    left out, so that shares of the matrix rate are a little too low.
    """
    import keras

    layers = [layer for layer in model.layers if "Conv2D" in type(layer).__name__]
    ends = keras.Model(model.inputs, [t for layer in layers for t in (layer.input, layer.output)])
    shapes = ends.compute_output_shape((1, edge, edge, 3))
    total = 0
    for layer, before, after in zip(layers, shapes[::2], shapes[1::2], strict=True):
        # A transposed convolution multiplies at each pixel of its input.
        multiplied = before if "Transpose" in type(layer).__name__ else after
        total += 2 * math.prod(layer.kernel.shape) * multiplied[1] * multiplied[2]
    return 3.0 * total


def accelerated() -> bool:
    """Whether Keras computes on an accelerator."""
    return not devices.describe().startswith("cpu")


WAYS: dict[str, Callable[[Precision], Way]] = {
    "ours": Ours,
    "ours, stored": FromStore,
    "keras fit": lambda precision: Bare(precision, one_hot=False),
    "keras fit, one-hot": lambda precision: Bare(precision, one_hot=True),
    "matrices": Matrices,
}


def main() -> None:
    """Serves the way that the command line names."""
    name, precision = sys.argv[1:]
    devices.prepare("auto")
    serve(WAYS[name]("bfloat16" if precision == "bfloat16" else "float32"))


if __name__ == "__main__":
    main()
