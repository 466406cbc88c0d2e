"""Patches of a store train as those in memory do."""

import numpy as np
import pytest
from helpers import small_network as small
from helpers.stores import stored

from bohb_seg.data.imagery.scaling import Scaling
from bohb_seg.data.patch_sets import HeldPatches, StoredPatches
from bohb_seg.data.store.arrays import Store
from bohb_seg.data.store.windows import laid
from bohb_seg.errors import DataError

pytestmark = pytest.mark.training

SCALING = Scaling("uint16", (100.0,) * 3, (60_000.0,) * 3)


@pytest.fixture
def patches(tmp_path):
    """Patches of 16-bit values in a store, and the same in memory."""
    random = np.random.default_rng(0)
    size = small.EDGE * small.PATCHES, small.EDGE
    image = random.integers(0, 65_535, (*size, 3), np.uint16)
    labels = random.integers(0, small.CLASSES, size, np.uint8)
    windows = laid(stored(tmp_path / "store", [(image, labels)]), small.EDGE)
    part = StoredPatches(windows, SCALING, ["a"])
    return part, HeldPatches(*part.read(np.arange(len(part))), part.sources)


@pytest.mark.parametrize("micro", [None, 3])
@pytest.mark.parametrize("views", [{}, {"augmentation": 0.5}])
def test_they_give_the_same_weights_and_scores(patches, micro, views):
    outcomes = []
    for part in patches:
        here = small.trainer(micro, dropout=0.3, **views)
        losses = [here.epoch(part, small.seeds(epoch)) for epoch in (1, 2)]
        outcomes.append((losses, here.score(part), here.checkpoint(()).weights))
        here.close()
    (losses, sums, weights), (same_losses, same_sums, same_weights) = outcomes
    assert losses == same_losses
    assert np.array_equal(sums.confusion, same_sums.confusion)
    assert all(map(np.array_equal, weights, same_weights))


def test_the_next_epoch_is_read_by_the_same_compiled_step(patches):
    here = small.trainer()
    for part in (*patches, patches[0]):
        here.epoch(part, small.seeds(1))
    traced = getattr(here._compiled.loss_model.train_function, "experimental_get_tracing_count", 0)
    assert not traced or traced() == 1


def test_a_damaged_store_is_a_sentence(patches):
    folder = patches[0].windows.store.folder
    pixels = folder / "pixels.bin"
    content = bytearray(pixels.read_bytes())
    content[len(content) // 2] ^= 1
    pixels.write_bytes(content)
    damaged = StoredPatches(laid(Store.open(folder), small.EDGE), SCALING, ["a"])
    with pytest.raises(DataError, match="is damaged; remove the folder"):
        small.trainer().epoch(damaged, small.seeds(1))


@pytest.mark.parametrize("bands", [1, 5])
def test_networks_take_any_number_of_bands(bands):
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (small.PATCHES, small.EDGE, small.EDGE, bands), np.uint8)
    part = HeldPatches(images, images[..., 0] // 86, ("",) * small.PATCHES)
    here = small.trainer(augmentation=0.5, bands=bands)
    assert np.isfinite(here.epoch(part, small.seeds(1)))
    assert here.exported().input_shape == (None, None, None, bands)


def test_the_file_takes_values_as_they_are(patches):
    from bohb_seg.training.graph.scaling import taking_values_of_files

    part, held = patches
    network = small.trainer().exported()
    model = taking_values_of_files(network, SCALING.low, SCALING.high)
    values, _ = part.windows.read(np.arange(len(part)))
    np.testing.assert_allclose(
        model(values.astype(np.float32)), network(held.images.astype(np.float32)), atol=0.02
    )
