import pytest

from bohb_seg.search.verdict import Retrained, Terms, judge
from bohb_seg.trials import Info

TERMS = Terms(delta=0.01, most_seeds=10)


def retrained(default, incumbent, part="test", name="miou"):
    """Both arms with these numbers by seed; None: diverged."""
    return [
        Retrained(arm, seed, None if value is None else 0.5, told(value, part, name))
        for arm, values in enumerate((default, incumbent))
        for seed, value in enumerate(values)
    ]


def told(value, part, name):
    return Info(parts={part: {name: value, "loss": 0.5}} if value is not None else {})


BEFORE = (0.50, 0.51, 0.49, 0.505, 0.495)


@pytest.mark.parametrize(
    ("gain", "answer"), [(0.2, "better"), (-0.2, "worse"), (0.0, "equivalent"), (0.03, "undecided")]
)
def test_four_answers(gain, answer):
    jitter = (0.0, 0.001, -0.001, 0.0, 0.0) if gain != 0.03 else (0.04, -0.04, 0.03, -0.02, 0.0)
    after = [before + gain + own for before, own in zip(BEFORE, jitter, strict=True)]
    assert judge(retrained(BEFORE, after), [], Terms(0.05, 10)).answer == answer
