import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.data.imagery import scaling
from bohb_seg.data.imagery.scaling import HIGH, LOW, Scaling, Survey
from bohb_seg.errors import DataError

ALL = np.ones((20, 30), bool)


def windows(dtype, count=5, bands=3):
    random = np.random.default_rng(1)
    drawn = random.normal(900, 200, (count, 20, 30, bands)) * np.arange(1, bands + 1)
    return [each.astype(dtype) for each in drawn]


def surveyed(parts, order=None):
    survey = Survey(parts[0].dtype.name, parts[0].shape[2])
    for number in order or range(len(parts)):
        survey.add(parts[number], ALL, f"image {number}")
    return survey


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32", "uint32"])
def test_bounds_are_percentiles_of_all_windows_together(dtype):
    parts = windows(dtype)
    every = np.concatenate(parts).reshape(-1, 3)

    found = surveyed(parts).scaling()

    low, high = np.percentile(every, [LOW, HIGH], axis=0, method="inverted_cdf")
    assert found == Scaling(dtype, tuple(map(float, low)), tuple(map(float, high)))


@settings(deadline=None, max_examples=40)
@given(st.permutations(range(5)), st.integers(0, 5))
def test_neither_order_nor_processes_change_the_scale(order, cut):
    parts = windows("float32")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scaling, "SAMPLE", 700)  # less than all: what is kept is chosen
        whole = surveyed(parts).scaling()
        first, second = surveyed(parts, order[:cut] or [order[0]]), Survey("float32", 3)
        for number in order[max(cut, 1) :]:
            second.add(parts[number], ALL, f"image {number}")
        first.merge(second)

        assert first.scaling() == whole


def test_pixels_without_data_count_for_nothing_and_become_0():
    part = np.full((20, 30, 1), 500, np.float32)
    part[::2], valid = np.nan, np.ones((20, 30), bool)
    valid[::2] = False
    part[1, 0] = 700
    survey = Survey("float32", 1)
    survey.add(part, valid, "a")

    seen = survey.scaling().apply(part, valid)

    assert (survey.scaling().low, seen[::2].max(), seen[1, 0, 0]) == ((500,), 0, 255)


def test_11_bit_values_fill_the_range_instead_of_eight_grey_levels():
    part = (np.arange(600).reshape(20, 30, 1) * 3).astype(np.uint16)

    seen = surveyed([part]).scaling().apply(part, ALL)

    assert (seen.dtype, seen.min(), seen.max(), len(np.unique(seen))) == (np.uint8, 0, 255, 256)
    assert surveyed([part]).scaling().apply(part, ALL, np.uint16).max() == 65535


def test_one_value_has_one_meaning_in_every_image():
    """A dark and a bright image: each scaled by itself would look the same."""
    dark, bright = (np.full((20, 30, 1), value, np.uint16) for value in (300, 900))
    found = surveyed([dark, bright]).scaling()

    assert found.apply(dark, ALL).max() < found.apply(bright, ALL).min()


def test_8_bit_values_stay():
    part = np.arange(256, dtype=np.uint8)[:, None, None].repeat(3, 2)
    survey = Survey("uint8", 3)
    survey.add(part, np.ones((256, 1), bool), "a")

    assert survey.scaling().keeps
    assert np.array_equal(survey.scaling().apply(part, np.ones((256, 1), bool)), part)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.floats(-1e30, 1e30), st.floats(1e-3, 1e30)), min_size=1, max_size=13))
def test_json_gives_back_an_equal_scale(bounds):
    low = tuple(a for a, _ in bounds)
    high = tuple(max(a + b, np.nextafter(a, np.inf)) for a, b in bounds)
    found = Scaling("float32", low, high)

    assert Scaling.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    "plain",
    [{}, {"dtype": "nonsense", "low": [], "high": []}, {"dtype": "uint16", "low": [1], "high": []},
     {"dtype": "uint16", "low": [2], "high": [1]}, {"dtype": "uint16", "low": 3, "high": 4}],
)  # fmt: skip
def test_what_is_no_scale_is_refused(plain):
    with pytest.raises(ValueError):
        Scaling.from_json(plain)


def test_images_of_different_types_are_refused_by_name():
    survey = surveyed(windows("uint16"))

    with pytest.raises(DataError, match=r"odd\.tif has 3 bands of float32.*3 of uint16"):
        survey.add(windows("float32")[0], ALL, "odd.tif")


def test_nothing_but_nodata_is_an_error_and_a_single_value_is_not():
    with pytest.raises(DataError, match="no pixel with data"):
        Survey("uint16", 1).scaling()

    flat = np.full((20, 30, 1), 7, np.uint16)
    assert surveyed([flat]).scaling().apply(flat, ALL).max() == 0
