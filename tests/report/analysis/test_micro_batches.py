import pytest
from helpers.journals import news, order, run

from bohb_seg.report.analysis.micro_batches import memory_shortages


@pytest.mark.parametrize(
    ("configuration", "told", "found"),
    [
        ({"batch_size": 8}, {"micro_batch": 8}, None),
        ({"batch_size": 8}, {"micro_batch": 2}, (8, 2, "an unnamed device", False)),
        (
            {"batch_size": 8},
            {"micro_batch": 4, "device": "TPU", "micro_batches": {"TPU | unet": 4}},
            (8, 4, "TPU", True),
        ),
        ({}, {"micro_batch": 4}, None),
        ({}, {"micro_batch": 4, "micro_batches": {"a": 4}}, (None, 4, "an unnamed device", True)),
        ({"batch_size": 8}, {}, None),
    ],
)
def test_what_was_trained_in_micro_batches(configuration, told, found):
    ordered = order((-2, 0, 0), 1, configuration=configuration)
    short = memory_shortages(run((1, ordered), (2, news((-2, 0, 0), 1, 0.5, **told))))
    told_of = [(each.batch, each.micro_batch, each.device, each.here) for each in short]
    assert told_of == ([] if found is None else [found])
