"""The spaces of the Milestone 3 reports have their un-tuned values as defaults."""

import pytest

from bohb_seg.spaces.formats import configspace, loading


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("milestone3-hyperband", {"batch_size": 16, "learning_rate": 0.007, "activation": "relu"}),
        (
            "milestone3-bohb",
            {
                "batch_size": 16,
                "val_batch_size": 16,
                "learning_rate": 0.007,
                "activation": "relu",
            },
        ),
    ],
)
def test_reports_defaults(name, expected):
    assert configspace.plain(loading.load(name).get_default_configuration()) == expected
