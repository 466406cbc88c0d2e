"""``--hours``: what is given, chosen, said and refused; and the end of a run."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bohb_seg.errors import SettingsError
from bohb_seg.master import deadline
from bohb_seg.master.run_setup import plan_of, recorded
from bohb_seg.search import hyperband
from bohb_seg.search.deadline import Given
from bohb_seg.search.events import PlanChanged, WorkersChanged
from bohb_seg.search.forecast import Pace
from bohb_seg.settings import SearchSettings, merge
from bohb_seg.storage import run_clock
from bohb_seg.storage.journal_entries import Entry, RunStarted

PACES = {"a": Pace(41, 5), "b": Pace(41, 5)}
RANGE = {"min_budget": "3", "max_budget": "27"}


def layout(ladder):
    return lambda index: hyperband.bracket(ladder, index)


def asked(**flags):
    return merge(SearchSettings, flags, environment={})


def refusal(**flags):
    with pytest.raises(SettingsError) as refused:
        deadline.planned(asked(**flags), PACES, layout, 60)
    return str(refused.value)


def test_only_what_was_given_is_kept():
    """The synthetic data bring other defaults along; nobody gave them."""
    assert deadline.given(asked(hours="2")) == Given()
    kept = deadline.given(asked(hours="2", max_budget="27", final_seeds="4", comparison=False))
    assert kept == Given(max_budget=27, seeds=4, comparison=False)


def test_all_sizes_are_chosen_and_said():
    settings, words = deadline.planned(asked(hours="4"), PACES, layout, 60)
    assert words.startswith("2 workers, 41 s an epoch: ")
    assert words.endswith(" min")
    assert f"{settings.n_iterations} brackets of" in words
    assert f"comparison with {settings.final_seeds} seeds" in words
    assert settings.final_epochs == settings.max_budget


def test_what_was_given_is_kept_and_the_rest_chosen_around_it():
    settings, words = deadline.planned(
        asked(hours="6", max_budget="27", n_iterations="3"), PACES, layout, 60
    )
    assert (settings.max_budget, settings.n_iterations, settings.final_epochs) == (27, 3, 27)
    assert "3 brackets of 3..27" in words


def test_without_hours_the_plan_is_what_the_flags_amount_to():
    settings = asked(**RANGE, n_iterations="2", final_epochs="50", final_seeds="3")
    same, words = deadline.planned(settings, PACES, layout, 60)
    assert same == settings
    assert words.startswith("2 workers, 41 s an epoch: 2 brackets of 3..27, ")
    assert "comparison with 3 seeds at 50 epochs: " in words


def test_a_time_that_is_too_short_is_refused_with_one_that_is_not():
    told = refusal(hours="0.1")
    assert "the least is 1 bracket of 1..3, comparison with 3 seeds, which needs --hours " in told
    hours = told.partition("which needs --hours ")[2].partition(";")[0]
    settings, _ = deadline.planned(asked(hours=hours), PACES, layout, 60)
    assert (settings.n_iterations, settings.max_budget) == (1, 3)


def test_what_cannot_fit_is_refused_with_what_would():
    told = refusal(hours="1", max_budget="81")
    assert "which needs --hours " in told
    assert "; or leave out --max-budget: " in told
    assert told.endswith(" would fit")
    assert "; or leave out --max-budget: " in refusal(hours="3", max_budget="81", final_folds="4")
    folds = refusal(hours="0.5", final_folds="8")
    assert "; or leave out --final-folds: " in folds
    assert "folds" not in folds.rpartition("--final-folds: ")[2]
    assert "more workers and leave out --n-iterations" in refusal(hours="0.1", n_iterations="99")


@given(st.floats(1e-3, 1e4))
def test_the_report_has_time_that_is_small(hours):
    kept = deadline.reserve(3600 * hours)
    assert 0 < kept <= 0.2001 * 3600 * hours
    assert kept <= 120


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (48, "48 s"),
        (300, "5.0 min"),
        (2400, "40 min"),
        (13200, "3 h 40 min"),
        (86390, "24 h 0 min"),
    ],
)
def test_durations_are_said_as_people_do(seconds, words):
    assert deadline.duration(seconds) == words


# --- the run ----------------------------------------------------------------------------------


@pytest.fixture
def begun():
    settings = asked(hours="4", run_dir="r")
    chosen, words = deadline.planned(settings, PACES, layout, 60)
    record = deadline.record(run_clock.process_began(), settings, PACES, words)
    return chosen, RunStarted(recorded(chosen), {}, {}, {}, deadline=record)


def test_its_time_counts_from_the_first_start(begun):
    settings, start = begun
    began = {**start.deadline["began"], "kernel": "another"}
    began["time"] -= 3 * 3600
    start = dataclasses.replace(start, deadline={**start.deadline, "began": began})
    end = deadline.Deadline(settings, start, (), plan_of(settings, start), layout)
    assert 0 < end.left < 3600
    assert not end.is_over
    more = settings.model_copy(update={"hours": 1.0})
    assert deadline.Deadline(more, start, (), plan_of(settings, start), layout).is_over


def test_a_resumed_run_goes_by_its_latest_plan(begun):
    settings, start = begun
    plan = dataclasses.replace(plan_of(settings, start), n_iterations=99)
    past = [Entry(1.0, start), Entry(2.0, PlanChanged(plan, "faster"))]
    end = deadline.Deadline(settings, start, past, plan_of(settings, start), layout)
    end.follow([WorkersChanged(joined=("a",))])
    (news,) = end.correction("search")
    assert isinstance(news, PlanChanged)
    assert 1 < news.plan.n_iterations < 99
    assert dataclasses.replace(news.plan, n_iterations=99).max_attempts == plan.max_attempts


def test_no_correction_takes_growth_back():
    """A run that was given two brackets, and two more later."""
    settings = asked(hours="40", run_dir="r", n_iterations="2")
    chosen, words = deadline.planned(settings, PACES, layout, 60)
    record = deadline.record(run_clock.process_began(), settings, PACES, words)
    start = RunStarted(recorded(chosen), {}, {}, {}, deadline=record)
    plan = plan_of(chosen, start)
    grown = dataclasses.replace(plan, n_iterations=4)
    larger = chosen.model_copy(update={"n_iterations": 4})
    end = deadline.Deadline(larger, start, [Entry(1.0, start)], plan, layout)
    end.follow([WorkersChanged(joined=("a",)), PlanChanged(grown, "--n-iterations 4")])
    for news in end.correction("search"):
        assert news.plan.n_iterations == 4


def test_without_a_worker_nothing_is_corrected(begun):
    settings, start = begun
    end = deadline.Deadline(settings, start, (), plan_of(settings, start), layout)
    assert end.correction("search") == []


def test_hours_for_a_run_without_them_are_refused():
    start = RunStarted(recorded(asked()), {}, {}, {})
    with pytest.raises(SettingsError, match="was begun without it"):
        deadline.Deadline(asked(hours="4"), start, (), plan_of(asked(), start), layout)
