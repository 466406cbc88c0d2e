import csv
import re
from dataclasses import replace as changed

import pytest
from helpers.journals import comparison, news, order, run
from helpers.recorded_run import DEFAULT
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.report.analysis.comparison import arms
from bohb_seg.report.analysis.verdict import judged, told
from bohb_seg.report.header import header
from bohb_seg.report.page import render
from bohb_seg.report.sections import outline
from bohb_seg.report.sections import verdict as sections
from bohb_seg.report.tables.table import to_csv
from bohb_seg.search.events import Finish, PlanChanged
from bohb_seg.search.plan import Plan
from bohb_seg.trials import COMPARISON_BRACKET, FOLDS_BRACKET

BEFORE = [0.50, 0.51, 0.49, 0.505, 0.495]
ANSWERS = {
    "better": [0.3, 0.31, 0.29, 0.3, 0.3],
    "worse": [0.7, 0.71, 0.69, 0.7, 0.7],
    "equivalent": [0.5001, 0.51, 0.49, 0.505, 0.4951],
    "undecided": [0.43, 0.52, 0.43, 0.495, 0.465],
}
"""Losses of the incumbent beside BEFORE; the mIoU is 1 - loss."""


def answered(answer):
    return comparison(BEFORE, ANSWERS[answer])


def words(its):
    return told(its, judged(its))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("better", "The incumbent is better than the default: its test mIoU is higher by 0.2000"),
        ("worse", "The incumbent is worse than the default: its test mIoU is lower by 0.2000"),
        ("equivalent", "the test mIoU differs by less than 0.01 (90 % interval "),
        ("undecided", "Undecided: the incumbent's test mIoU is higher by 0.0320 (95 % interval -"),
    ],
)
def test_four_answers_in_words(answer, said):
    its = words(answered(answer))
    assert said in its.sentence
    seeds = 5 if answer == "undecided" else 3  # the first look that decides ends the sequence
    assert its.sentence.endswith(f"{seeds} seeds), on these test images, whichever seed.")


@pytest.mark.parametrize("answer", ANSWERS)
def test_sentence_tile_figure_and_table_tell_the_same(answer):
    its = answered(answer)
    verdict, head, section = judged(its), header(its), sections.section(its)
    html = render(head, outline.sections(its))
    first = verdict.difference
    assert (verdict.answer, head.judgement, head.tiles[0].value) == (answer, answer, answer)
    assert f'class="answer {answer}"' in html
    assert answer in section.sentences[0].lower()
    assert section.pictures[0].caption.endswith(f": {answer}.")
    row = next(csv.DictReader(to_csv(section.tables[0]).splitlines()))
    assert (row["quantity"], row["incumbent is"]) == ("test mIoU", answer)
    assert float(row["mean difference"]) == pytest.approx(first.mean)
    assert float(row["95 % interval from"]) == first.low
    assert f"{abs(first.low):.4f}" in head.tiles[3].label
    if answer != "equivalent":
        assert f"{abs(first.low):.4f}" in section.sentences[0]


def test_undecided_says_how_many_seeds_would_decide_and_how_to_train_them():
    its = answered("undecided")
    more = judged(its).more_seeds
    assert more > 0
    (advice,) = [each for each in words(its).details if "--final-seeds" in each]
    assert advice == (
        f"About {more} more seeds would probably decide it:"
        f" 'bohb-master --resume --run-dir run --final-seeds {5 + more}'."
    )


def test_few_groups_of_test_images_are_told_and_folds_are_advised():
    assert any("--final-folds K" in each for each in words(answered("better")).details)
    alone = comparison(BEFORE, ANSWERS["better"], parts=("validation",))
    assert not any("--final-folds" in each for each in words(alone).details)


@pytest.mark.parametrize(
    ("default", "incumbent", "said"),
    [
        ([0.5], [0.1], "Undecided: 1 seed cannot decide, 3 are needed at least"),
        ([0.5, None], [0.1, 0.2], "Undecided: 1 seed cannot decide, 3 are needed at least"),
        ([0.5, None], [None, 0.2], "No seed has a result for both"),
    ],
)
def test_too_few_seeds(default, incumbent, said):
    its = comparison(default, incumbent)
    assert judged(its).answer == "undecided"
    assert said in words(its).sentence


def test_diverged_retrainings_are_said_to_be_left_out():
    its = words(comparison([0.5, 0.6, None], [0.1, 0.2, 0.3]))
    assert any(each.startswith("1 seed is left out (2): a retraining") for each in its.details)


def test_without_a_test_part_the_validation_part_decides_and_a_warning_is_given():
    its = words(comparison(BEFORE, ANSWERS["better"], parts=("validation",)))
    assert "its validation mIoU is higher by 0.2000" in its.sentence
    assert "on these validation images" in its.sentence
    assert any("flatters the incumbent" in each for each in its.details)


def test_a_worker_that_tells_only_losses_is_judged_by_them():
    its = comparison(BEFORE, ANSWERS["better"], parts=())
    assert "better than the default: its validation loss is lower by 0.2000" in words(its).sentence
    assert judged(its).delta is None


def test_nothing_better_than_the_default():
    its = run(
        (1, order((0, 0, 0), 9, configuration=DEFAULT)),
        (2, news((0, 0, 0), 9, 0.1)),
        (3, order((-1, 0, 0), 9, configuration=DEFAULT)),
        (4, news((-1, 0, 0), 9, 0.1)),
        (5, Finish("done")),
    )
    assert words(its).sentence == "The search found nothing better than the default configuration."


@pytest.mark.parametrize(("finish", "said"), [(False, "still going on"), (True, "without a comp")])
def test_no_comparison(finish, said):
    assert said in words(comparison(None, None, finish=finish)).sentence


def test_the_representative_seed_has_the_lowest_validation_loss():
    default, incumbent = arms(comparison([0.5, 0.4, 0.6], [None, 0.3, 0.2]))
    assert (default.representative.seed, incumbent.representative.seed) == (1, 2)


def confusion(hits):
    return [[hits, 100 - hits], [100 - hits, hits]]


def on_folds(bracket, rung, number, hits, *groups):
    own = {"confusion": confusion(hits)}
    by_group = dict.fromkeys(groups, own)
    parts = {"test": {"loss": 0.5, "miou": 0.5, "groups": by_group, **own}}
    trial = (bracket, rung, number)
    return (10, order(trial, 9)), (20, news(trial, 9, 0.5, parts=parts))


def test_folds_decide_and_what_the_search_has_seen_is_told():
    events = [(1, order((0, 0, 1), 3)), (2, news((0, 0, 1), 3, 0.1))]
    events.append((3, PlanChanged(Plan(1, comparison_epochs=9, folds=2), "--final-folds 2")))
    for seed in range(3):
        for arm in range(2):
            hits = 60 + 20 * arm + seed * arm
            events += on_folds(COMPARISON_BRACKET, arm, seed, hits, "mine")
            events += on_folds(FOLDS_BRACKET, arm, 2 * seed, hits, "mine", "town")
            events += on_folds(FOLDS_BRACKET, arm, 2 * seed + 1, hits, "wood")
    its = run(*events, (30, Finish("done")))
    found = words(its)
    assert "is better than the default: its mIoU over all folds is higher" in found.sentence
    assert "on these 3 groups of test images" in found.sentence
    assert any("The search has seen town, wood" in each for each in found.details)
    assert any("It has never seen mine." in each for each in found.details)
    assert any(each.startswith("On the untouched part alone: ") for each in found.details)


def test_seeds_that_were_added_do_not_change_the_levels_of_the_looks():
    def its(*plans):
        before = changed(
            answered("undecided").compared.terms, planned_seeds=3, most_seeds=3
        )  # the plan of runs of earlier versions
        events = [(1, order((0, 0, 1), 3)), (2, news((0, 0, 1), 3, 0.1))]
        events += [(4, order((-1, 0, 0), 9)), (5, news((-1, 0, 0), 9, 0.5))]
        events += [(6, PlanChanged(Plan(1, comparison_epochs=9, comparison_seeds=n), "more"))
                   for n in plans]  # fmt: skip
        return before, run(*events).compared.terms

    before, after = its()
    assert before == after
    assert its(10)[1] == changed(before, most_seeds=10)


LOSSES = st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2)), min_size=2, max_size=8)


@settings(deadline=None, max_examples=40)
@given(LOSSES)
def test_every_number_of_a_sentence_is_the_verdicts(pairs):
    its = comparison(*map(list, zip(*pairs, strict=True)))
    verdict = judged(its)
    numbers = [float(each) for each in re.findall(r"[-+]?\d+\.\d{4}", words(its).sentence)]
    first = verdict.difference
    known = [abs(first.mean), first.low, first.high, first.inner_low, first.inner_high]
    assert all(
        any(abs(each - own) <= 0.5001e-4 for own in known if own is not None) for each in numbers
    )
