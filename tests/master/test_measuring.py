"""The measurement of workers before a run."""

import pytest

from bohb_seg.master.measuring import LATE, Measurement
from bohb_seg.search.events import Evaluate, Evaluated, WorkersChanged
from bohb_seg.search.forecast import Pace
from bohb_seg.trials import MEASURING_BRACKET

DEFAULT = {"x": 1.0}


def ended(order: Evaluate, seconds=None, outcome="finished", **more) -> Evaluated:
    info = {"curves": {"seconds": seconds}} if seconds else {}
    loss = 0.5 if outcome == "finished" else None
    return Evaluated(order.evaluation, 1, order.worker, outcome, loss, info, **more)


def joined(*names):
    return [WorkersChanged(joined=names)]


def test_each_worker_trains_the_default_twice_and_the_last_epoch_counts():
    measurement = Measurement(DEFAULT, wanted=1)
    (first,) = measurement.handle(joined("a"), 0.0)
    assert (first.configuration, first.evaluation.budget) == (DEFAULT, 2)
    assert first.evaluation.trial.bracket == MEASURING_BRACKET
    # 30 s to import, 10 s to compile, 2 s besides
    (second,) = measurement.handle([ended(first, [14.0, 4.0])], 50.0)
    assert second.evaluation != first.evaluation
    assert not measurement.is_over(50.0)
    assert measurement.handle([ended(second, [6.0, 4.0])], 62.0) == []
    assert measurement.is_over(62.0)
    assert measurement.paces == {"a": Pace(4.0, 2.0 + (10.0 + 2.0) / 2)}


def test_a_program_that_tells_no_epochs_is_measured_from_outside():
    measurement = Measurement(DEFAULT, wanted=1)
    (first,) = measurement.handle(joined("a"), 0.0)
    (second,) = measurement.handle([ended(first)], 5.0)
    measurement.handle([ended(second, outcome="diverged")], 9.0)
    assert measurement.paces == {"a": Pace(2.0, 0.0)}


def test_a_long_epoch_is_measured_once():
    measurement = Measurement(DEFAULT, wanted=1, longest=60)
    (first,) = measurement.handle(joined("a"), 0.0)
    assert measurement.handle([ended(first, [50.0, 40.0])], 91.0) == []
    assert measurement.is_over(91.0)


def test_workers_that_are_late_are_waited_for_and_then_not():
    measurement = Measurement(DEFAULT, wanted=3, longest=0)
    first, _ = measurement.handle(joined("a", "b"), 0.0)
    measurement.handle([ended(first, [1.0, 1.0])], 3.0)
    assert not measurement.is_over(3.0 + LATE)
    assert measurement.is_over(3.1 + LATE)
    assert measurement.busy == {"b"}
    assert set(measurement.paces) == {"a"}


def test_a_late_worker_joins_the_run_when_its_measurement_ends():
    measurement = Measurement(DEFAULT, wanted=2, longest=0)
    first, late = measurement.handle(joined("a", "b"), 0.0)
    measurement.handle([ended(first, [1.0, 1.0])], 3.0)
    end = ended(late, [9.0, 9.0])
    other = WorkersChanged(joined=("c",))
    assert measurement.admit([other, end]) == [other, WorkersChanged(joined=("b",))]
    assert measurement.admit([end]) == []
    gone = WorkersChanged(left=("b",))
    assert measurement.admit([gone]) == [gone]


def test_a_late_worker_that_leaves_was_never_there():
    measurement = Measurement(DEFAULT, wanted=2, longest=0)
    first, _ = measurement.handle(joined("a", "b"), 0.0)
    measurement.handle([ended(first, [1.0, 1.0])], 3.0)
    assert measurement.admit([WorkersChanged(left=("b",))]) == []
    both = WorkersChanged(joined=("b",), left=("a",))
    assert measurement.admit([both]) == [both]


def test_a_worker_that_leaves_before_the_end_is_forgotten():
    measurement = Measurement(DEFAULT, wanted=1)
    (first,) = measurement.handle(joined("a"), 0.0)
    measurement.handle([WorkersChanged(left=("a",)), ended(first, [1.0, 1.0])], 3.0)
    assert measurement.paces == {}
    assert not measurement.is_over(1e9)


@pytest.mark.parametrize("count", [1, 2])
def test_a_default_that_cannot_be_trained_is_in_vain(count):
    measurement = Measurement(DEFAULT, wanted=count)
    for order in measurement.handle(joined(*"ab"[:count]), 0.0):
        assert not measurement.is_in_vain
        measurement.handle([ended(order, outcome="crashed", error="no such layer")], 1.0)
    assert measurement.is_in_vain
    assert measurement.failure == "no such layer"
    assert not measurement.is_over(1e9)
