import pytest
from helpers.journals import news, order, run

from bohb_seg.report.analysis.hyperparameters import CHANCE, influences


def test_influence_of_a_choice_that_decides_everything():
    timed = []
    for number in range(12):
        configuration = {"activation": ("relu", "none")[number % 2], "batch_size": 4}
        timed.append((1, order((0, 0, number), 1, configuration=configuration)))
        timed.append((2, news((0, 0, number), 1, number % 2 + number / 100)))
    first, second = influences(run(*timed))
    # 12 ranks in two groups of six without overlap: H = 12/(12*13) * (21^2 + 57^2)/6 - 3*13
    h = 12 / (12 * 13) * (21**2 + 57**2) / 6 - 39
    assert first.name == "activation"
    assert first.share == pytest.approx((h - 1) / 10)
    assert first.chance < CHANCE
    assert (second.name, second.share) == ("batch_size", None)
