"""HpBandSter's live log holds what the search counted, line by line, and opens in HpBandSter."""

import json
import pickle

import pytest
from hpbandster.core.result import logged_results_to_HBS_result
from hypothesis import given, settings
from hypothesis import strategies as st
from search.test_scheduler_properties import LADDERS, World, happenings, plans, play

from bohb_seg.hpbandster_files import LiveLog, write_pickle
from bohb_seg.journal import Entry, RunResumed, RunStarted
from bohb_seg.settings import SearchSettings
from bohb_seg.trials import (
    COMPARISON_BRACKET,
    Evaluate,
    Evaluated,
    EvaluationId,
    Finish,
    TrialId,
    WorkersChanged,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("live-log")


def entries_of(world):
    """The journal of a run, one second an entry."""
    events = [RunStarted({}, {}, {}, {})]
    events += [event for news, orders in world.told for event in (news, *orders)]
    return [Entry(float(second), event) for second, event in enumerate(events)]


def files(folder):
    return (folder / "configs.json").read_bytes(), (folder / "results.json").read_bytes()


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def audit(folder, world):
    """Both files against the account that the simulated cluster kept of its own."""
    begun = {t: c for t, c in world.configurations.items() if t.bracket != COMPARISON_BRACKET}
    found = [(tuple(t), c) for t, c, _ in lines(folder / "configs.json")]
    assert found == [(tuple(trial), configuration) for trial, configuration in begun.items()]
    assert [
        (tuple(trial), budget, result and result["loss"])
        for trial, budget, _, result, _ in lines(folder / "results.json")
    ] == [
        (tuple(evaluation.trial), evaluation.budget, news.loss)
        for evaluation, news in world.counted.items()
        if evaluation.trial.bracket != COMPARISON_BRACKET
    ]


# Whatever happens, the newest message that must not count comes right behind it.
echoed = happenings.map(
    lambda story: [item for happening in story for item in (happening, (World.late, -1, 9.0))]
)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(LADDERS), plans, echoed)
def test_one_line_per_trial_and_per_counted_evaluation(folder, ladder, plan, story):
    world = play(ladder, plan, story)
    LiveLog(folder, plan.max_attempts).rewrite(entries_of(world))
    audit(folder, world)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(LADDERS), plans, happenings)
def test_one_line_each_if_nothing_comes_late(folder, ladder, plan, story):
    """As above without late results: workers leave and crash, evaluations diverge, stops come."""
    prompt = [happening for happening in story if happening[0].__name__ != "late"]
    world = play(ladder, plan, prompt)
    LiveLog(folder, plan.max_attempts).rewrite(entries_of(world))
    audit(folder, world)
    if world.counted:
        assert_times(folder, entries_of(world))


def assert_times(folder, entries):
    """An evaluation lasts from the order of the attempt that counted to its result."""
    began, ended = {}, {}
    for entry in entries:
        if isinstance(entry.event, Evaluate):
            began[entry.event.evaluation] = entry.time
        elif isinstance(entry.event, Evaluated):
            ended[entry.event.evaluation] = entry.time
    for trial, budget, times, _, _ in lines(folder / "results.json"):
        evaluation = EvaluationId(TrialId(*trial), budget)
        assert times["submitted"] == times["started"] == began[evaluation]
        assert times["finished"] == ended[evaluation]


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(LADDERS), plans, happenings, st.lists(st.floats(0, 1), max_size=4))
def test_kept_up_in_pieces_is_written_at_once(folder, ladder, plan, story, shares):
    entries = entries_of(play(ladder, plan, story))
    whole = LiveLog(folder, plan.max_attempts)
    whole.rewrite(entries)
    expected = files(folder)
    places = sorted(round(share * len(entries)) for share in shares)
    pieces = [entries[a:b] for a, b in zip([0, *places], [*places, len(entries)], strict=True)]
    live = LiveLog(folder, plan.max_attempts)
    live.rewrite(pieces[0])
    for piece in pieces[1:]:
        live.add(piece)
    assert files(folder) == expected


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(LADDERS), plans, happenings)
def test_hpbandster_reads_what_was_counted(folder, ladder, plan, story):
    prompt = [happening for happening in story if happening[0].__name__ != "late"]
    world = play(ladder, plan, prompt)
    LiveLog(folder, plan.max_attempts).rewrite(entries_of(world))
    counted = {e: n for e, n in world.counted.items() if e.trial.bracket != COMPARISON_BRACKET}
    if not counted:
        return
    result = logged_results_to_HBS_result(str(folder))
    read = {(tuple(r.config_id), r.budget): r.loss for r in result.get_all_runs()}
    assert read == {(tuple(e.trial), e.budget): n.loss for e, n in counted.items()}
    configs = {t: c["config"] for t, c in result.get_id2config_mapping().items()}
    assert configs == {
        tuple(t): c for t, c in world.configurations.items() if t.bracket != COMPARISON_BRACKET
    }


# --- one line each ----------------------------------------------------------------------------


def order(number=0, attempt=1, bracket=0, budget=3.0, worker="w", model_based=False):
    evaluation = EvaluationId(TrialId(bracket, 0, number), budget)
    return Evaluate(evaluation, attempt, worker, {"x": number}, model_based)


def ends(begun, outcome="finished", loss=0.5, info=None, error=None):
    loss = loss if outcome == "finished" else None
    key = begun.evaluation, begun.attempt, begun.worker
    return Evaluated(*key, outcome, loss, info or {}, error)


def logged(folder, *events, max_attempts=3):
    log = LiveLog(folder, max_attempts)
    log.rewrite(Entry(float(second), event) for second, event in enumerate(events))
    return lines(folder / "configs.json"), lines(folder / "results.json")


def test_the_lines_of_a_finished_evaluation(tmp_path):
    begun = order(model_based=True)
    configs, results = logged(tmp_path, RunResumed(), begun, ends(begun, info={"miou": 0.25}))
    assert configs == [[[0, 0, 0], {"x": 0}, {"model_based_pick": True}]]
    times = {"submitted": 1.0, "started": 1.0, "finished": 2.0}
    assert results == [
        [[0, 0, 0], 3.0, times, {"loss": 0.5, "info": {"miou": 0.25}}, None],
    ]


def test_a_diverged_evaluation_has_no_result_but_an_exception(tmp_path):
    begun = order()
    _, results = logged(tmp_path, begun, ends(begun, "diverged", error="the loss became nan"))
    assert [line[3:] for line in results] == [[None, "the loss became nan"]]


@pytest.mark.parametrize(("attempts", "errors"), [(1, ["1"]), (2, []), (2, ["1", "2"])])
def test_a_crash_is_a_result_only_the_last_time(tmp_path, attempts, errors):
    begun = [order(attempt=number) for number, _ in enumerate(errors, start=1)]
    crashes = [ends(o, "crashed", error=e) for o, e in zip(begun, errors, strict=True)]
    events = [event for pair in zip(begun, crashes, strict=True) for event in pair]
    _, results = logged(tmp_path, *events, max_attempts=attempts)
    assert [line[4] for line in results] == errors[attempts - 1 : attempts]


def test_crashes_are_counted_apart_for_every_evaluation(tmp_path):
    events = []
    for begun in (order(0), order(1), order(0, budget=9.0)):
        events += [begun, ends(begun, "crashed")]
    assert logged(tmp_path, *events, max_attempts=2)[1] == []


def test_work_that_was_lost_is_no_result(tmp_path):
    first, second = order(), order(attempt=2, worker="v")
    configs, results = logged(
        tmp_path, first, WorkersChanged(left=("w",)), second, ends(first), ends(second, loss=0.25)
    )
    assert len(configs) == 1
    assert [line[3]["loss"] for line in results] == [0.25]
    assert results[0][2] == {"submitted": 2.0, "started": 2.0, "finished": 4.0}


def test_a_result_of_a_worker_that_was_given_up_is_dropped(tmp_path):
    """The scheduler dropped it, because nobody runs the evaluation when it comes."""
    first, second = order(), order(attempt=2, worker="v")
    _, results = logged(
        *(tmp_path, first, WorkersChanged(left=("w",)), ends(first, loss=9.0)),
        *(second, ends(second, loss=0.25)),
    )
    assert [line[3]["loss"] for line in results] == [0.25]


def test_a_result_after_the_crash_of_its_attempt_is_dropped(tmp_path):
    first, second = order(), order(attempt=2)
    _, results = logged(
        *(tmp_path, first, ends(first, "crashed"), ends(first, loss=9.0)),
        *(second, ends(second, loss=0.25)),
    )
    assert [line[3]["loss"] for line in results] == [0.25]


def test_a_doubled_result_is_booked_once(tmp_path):
    begun = order()
    _, results = logged(tmp_path, begun, ends(begun), ends(begun, loss=-1.0))
    assert [line[3]["loss"] for line in results] == [0.5]


def test_the_comparison_stays_out(tmp_path):
    searched, compared = order(), order(bracket=COMPARISON_BRACKET, budget=100.0)
    configs, results = logged(tmp_path, searched, ends(searched), compared, ends(compared))
    assert [line[0] for line in configs] == [line[0] for line in results] == [[0, 0, 0]]


# --- results.pkl ------------------------------------------------------------------------------


def chosen(**flags):
    return SearchSettings(min_budget=1, max_budget=9, eta=3, **flags)


def test_the_pickle_knows_the_whole_ladder(tmp_path):
    """HpBandSter infers it from the budgets that were reached: here only one of three."""
    low, bad = order(budget=1.0), order(1, budget=1.0)
    logged(tmp_path, low, bad, ends(low), ends(bad, "diverged", error="nan"))
    write_pickle(tmp_path, chosen())
    with (tmp_path / "results.pkl").open("rb") as stream:
        result = pickle.load(stream)
    known = {name: result.HB_config[name] for name in result.HB_config if name != "time_ref"}
    assert known == {
        **{"eta": 3.0, "min_budget": 1.0, "max_budget": 9.0},
        **{"budgets": [1.0, 3.0, 9.0], "max_SH_iter": 3},
    }
    assert [(run.config_id, run.loss) for run in result.get_all_runs()] == [
        ((0, 0, 0), 0.5),
        ((0, 0, 1), None),
    ]
    assert not (tmp_path / "results.pkl.partial").exists()


def test_there_is_no_pickle_before_the_first_result(tmp_path):
    logged(tmp_path, order(), Finish("nothing"))
    write_pickle(tmp_path, chosen())
    assert not (tmp_path / "results.pkl").exists()


def test_the_incumbent_is_that_of_the_largest_budget(tmp_path):
    below, top = order(budget=1.0), order(budget=9.0)
    logged(tmp_path, below, ends(below, loss=-5.0), top, ends(top, loss=0.5))
    write_pickle(tmp_path, chosen())
    result = pickle.loads((tmp_path / "results.pkl").read_bytes())
    assert result.get_incumbent_id() == (0, 0, 0)
