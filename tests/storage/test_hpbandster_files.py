"""HpBandSter's live log holds what the search counted, line by line, and opens in HpBandSter."""

import json
import pickle

import pytest
from helpers.scheduler_world import LADDERS, World, happenings, plans, play
from hpbandster.core.result import logged_results_to_HBS_result
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.search.events import (
    BracketFinished,
    Evaluate,
    Evaluated,
    Finish,
    Settled,
    WorkersChanged,
)
from bohb_seg.search.hyperband import Ladder
from bohb_seg.storage.hpbandster_files import CHECK, LiveLog, PickleAside, check_of, write_pickle
from bohb_seg.storage.journal_entries import Entry, RunResumed, RunStarted
from bohb_seg.trials import COMPARISON_BRACKET, RUNOFF_BRACKET, EvaluationId, TrialId


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
    """Lines of a file without their checks, all of which must be there and fit."""
    found = [json.loads(line) for line in file.read_text().splitlines()]
    assert all(map(check_of, found))
    for line in found:
        del line[2][CHECK]
    return found


def audit(folder, world):
    """Both files against the account that the simulated cluster kept of its own."""
    begun = {t: c for t, c in world.configurations.items() if t.bracket >= 0}
    found = [(tuple(t), c) for t, c, _ in lines(folder / "configs.json")]
    assert found == [(tuple(trial), configuration) for trial, configuration in begun.items()]
    assert [
        (tuple(trial), budget, result and result["loss"])
        for trial, budget, _, result, _ in lines(folder / "results.json")
    ] == [
        (tuple(evaluation.trial), evaluation.budget, news.loss)
        for evaluation, news in world.counted.items()
        if evaluation.trial.bracket >= 0
    ]


# Whatever happens, the newest message comes twice, and the second time says something else.
echoed = happenings.map(
    lambda story: [item for happening in story for item in (happening, (World.echo, -1, 9.0))]
)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(LADDERS), plans, echoed)
def test_one_line_per_trial_and_per_counted_evaluation(folder, ladder, plan, story):
    world = play(ladder, plan, story)
    LiveLog(folder).rewrite(entries_of(world))
    audit(folder, world)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(LADDERS), plans, happenings)
def test_one_line_each_with_the_times_of_the_attempt_that_counted(folder, ladder, plan, story):
    world = play(ladder, plan, story)
    LiveLog(folder).rewrite(entries_of(world))
    audit(folder, world)
    assert_times(folder, world)


def assert_times(folder, world):
    """From the order of the attempt that the cluster counted to its first report that counted."""
    began, ended = {}, {}
    for entry in entries_of(world):
        match entry.event:
            case Evaluate() as order:
                began[order.evaluation, order.attempt] = entry.time
            case Evaluated() as news if news is world.counted.get(news.evaluation):
                ended[news.evaluation] = entry.time
    for trial, budget, times, _, _ in lines(folder / "results.json"):
        evaluation = EvaluationId(TrialId(*trial), budget)
        attempt = world.counted[evaluation].attempt
        assert times["submitted"] == times["started"] == began[evaluation, attempt]
        assert times["finished"] == ended[evaluation]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(LADDERS), plans, happenings, st.lists(st.floats(0, 1), max_size=4))
def test_kept_up_in_pieces_is_written_at_once(folder, ladder, plan, story, shares):
    entries = entries_of(play(ladder, plan, story))
    whole = LiveLog(folder)
    whole.rewrite(entries)
    expected = files(folder)
    places = sorted(round(share * len(entries)) for share in shares)
    pieces = [entries[a:b] for a, b in zip([0, *places], [*places, len(entries)], strict=True)]
    live = LiveLog(folder)
    live.rewrite(pieces[0])
    for piece in pieces[1:]:
        live.add(piece)
    assert files(folder) == expected


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(LADDERS), plans, happenings)
def test_hpbandster_reads_what_was_counted(folder, ladder, plan, story):
    world = play(ladder, plan, story)
    LiveLog(folder).rewrite(entries_of(world))
    counted = {e: n for e, n in world.counted.items() if e.trial.bracket >= 0}
    if not counted:
        return
    result = logged_results_to_HBS_result(str(folder))
    read = {(tuple(r.config_id), r.budget): r.loss for r in result.get_all_runs()}
    assert read == {(tuple(e.trial), e.budget): n.loss for e, n in counted.items()}
    configs = {t: c["config"] for t, c in result.get_id2config_mapping().items()}
    assert configs == {tuple(t): c for t, c in world.configurations.items() if t.bracket >= 0}


# --- one line each ----------------------------------------------------------------------------


def order(number=0, attempt=1, bracket=0, budget=3.0, worker="w", model_based=False):
    evaluation = EvaluationId(TrialId(bracket, 0, number), budget)
    return Evaluate(evaluation, attempt, worker, {"x": number}, model_based)


def ends(begun, outcome="finished", loss=0.5, info=None, error=None):
    loss = loss if outcome == "finished" else None
    key = begun.evaluation, begun.attempt, begun.worker
    return Evaluated(*key, outcome, loss, info or {}, error)


def settled(begun):
    return Settled(begun.evaluation, begun.attempt, begun.worker)


def counts(begun, *outcome, **told):
    """A report and the order that says that it counts."""
    return ends(begun, *outcome, **told), settled(begun)


def logged(folder, *events):
    LiveLog(folder).rewrite(Entry(float(second), event) for second, event in enumerate(events))
    return lines(folder / "configs.json"), lines(folder / "results.json")


def test_the_lines_of_a_finished_evaluation(tmp_path):
    begun = order(model_based=True)
    configs, results = logged(tmp_path, RunResumed(), begun, *counts(begun, info={"miou": 0.25}))
    assert configs == [[[0, 0, 0], {"x": 0}, {"model_based_pick": True}]]
    times = {"submitted": 1.0, "started": 1.0, "finished": 2.0}
    assert results == [
        [[0, 0, 0], 3.0, times, {"loss": 0.5, "info": {"miou": 0.25}}, None],
    ]


def test_a_diverged_evaluation_has_no_result_but_an_exception(tmp_path):
    begun = order()
    _, results = logged(tmp_path, begun, *counts(begun, "diverged", error="the loss became nan"))
    assert [line[3:] for line in results] == [[None, "the loss became nan"]]


def test_a_crash_is_a_result_only_the_last_time(tmp_path):
    begun = [order(attempt=number) for number in (1, 2)]
    first, second = (ends(o, "crashed", error=f"{o.attempt}") for o in begun)
    assert logged(tmp_path, begun[0], first, begun[1])[1] == []
    _, results = logged(tmp_path, begun[0], first, begun[1], second, settled(begun[1]))
    times = {"submitted": 2.0, "started": 2.0, "finished": 3.0}
    assert results == [[[0, 0, 0], 3.0, times, None, "2"]]


def test_only_what_is_settled_is_a_result(tmp_path):
    """A report before, of the lost attempt, and one after, of the attempt that counted."""
    first, second = order(), order(attempt=2, worker="v")
    gone = WorkersChanged(left=("w",))
    configs, results = logged(
        *(tmp_path, first, gone, second, ends(first, "crashed"), *counts(second, loss=0.25)),
        *(ends(first, loss=-1.0), ends(second, loss=-2.0)),
    )
    assert len(configs) == 1
    assert [line[3]["loss"] for line in results] == [0.25]
    assert results[0][2] == {"submitted": 2.0, "started": 2.0, "finished": 4.0}


def test_a_lost_attempt_that_counts_has_its_own_times(tmp_path):
    first, second = order(), order(attempt=2, worker="v")
    gone = WorkersChanged(left=("w",))
    _, results = logged(tmp_path, first, gone, second, *counts(first), ends(second, loss=-1.0))
    assert [line[3]["loss"] for line in results] == [0.5]
    assert results[0][2] == {"submitted": 0.0, "started": 0.0, "finished": 3.0}


def test_a_settled_attempt_that_did_not_report_is_a_fault_of_ours(tmp_path):
    first, second = order(), order(1)
    with pytest.raises(AssertionError):
        logged(tmp_path, first, second, ends(first), settled(second))


@pytest.mark.parametrize("bracket", [RUNOFF_BRACKET, COMPARISON_BRACKET])
def test_the_final_phase_stays_out(tmp_path, bracket):
    searched, compared = order(), order(bracket=bracket, budget=100.0)
    events = (searched, *counts(searched), compared, *counts(compared))
    configs, results = logged(tmp_path, *events)
    assert [line[0] for line in configs] == [line[0] for line in results] == [[0, 0, 0]]


def test_a_line_that_was_changed_is_told_from_one_that_was_not_and_one_of_others(tmp_path):
    begun = order()
    logged(tmp_path, begun, *counts(begun, info={"a": [0.1, float("nan")], "b": "é"}))
    for name in ("configs.json", "results.json"):
        text = (tmp_path / name).read_text()
        assert check_of(json.loads(text)) is True
        assert check_of(json.loads(text.replace("[0, 0, 0]", "[0, 0, 1]"))) is False
        assert check_of(json.loads(text.replace("check", "chdck"))) is None


def test_writing_anew_forgets_what_was_written(tmp_path):
    begun = order()
    log = LiveLog(tmp_path)
    entries = [Entry(float(second), each) for second, each in enumerate((begun, *counts(begun)))]
    log.rewrite(entries[:2])
    log.rewrite(entries)
    assert len(lines(tmp_path / "configs.json")) == len(lines(tmp_path / "results.json")) == 1


def test_a_finished_bracket_is_forgotten(tmp_path):
    sizes = []
    for brackets in (10, 100):
        events = []
        for bracket in range(brackets):
            for begun in (order(0, bracket=bracket), order(1, bracket=bracket)):
                events += [begun, *counts(begun)]
            events.append(BracketFinished(bracket))
        log = LiveLog(tmp_path)
        log.rewrite(Entry(0.0, event) for event in events)
        assert len(lines(tmp_path / "configs.json")) == 2 * brackets
        sizes.append(len(pickle.dumps(log)))
    assert sizes[1] - sizes[0] < 10


# --- results.pkl ------------------------------------------------------------------------------


LADDER = Ladder(1, 9, 3)


def test_the_pickle_knows_the_whole_ladder(tmp_path):
    """HpBandSter infers it from the budgets that were reached: here only one of three."""
    low, bad = order(budget=1.0), order(1, budget=1.0)
    logged(tmp_path, low, bad, *counts(low), *counts(bad, "diverged", error="nan"))
    write_pickle(tmp_path, LADDER)
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
    assert {path.name for path in tmp_path.iterdir()} == {
        *("configs.json", "results.json", "results.pkl")
    }


def test_there_is_no_pickle_before_the_first_result(tmp_path):
    logged(tmp_path, order(), Finish("nothing"))
    write_pickle(tmp_path, LADDER)
    assert not (tmp_path / "results.pkl").exists()


def test_the_incumbent_is_that_of_the_largest_budget(tmp_path):
    below, top = order(budget=1.0), order(budget=9.0)
    logged(tmp_path, below, *counts(below, loss=-5.0), top, *counts(top, loss=0.5))
    write_pickle(tmp_path, LADDER)
    result = pickle.loads((tmp_path / "results.pkl").read_bytes())
    assert result.get_incumbent_id() == (0, 0, 0)


def test_a_pickle_that_cannot_be_written_aside_is_told_in_one_line(tmp_path, caplog):
    aside = PickleAside(tmp_path / "gone", LADDER)
    aside.write_if_due()
    aside.write_if_due()  # not due
    aside.wait()
    (line,) = caplog.messages
    assert line.startswith("results.pkl could not be written ([Errno 2] No such file or directory")
    assert line.endswith("); it follows")
