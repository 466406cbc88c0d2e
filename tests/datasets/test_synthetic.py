import cv2
import numpy as np
import pytest

from bohb_seg.data.preparation import prepare
from bohb_seg.datasets import synthetic
from bohb_seg.datasets._scenes import ROAD, tile
from bohb_seg.errors import DataError
from bohb_seg.settings import DataSettings, merge
from bohb_seg.trials import IGNORE


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def data(cache):
    return prepare(merge(DataSettings, {"cache_dir": cache}, environment={}))


def test_the_same_tile_is_drawn_twice():
    first, second, other = tile(0, 3, 64, 96), tile(0, 3, 64, 96), tile(1, 3, 64, 96)

    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("number", range(1, 5))
def test_roads_hang_together(number):
    _, labels = tile(0, number, 192, 256)

    pieces, _ = cv2.connectedComponents((labels == ROAD).astype(np.uint8))
    assert pieces == 2  # the background counts as one


def test_every_part_holds_every_class(data):
    assert [len(part) for part in data.parts.values()] == [68, 14, 14]
    for part in data.parts.values():
        assert set(np.unique(part.labels)) == {0, 1, 2, 3, 4, IGNORE}
    assert data.audit.warnings == ()


def test_colour_alone_does_not_tell_the_classes_apart(data):
    """The nearest class colour of the training part is right for less than two thirds."""
    train, held_out = data.train, data.validation
    means = np.stack([train.images[train.labels == label].mean(axis=0) for label in range(5)])
    pixels, labels = held_out.images[held_out.labels < 5], held_out.labels[held_out.labels < 5]
    nearest = np.argmin(((pixels[:, None, :] - means) ** 2).sum(axis=2), axis=1)

    assert 0.2 < (nearest == labels).mean() < 0.67


def test_a_second_start_draws_nothing(cache, data):
    place = cache / f"synthetic-{synthetic.PRESENT}"
    before = place.stat().st_mtime_ns

    again = prepare(merge(DataSettings, {"cache_dir": cache}, environment={}))

    assert again.fingerprint == data.fingerprint
    assert place.stat().st_mtime_ns == before


def test_preset_seed_reads_the_scenes_with_six_classes(cache, data):
    settings = merge(DataSettings, {"cache_dir": cache, "preset": "milestone3"}, environment={})

    assert len(prepare(settings).classes.names) == 6


def test_a_path_is_refused(cache):
    with pytest.raises(DataError, match="--data synthetic:here: it reads no path"):
        prepare(merge(DataSettings, {"cache_dir": cache, "data": "synthetic:here"}, environment={}))


def test_the_scenes_of_earlier_versions_are_still_drawn(cache):
    flags = {"cache_dir": cache, "data": "synthetic:1", "patch_size": 64}
    earlier = prepare(merge(DataSettings, flags, environment={}))
    assert [len(part) for part in earlier.parts.values()] == [96, 24, 24]
