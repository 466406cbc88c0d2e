import pytest
from helpers.journals import OTHER, news, order, run
from helpers.recorded_run import DEFAULT

from bohb_seg.report.analysis.picks import Picks, picks, picks_sentence


def test_picks_leave_the_default_out_and_keep_model_and_chance_apart():
    timed = []
    for number, (configuration, model, loss) in enumerate(
        [(DEFAULT, False, 0.1), (OTHER, False, 0.5), (OTHER, True, 0.3), (OTHER, True, 0.4)]
    ):
        timed.append((1, order((0, 0, number), 1, configuration=configuration, model=model)))
        timed.append((2, news((0, 0, number), 1, loss)))
    found = picks(run(*timed))
    assert found == (Picks(1.0, model=(0.3, 0.4), random=(0.5,)),)


@pytest.mark.parametrize(
    ("model", "random", "said"),
    [
        ((), (0.5,), "No configuration was picked by the model"),
        ((0.1, 0.2), (0.5, 0.6, 0.7), "cannot be compared yet"),
        ((0.3, 0.1, 0.2), (0.5, 0.7, 0.6), "is 0.2000, lower than the 0.6000 of the 3 random"),
        ((0.6, 0.6, 0.6), (0.5, 0.7, 0.6), "is 0.6000, not lower than the 0.6000"),
    ],
)
def test_what_is_said_of_the_picks(model, random, said):
    assert said in picks_sentence([Picks(3.0, model, random)])
