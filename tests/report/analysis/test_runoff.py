import pytest
from helpers.journals import OTHER, news, order, run, run_off
from helpers.recorded_run import DEFAULT
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.report.analysis.incumbent import incumbent
from bohb_seg.report.analysis.runoff import candidates, sentences
from bohb_seg.report.analysis.verdict import judged, told
from bohb_seg.search.plan import Plan
from bohb_seg.search.progress import Incumbent
from bohb_seg.search.runoff import Runoff
from bohb_seg.trials import Info, TrialId


def test_candidates_by_hand():
    first, second = candidates(run_off((0.5, 0.25), (0.25, 0.125)))
    assert (first.number, first.search_loss, first.losses) == (1, 0.1, (0.5, 0.25))
    assert first.search.id.trial == (0, 0, 0)
    assert first.mean == pytest.approx(0.375)
    assert first.luck == pytest.approx(0.275)
    assert (second.number, second.search_loss, second.mean) == (2, 0.2, 0.1875)
    assert second.luck == pytest.approx(-0.0125)
    assert (first.won, second.won) == (False, True)


def test_a_candidate_that_fails_once_has_no_mean():
    first, second = candidates(run_off((None, 0.1), (0.9, 0.9)))
    assert (first.losses, first.mean, first.luck, first.failed) == ((None, 0.1), None, None, 1)
    assert (first.won, second.won, second.failed) == (False, True, 0)


def test_without_a_runoff_there_are_no_candidates():
    assert candidates(run((1, order((0, 0, 0), 1)), (2, news((0, 0, 0), 1, 0.5)))) == ()


def test_the_loss_in_the_search_is_that_at_the_budget_of_the_runoff():
    timed = [(number, order((0, 0, 0), budget)) for number, budget in ((1, 1), (3, 3), (5, 9))]
    timed += [(number, news((0, 0, 0), 3 ** (number // 2 - 1), 0.1 * number)) for number in (2, 4)]
    timed += [(6, news((0, 0, 0), 9, None, outcome="crashed"))]
    timed += [(7, order((-2, 0, 0), 3)), (8, news((-2, 0, 0), 3, 0.7))]
    (found,) = candidates(run(*sorted(timed, key=lambda each: each[0])))
    assert (found.search.budget, found.search_loss) == (3.0, 0.4)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (
            (0.4, 0.4),
            (0.3, 0.5),
            "Trial 0-0-0, the search's best, won: its loss went from 0.1000 in the search to a mean"
            " of 0.4000. On average the losses with further seeds are higher by 0.2500:",
        ),
        (
            (0.5, 0.5),
            (0.4, 0.5),
            "Trial 0-0-1, number 2 of the search, won: its loss went from 0.2000 in the search to a"
            " mean of 0.4500. The search's best, trial 0-0-0 with 0.1000, has 0.5000.",
        ),
        ((None, 0.1), (0.2, 0.2), "0.1000, failed with one of the seeds. On average the losses"),
        ((0.1,), (0.1,), "no higher: the search was not lucky"),
        (
            (None,),
            (None,),
            "No candidate has a loss with every seed, so trial 0-0-0, the search's best, is kept.",
        ),
    ],
)
def test_what_is_said(first, second, said):
    found = candidates(run_off(first, second))
    why, result = sentences(found)
    assert said in result
    seeds = "one further seed," if len(first) == 1 else "2 further seeds each,"
    assert f"The best 2 of them were therefore trained again for 3 epochs with {seeds}" in why


def test_a_runoff_that_rotates_says_so():
    events = [(1, order((0, 0, 0), 3)), (2, news((0, 0, 0), 3, 0.1))]
    events += [(3, order((-2, 0, 0), 3)), (4, news((-2, 0, 0), 3, 0.4, rotation=0))]
    events += [(5, order((-1, 0, 0), 3)), (6, news((-1, 0, 0), 3, 0.4))]
    why, result = sentences(candidates(run(*events)))
    assert "Each seed was validated on other groups of images, the same for all" in why
    assert result.endswith("about that much of what the search promised was luck with its seed or"
                           " its images.")  # fmt: skip


def test_a_runoff_that_goes_on_has_no_winner():
    found = candidates(run_off((0.5, 0.5), (0.4,), ended=False))
    assert [each.won for each in found] == [False, False]
    assert found[1].losses == (0.4, None)
    assert found[1].mean is None
    assert sentences(found)[-1] == "The runoff has not ended yet, so nothing is decided."


def test_the_default_may_win_the_runoff():
    its = run_off((0.5, 0.5), (0.4, 0.4))
    assert told(its, judged(its)).sentence == (
        "The default configuration won the runoff: nothing better than it was found."
    )


LOSSES = st.lists(st.none() | st.floats(0, 2), min_size=2, max_size=2)


@settings(deadline=None)
@given(LOSSES, LOSSES)
def test_the_winner_is_the_schedulers(first, second):
    best = [
        Incumbent(TrialId(0, 0, number), 3.0, loss, configuration, model_based=False)
        for number, (configuration, loss) in enumerate(((OTHER, 0.1), (DEFAULT, 0.2)))
    ]
    runoff = Runoff()
    assert runoff.begin(best, Plan(1, comparison_epochs=9, candidates=2))
    while not (winner := runoff.winner()):
        evaluation = runoff.retrainings.next_for("a", ["a"])
        loss = (first, second)[evaluation.trial.rung][evaluation.trial.number]
        evaluation.start("a")
        evaluation.diverge() if loss is None else evaluation.finish(loss)
        runoff.retrainings.settle(evaluation, Info())
    assert incumbent(run_off(first, second)).id.trial == winner.trial
