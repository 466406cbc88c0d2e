"""What a person is told of an evaluation and of the incumbent."""

import contextlib
import logging
import os
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from bohb_seg.master.console import Display
from bohb_seg.search.events import Evaluated
from bohb_seg.search.progress import Incumbent, Progress
from bohb_seg.settings import SearchSettings
from bohb_seg.trials import EvaluationId, TrialId


def display(width=100):
    console = Console(width=width, force_terminal=True, record=True)
    return Display(SearchSettings(run_id="r"), console), console


def told(caplog, trial, budget=9.0):
    with caplog.at_level(logging.INFO):
        news = Evaluated(EvaluationId(TrialId(*trial), budget), 1, "w", "finished", 0.5)
        display()[0].tell(news)
    return caplog.messages[-1]


@pytest.mark.parametrize(
    ("trial", "name"),
    [
        ((2, 1, 3), "trial 2-1-3 after 9 epochs"),
        ((-2, 1, 0), "candidate 2 trained again for 9 epochs, seed 0"),
        ((-1, 0, 2), "default retrained for 9 epochs, seed 2"),
        ((-1, 1, 2), "incumbent retrained for 9 epochs, seed 2"),
    ],
)
def test_an_evaluation_is_told_by_what_it_is_for(caplog, trial, name):
    assert told(caplog, trial) == f"{name}: loss 0.5000"


@pytest.mark.parametrize(
    "reason", ["nobody waits for the result any more", "another worker was first"]
)
def test_what_was_given_up_is_no_crash(caplog, reason):
    evaluation, why = EvaluationId(TrialId(0, 0, 1), 9.0), f"given up: {reason}"
    news = Evaluated(evaluation, 1, "w", "crashed", error=why)
    with caplog.at_level(logging.INFO):
        display()[0].tell(news, counts=False)
    words = "given up, nobody waited for its result any more"
    assert caplog.messages == [f"trial 0-0-1 after 9 epochs: {words}"]


@pytest.mark.parametrize(
    ("reevaluations", "text"),
    [
        ((), "loss 0.2500"),
        ((0.5, None), "loss 0.2500, in the runoff 0.5000, none"),
    ],
)
def test_the_panel_tells_the_phase_and_what_the_incumbent_did_in_the_runoff(reevaluations, text):
    best = Incumbent(TrialId(0, 0, 0), 9.0, 0.25, {}, False, reevaluations)
    progress = Progress("runoff", 0, 0, 1, 0, 1, 1, 3, 9.0, 27.0, 0, 1, best)
    shown, console = display()
    with shown:
        shown.show(progress)
    panel = [line.strip("│ \n") for line in console.export_text().splitlines()]
    assert any(line.startswith("phase") and line.endswith("runoff") for line in panel)
    assert any(line.startswith("incumbent") and line.endswith(text) for line in panel)


# --- a display disturbs nobody -----------------------------------------------------------------

PROGRESS = Progress("search", 0, 0, 1, 0, 1, 1, 3, 9.0, 27.0, 0, 1, None)
NEWS = Evaluated(EvaluationId(TrialId(0, 0, 0), 9.0), 1, "w", "finished", 0.5)


@pytest.fixture
def gone():
    """A terminal whose other end is gone."""
    end, own = os.openpty()
    os.close(end)
    file = os.fdopen(own, "w")
    yield Console(file=file, force_terminal=True)
    with contextlib.suppress(OSError):
        file.close()


def test_a_terminal_that_is_gone_disturbs_nobody(gone, caplog):
    root = logging.getLogger()
    before = list(root.handlers)
    with Display(SearchSettings(run_id="r"), gone) as shown:
        shown.tell(NEWS)
        shown.show(PROGRESS)
    assert "the display failed" in caplog.text
    assert root.handlers == before


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
names = st.sampled_from(["epochs_trained", "epochs", "curves", "micro_batches", "stopped", "x"])


@settings(deadline=None)
@given(st.dictionaries(names, anything), st.none() | st.text())
def test_no_word_of_a_worker_disturbs_the_display(info, error):
    shown, _ = display()
    shown._complaints.complain = pytest.fail
    shown.tell(replace(NEWS, info=info))
    shown.tell(replace(NEWS, loss=None, outcome="crashed", error=error))
    shown.show(PROGRESS)
