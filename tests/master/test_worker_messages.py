"""Whatever a worker sends is news of exactly its attempt, or a reason to refuse it."""

import math
import re

import numpy as np
import Pyro4
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.master import worker_messages
from bohb_seg.master.micro_batches import MicroBatches
from bohb_seg.master.worker_messages import (
    INFO_BYTES,
    LONGEST_ERROR,
    LONGEST_SHAPE,
    MOST_LIMITS,
    InfoRoom,
    as_news,
    disagreement,
    micro_batches,
)
from bohb_seg.search.events import Evaluate
from bohb_seg.trials import EvaluationId, Info, TrialId


def order(number=0, attempt=1, worker="w", budget=3.0, x=1.0):
    evaluation = EvaluationId(TrialId(0, 0, number), budget)
    return Evaluate(evaluation, attempt, worker, {"x": x})


def meant(message, room=None):
    news = as_news(order(7, attempt=2), message, room or InfoRoom())
    assert (news.evaluation, news.attempt, news.worker) == (order(7).evaluation, 2, "w")
    return news.outcome, news.loss, news.info, news.error


def finished(loss, info=None):
    return {"result": {"loss": loss, "info": info or {}}, "exception": None}


def test_what_cannot_even_be_read_ends_its_attempt():
    class Odd(dict):
        def get(self, *_):
            raise RuntimeError("no")

    assert meant(Odd())[3] == "the worker's result cannot be read (RuntimeError)"


@pytest.mark.parametrize("loss", [0.5, 1, np.float32(0.5), np.int64(3), np.array(0.25), True])
def test_a_number_is_a_loss(loss):
    outcome, found, _, error = meant(finished(loss))
    assert (outcome, found, error) == ("finished", float(loss), None)
    assert type(found) is float


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_a_loss_that_is_not_finite_diverged(loss):
    told = f"the loss became {float(loss)}"
    assert meant(finished(loss, {"epochs": 2})) == ("diverged", None, {"epochs": 2}, told)


@pytest.mark.parametrize("loss", ["low", None, [0.5, 0.5], {"value": 0.5}, np.zeros(2), 1j])
def test_a_loss_that_is_no_number_crashed(loss):
    assert meant(finished(loss)) == (
        "crashed",
        None,
        {},
        "the worker's result has no numeric 'loss'",
    )


def test_a_loss_beyond_all_numbers_crashed():
    assert meant(finished(10**400))[0] == "crashed"


@pytest.mark.parametrize("result", [{}, {"info": {}}, [0.5], "0.5", 0.5, 0])
def test_a_result_without_a_loss_crashed(result):
    told = "the worker's result has no numeric 'loss'"
    assert meant({"result": result, "exception": None}) == ("crashed", None, {}, told)


@pytest.mark.parametrize("message", [None, 0.5, "done", [], [finished(0.5)]])
def test_a_message_that_is_no_table_crashed(message):
    told = f"the worker sent no result but {type(message).__name__}"
    assert meant(message) == ("crashed", None, {}, told)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"result": None, "exception": "Traceback: no memory"}, "Traceback: no memory"),
        ({"result": None, "exception": None}, "the worker gave no reason"),
        ({"result": None}, "the worker gave no reason"),
        ({}, "the worker gave no reason"),
        ({"result": None, "exception": ["a", 1]}, "['a', 1]"),
    ],
)
def test_an_exception_crashed_with_its_text(message, told):
    assert meant(message) == ("crashed", None, {}, told)


@pytest.mark.parametrize(
    ("info", "kept"),
    [
        (
            {"miou": np.float32(0.5), "curve": np.array([1.0, np.nan])},
            {"miou": 0.5, "curve": [1, None]},
        ),
        ({1: "a"}, {"1": "a"}),
        ("fine", {"value": "fine"}),
        (None, {"value": None}),
        ([1, 2], {"value": [1, 2]}),
    ],
)
def test_info_is_made_a_plain_table(info, kept):
    assert meant({"result": {"loss": 0.5, "info": info}}) == ("finished", 0.5, kept, None)


def test_facts_of_a_wrong_type_are_dropped_with_a_warning(caplog):
    told = {"epochs_trained": "three", "iou": 0.5, "epochs": 3, "own": "three"}
    kept = meant({"result": {"loss": 0.5, "info": told}})
    assert kept == ("finished", 0.5, {"epochs": 3, "own": "three"}, None)
    assert "dropped info['epochs_trained'] of w" in caplog.text
    assert "dropped info['iou'] of w" in caplog.text


def test_an_info_that_is_too_large_is_dropped_and_its_loss_kept(caplog):
    told = {"own": "x" * (15 * 2**20)}
    outcome, loss, info, _ = meant(finished(0.5, told))
    assert (outcome, loss) == ("finished", 0.5)
    assert re.fullmatch(r"its \d+ bytes were too many to be kept", info["info"])
    assert len(caplog.text) < 500
    largest = {"own": "x" * (INFO_BYTES - 20)}
    assert meant(finished(0.5, largest))[2] == largest


def test_all_infos_of_a_run_are_bounded_too(monkeypatch):
    """Small ones are kept even then: they have the facts that the report shows."""
    monkeypatch.setattr(worker_messages, "RUN_BYTES", 100_000)
    room, large, small = InfoRoom(), {"own": "x" * 30_000}, {"own": "x" * 5000}
    kept = [meant(finished(0.5, large), room)[2] == large for _ in range(5)]
    assert kept == [True, True, True, False, False]
    assert all(meant(finished(0.5, small), room)[2] == small for _ in range(5))


def test_all_errors_of_a_run_are_bounded_with_them(monkeypatch):
    """A worker whose every evaluation raises could fill the disk with tracebacks."""
    monkeypatch.setattr(worker_messages, "RUN_BYTES", 250_000)
    room, told = InfoRoom(), {"result": None, "exception": "x" * 200_000 + "the end"}
    errors = [meant(told, room)[3] for _ in range(4)]
    assert [len(error) for error in errors] == [100_000, 100_000, 1000, 1000]
    assert all(error.endswith("the end") for error in errors)
    assert meant({"result": None, "exception": "short"}, room)[3] == "short"


def test_what_is_told_about_memory_stays_small():
    """All of it goes with every order; shapes that a worker invents must not fill that."""
    known = MicroBatches()
    for batch in range(3):
        told = {f"{batch} {number}": 4 for number in range(MOST_LIMITS)}
        known.learn(as_news(order(), finished(0.5, {"micro_batches": told}), InfoRoom()))
    known.learn(as_news(order(), finished(0.5, {"micro_batches": {"0 0": 2}}), InfoRoom()))
    assert (len(known.known), known.known["0 0"]) == (MOST_LIMITS, 2)
    longest = "x" * LONGEST_SHAPE
    told = Info.read({"micro_batches": {longest: 1, f"{longest}x": 1}})
    assert micro_batches(told) == {longest: 1}


@pytest.mark.parametrize("part", ["loss", "info", "exception"])
def test_objects_among_the_values_do_no_harm(part):
    """Pyro4 makes such objects of what a worker sends; their text fails."""
    strange = Pyro4.Proxy.__new__(Pyro4.Proxy)
    if part == "exception":
        assert meant({"result": None, "exception": strange})[0] == "crashed"
    else:
        result = {"loss": 0.5, "info": {}} | {part: strange}
        assert meant({"result": result})[0] == ("crashed" if part == "loss" else "finished")


def test_info_may_be_left_out():
    assert meant({"result": {"loss": 0.5}}) == ("finished", 0.5, {}, None)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["result", "loss", "info", "exception", "x"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(anything)
def test_whatever_comes_is_news_of_its_attempt(message):
    outcome, loss, info, _ = meant(message)
    assert (outcome == "finished") == (loss is not None)
    assert isinstance(info, dict)


@pytest.mark.parametrize(
    ("told", "believed"),
    [
        ({"gpu | unet": 4}, {"gpu | unet": 4}),
        ({"a": 0, "b": -1, "f": 1}, {"f": 1}),
        ({"c": 1.5, "f": 1}, {}),
        ({"d": True, "f": 1}, {}),
        ({"e": "2", "f": 1}, {}),
        ({str(number): 1 for number in range(1001)}, {}),
        ("4", {}),
        (None, {}),
    ],
)
def test_only_whole_numbers_of_patches_are_believed(told, believed):
    assert micro_batches(Info.read({"micro_batches": told})) == believed


def test_a_long_traceback_is_cut_at_its_beginning():
    error = meant({"result": None, "exception": "x" * LONGEST_ERROR + "ValueError: 1"})[3]
    assert len(error) == LONGEST_ERROR
    assert error.endswith("ValueError: 1")


OURS = {"version": "1.0", "fingerprint": "a" * 32, "split_hash": "s" * 32, "model": "m" * 32}


@pytest.mark.parametrize(
    ("theirs", "refusal"),
    [
        (OURS, ""),
        ({}, ""),
        ({"fingerprint": ""}, ""),
        ({"version": "1.1"}, "its bohb-seg (1.1) is not the run's (1.0); install the same version"),
        (
            {"fingerprint": "b" * 32},
            "its data (bbbbbbbbbbbb) is not the run's (aaaaaaaaaaaa); give",
        ),
        (
            {"model": "M" * 32},
            "its --model file (MMMMMMMMMMMM) is not the run's (mmmmmmmmmmmm)",
        ),
        ({"model": ""}, ""),
        ({"split_hash": 3}, "its split of the data (3) is not the run's (ssssssssssss); give both"),
        ("me", "it told str instead of its facts"),
    ],
)
def test_a_worker_that_differs_is_refused_with_the_reason(theirs, refusal):
    found = disagreement(OURS, theirs)
    assert found.startswith(refusal)
    assert bool(found) == bool(refusal)
