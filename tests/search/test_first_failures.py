"""Whether all fail, and alike, from the first evaluation on."""

import pytest

from bohb_seg.search.evaluations import Evaluation, Queue, Tally
from bohb_seg.search.first_failures import FirstFailures
from bohb_seg.trials import EvaluationId, Suggestion, TrialId

SAME = "Traceback (most recent call last):\n  File ...\nRuntimeError: conv2d_{} of [{},4] is bad"


def ended(number, state="failed"):
    queue = Queue(Tally())
    evaluation = Evaluation(EvaluationId(TrialId(0, 0, number), 1.0), Suggestion({}), 1.0, queue)
    evaluation.state = state
    return evaluation


def noted(*ends):
    failures = FirstFailures()
    for number, state, error in ends:
        failures.note(ended(number, state), error)
    return failures


def failed(number, error=None):
    return number, "failed", error or SAME.format(number, 2 * number)


@pytest.mark.parametrize(
    ("ends", "alike"),
    [
        ([], 0),
        ([failed(0)], 1),
        ([failed(0), failed(1), failed(2), failed(3)], 4),
        ([failed(3), failed(1)], 0),  # the default is still at work
        ([failed(3), failed(1), failed(0)], 3),
        ([failed(0), failed(1, "ValueError: no"), failed(2)], 2),
        ([failed(0, "KeyError: 'lr'"), failed(1, "KeyError: 'momentum'")], 2),
        ([failed(0), (1, "finished", None), failed(2)], 0),
        ([failed(0), (1, "diverged", "nan"), failed(2)], 0),
        ([(0, "finished", None), *map(failed, range(1, 9))], 0),
    ],
)
def test_failures_count_if_they_are_like_the_defaults_and_nothing_else_happened(ends, alike):
    assert noted(*ends).alike == alike


def test_the_message_is_the_last_line_of_the_latest_error():
    assert noted(failed(0), failed(1)).message == "RuntimeError: conv2d_1 of [2,4] is bad"
    assert noted((0, "failed", None)).message == "no reason was given"
