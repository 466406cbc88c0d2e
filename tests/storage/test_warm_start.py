"""What is learnt of earlier runs, and which are refused."""

import contextlib
import json
import math
import shutil

import pytest
from hpbandster.core.dispatcher import Job
from hpbandster.core.result import json_result_logger
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.errors import JournalError, SettingsError
from bohb_seg.search.events import Evaluate, Evaluated, Settled, WorkersChanged
from bohb_seg.spaces.formats import configspace, loading
from bohb_seg.storage import warm_start
from bohb_seg.storage.hpbandster_files import LiveLog
from bohb_seg.storage.journal import FILE_NAME, Journal
from bohb_seg.storage.journal_entries import Entry, RunStarted
from bohb_seg.storage.warm_start import EarlierRun
from bohb_seg.trials import EvaluationId, Observation, TrialId

SPACE = configspace.to_json(loading.load("counting"))
DATA = {"fingerprint": "f", "split_hash": "s"}


def start(data=DATA, objective="default", **fields):
    return RunStarted({"objective": objective}, SPACE, data, {}, **fields)


def begun(bracket, number, budget, **configuration):
    return Evaluate(EvaluationId(TrialId(bracket, 0, number), budget), 1, "w", configuration)


def ended(order, loss, outcome="finished"):
    key = order.evaluation, order.attempt, order.worker
    return [order, Evaluated(*key, outcome, loss), Settled(*key)]


def our_run(folder, *events, first=None):
    """A directory with a journal alone."""
    folder.mkdir()
    journal = Journal(folder / FILE_NAME)
    journal.append([first or start(), *events])
    journal.close()
    return folder


def hpbandsters_run(folder, *results):
    """What HpBandSter's own logger writes of (number, budget, configuration, result)."""
    log = json_result_logger(str(folder))
    for number, budget, configuration, result in results:
        log.new_config((0, 0, number), configuration, {})
        job = Job((0, 0, number), config=configuration, budget=budget)
        job.timestamps = {"submitted": 0.0, "started": 0.0, "finished": 1.0}
        job.result, job.exception = result, None if result else "it crashed"
        log(job)
    return folder


def learnt(*directories, by=None):
    return warm_start.comparable(warm_start.read(directories), by or start())


def refusal(*directories, by=None):
    with pytest.raises(SettingsError) as error:
        learnt(*directories, by=by)
    assert "\n" not in str(error.value)
    return str(error.value)


# --- runs on other data ---------------------------------------------------------------------


def expected(*directories, by=None):
    runs = warm_start.read(directories, "--prior")
    return warm_start.expected(runs, by or start())


def test_runs_on_other_data_are_told_run_by_run(tmp_path):
    elsewhere = start(data={"fingerprint": "other", "split_hash": "t"}, objective="milestone3")
    one = our_run(tmp_path / "one", *ended(begun(0, 0, 3.0, x0=0.5, lr=1), 0.5), first=elsewhere)
    two = hpbandsters_run(tmp_path / "two", (0, 9.0, {"x0": 0.25}, {"loss": 70.0, "info": {}}))
    assert expected(one, two) == (
        (Observation({"x0": 0.5, "lr": 1}, 3.0, 0.5),),
        (Observation({"x0": 0.25}, 9.0, 70.0),),
    )


def test_a_run_of_which_nothing_can_be_expected_is_refused(tmp_path):
    lost = our_run(tmp_path / "lost", *ended(begun(0, 0, 3.0, x0=0.5), None, "diverged"))
    other = our_run(tmp_path / "other", *ended(begun(0, 0, 3.0, lr=0.5), 0.5))
    for run, why in ((lost, "has a loss, so nothing"), (other, "has a hyperparameter of this")):
        with pytest.raises(SettingsError) as error:
            expected(run)
        assert str(error.value).startswith(f"--prior {run}: none of its 1 evaluations")
        assert why in str(error.value)
    with pytest.raises(SettingsError, match=r"^--prior .*there is no such directory"):
        expected(tmp_path / "gone")


# --- what is learnt ---------------------------------------------------------------------------


def test_all_budgets_and_bad_ones_are_learnt_in_the_order_of_the_results(tmp_path):
    low, high, nan, crash = (
        begun(0, 0, 3.0, x0=0.5, c0=1),
        begun(0, 0, 9.0, x0=0.5, c0=1),
        begun(0, 1, 3.0, x0=0.25),
        begun(1, 0, 9.0, x0=0.75),
    )
    folder = our_run(
        tmp_path / "run",
        WorkersChanged(joined=("w",)),
        *ended(nan, None, "diverged"),
        *ended(low, 0.5),
        *ended(crash, None, "crashed"),
        *ended(high, 0.25),
    )
    assert learnt(folder) == (
        Observation({"x0": 0.25}, 3.0, None),
        Observation({"x0": 0.5, "c0": 1}, 3.0, 0.5),
        Observation({"x0": 0.75}, 9.0, None),
        Observation({"x0": 0.5, "c0": 1}, 9.0, 0.25),
    )


def test_what_did_not_count_is_not_learnt(tmp_path):
    """A crash that was retried, the late result of another attempt, an evaluation that runs."""
    first = begun(0, 0, 3.0, x0=0.5)
    crash = Evaluated(first.evaluation, 1, "w", "crashed")
    again = Evaluate(first.evaluation, 2, "v", first.configuration)
    late = Evaluated(first.evaluation, 1, "w", "finished", -9.0)
    folder = our_run(
        tmp_path / "run", first, crash, *ended(again, 0.5), late, begun(0, 1, 3.0, x0=0.25)
    )
    assert learnt(folder) == (Observation({"x0": 0.5}, 3.0, 0.5),)


def test_runoff_comparison_and_still_earlier_runs_are_not_learnt(tmp_path):
    folder = our_run(
        tmp_path / "run",
        *ended(begun(0, 0, 3.0, x0=0.5), 0.5),
        *ended(begun(-2, 0, 3.0, x0=0.5), 0.25),
        *ended(begun(-1, 0, 9.0, x0=0.5), 0.125),
        first=start(earlier=(Observation({"x0": 1.0}, 3.0, 0.0),)),
    )
    assert learnt(folder) == (Observation({"x0": 0.5}, 3.0, 0.5),)


def test_the_earlier_run_may_still_be_alive(tmp_path):
    folder = our_run(tmp_path / "run", *ended(begun(0, 0, 3.0, x0=0.5), 0.5))
    with (folder / FILE_NAME).open("a") as file:
        file.write('{"time": 1.0, "kind": "Eval')
    assert learnt(folder) == (Observation({"x0": 0.5}, 3.0, 0.5),)


def test_configurations_stay_as_they_were_if_they_have_anything_in_common(tmp_path):
    folder = our_run(
        tmp_path / "run",
        *ended(begun(0, 0, 3.0, x0=7, other="a"), 0.5),
        *ended(begun(0, 1, 3.0, other="b"), 0.25),
    )
    assert learnt(folder) == (Observation({"x0": 7, "other": "a"}, 3.0, 0.5),)


def test_several_runs_are_learnt_one_after_the_other_each_once(tmp_path):
    runs = [
        our_run(tmp_path / name, *ended(begun(0, 0, 3.0, x0=x), 0.5))
        for name, x in (("a", 0.25), ("b", 0.75))
    ]
    found = [each.configuration["x0"] for each in learnt(*runs, tmp_path / "b/../a")]
    assert found == [0.25, 0.75]


def test_what_is_learnt_survives_the_journal(tmp_path):
    folder = our_run(tmp_path / "old", *ended(begun(0, 0, 3.0, x0=0.5, c0=1), 0.5))
    found = learnt(folder)
    shutil.rmtree(folder)
    again = warm_start.read([our_run(tmp_path / "new", first=start(earlier=found))])
    assert again == [EarlierRun(tmp_path / "new", (), start(earlier=found))]


# --- HpBandSter's directories -----------------------------------------------------------------


def test_hpbandsters_own_files_are_learnt_with_a_warning(tmp_path, caplog):
    folder = hpbandsters_run(
        tmp_path / "run",
        (0, 3.0, {"x0": 0.5, "c0": 1}, {"loss": 0.5, "info": {}}),
        (1, 3.0, {"x0": 0.25}, None),
        (2, 3.0, {"x0": 0.75}, {"loss": math.nan, "info": {}}),
        (0, 9.0, {"x0": 0.5, "c0": 1}, {"loss": 0.25, "info": {}}),
    )
    assert learnt(folder) == (
        Observation({"x0": 0.5, "c0": 1}, 3.0, 0.5),
        Observation({"x0": 0.25}, 3.0, None),
        Observation({"x0": 0.75}, 3.0, None),
        Observation({"x0": 0.5, "c0": 1}, 9.0, 0.25),
    )
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "does not tell on which data it ran" in caplog.text


def test_a_torn_last_line_of_hpbandster_is_passed_over(tmp_path):
    folder = hpbandsters_run(tmp_path / "run", (0, 3.0, {"x0": 0.5}, {"loss": 0.5, "info": {}}))
    with (folder / "results.json").open("a") as file:
        file.write("[[0, 0, 0], 9.0, {")
    assert len(learnt(folder)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "[[0, 0, 0], 3.0, {",
        "{}",
        "[[0, 0, 0], 3.0, {}, null]",
        '[[0, 0, 0], 3.0, {}, {"info": {}}, null]',
        '[[0, 0, 0], 3.0, {}, {"loss": [1]}, null]',
        '[[0, 0, 0], NaN, {}, {"loss": 1}, null]',
        '[[0, 0, 0], 3.0, {}, {"loss": 1' + "0" * 400 + "}, null]",
        '[[0, 0, 7], 3.0, {}, {"loss": 1}, null]',
        '["0", 3.0, {}, {"loss": 1}, null]',
        "[" * 10**5,
    ],
    ids=[
        *(
            "torn",
            "no list",
            "short",
            "no loss",
            "no number",
            "NaN",
            "huge",
            "unknown trial",
            "no trial",
        ),
        "deep",
    ],
)
def test_a_damaged_line_of_hpbandster_is_named(tmp_path, line):
    folder = hpbandsters_run(tmp_path / "run", (0, 3.0, {"x0": 0.5}, {"loss": 0.5, "info": {}}))
    with (folder / "results.json").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(JournalError) as error:
        warm_start.read([folder])
    assert (error.value.path, error.value.line) == (folder / "results.json", 2)


@pytest.mark.parametrize("configuration", [[1], 5, {"x0": [1]}, {"x0": math.inf}])
def test_a_configuration_that_is_none_is_refused(tmp_path, configuration):
    folder = hpbandsters_run(tmp_path / "run", (0, 3.0, configuration, None))
    with pytest.raises(JournalError, match=r"results\.json, line 1: not a line of HpBandSter's"):
        warm_start.read([folder])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["configs.json", "results.json"]), st.integers(0, 1 << 14))
def test_a_bit_that_flips_in_a_live_log_of_ours_teaches_nothing_else(log, file, bit):
    folder, expected = log
    content = (folder / file).read_bytes()
    damaged = bytearray(content)
    damaged[-1 - bit // 8 % len(damaged)] ^= 1 << bit % 8
    (folder / file).write_bytes(damaged)
    try:
        with contextlib.suppress(JournalError):
            assert learnt(folder) == expected
    finally:
        (folder / file).write_bytes(content)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """The live log of a run whose journal is lost, and what is learnt from it."""
    folder = tmp_path_factory.mktemp("log")
    events = [each for n in range(3) for each in ended(begun(n, 0, 3.0, x0=0.25 * n), 0.5 + n)]
    LiveLog(folder).rewrite(Entry(float(second), event) for second, event in enumerate(events))
    return folder, learnt(folder)


def test_our_journal_goes_before_hpbandsters_files(tmp_path):
    folder = our_run(tmp_path / "run", *ended(begun(0, 0, 3.0, x0=0.5), 0.5))
    (folder / "configs.json").write_text("nonsense\n")
    (folder / "results.json").write_text("nonsense\n")
    assert len(learnt(folder)) == 1


# --- what is refused --------------------------------------------------------------------------


def test_what_is_no_run_is_refused(tmp_path):
    last = "; give the directory of an earlier run"
    assert refusal(tmp_path / "no") == (
        f"--warm-start {tmp_path}/no: there is no such directory{last}"
    )
    assert refusal(tmp_path) == (
        f"--warm-start {tmp_path}: it holds no run, neither events.jsonl nor HpBandSter's"
        f" configs.json and results.json{last}"
    )
    (tmp_path / "configs.json").write_text("")
    assert "it holds no run" in refusal(tmp_path)
    (tmp_path / FILE_NAME).write_text("")
    assert refusal(tmp_path) == f"--warm-start {tmp_path}: its run has not begun yet{last}"


def test_a_damaged_journal_is_refused_by_line(tmp_path):
    folder = our_run(tmp_path / "run")
    with (folder / FILE_NAME).open("a") as file:
        file.write("nonsense\n")
    with pytest.raises(JournalError, match="line 2"):
        warm_start.read([folder])


@pytest.mark.parametrize("configurations", [[], [{"other": 1}, {"x9": 0.5}]])
def test_a_run_with_nothing_in_common_is_refused(tmp_path, configurations):
    orders = [begun(0, number, 3.0, **each) for number, each in enumerate(configurations)]
    folder = our_run(tmp_path / "run", *(event for each in orders for event in ended(each, 0.5)))
    assert refusal(folder) == (
        f"--warm-start {folder}: none of its {len(orders)} evaluations has a hyperparameter of"
        " this run's space; leave it out"
    )


@pytest.mark.parametrize(
    ("by", "differing"),
    [
        (start({**DATA, "fingerprint": "g"}), "another data set"),
        (start({**DATA, "split_hash": "t"}), "another split"),
        (start(objective="milestone3"), "another objective"),
        (start({}), "another data set and another split"),
    ],
)
def test_losses_of_something_else_are_refused(tmp_path, by, differing):
    folder = our_run(tmp_path / "run", *ended(begun(0, 0, 3.0, x0=0.5), 0.5))
    assert refusal(folder, by=by) == (
        f"--warm-start {folder}: it had {differing}, so its losses cannot be compared with this"
        " run's; leave it out"
    )


# --- another worker ---------------------------------------------------------------------------


def by_worker(spec, digest=None):
    return RunStarted({"objective": "default", "worker": spec}, SPACE, DATA, {}, worker=digest)


@pytest.mark.parametrize(
    ("then", "now"),
    [
        (by_worker("a.py:W", "1"), by_worker("b.py:W", "2")),
        (by_worker("a.py:V", "1"), by_worker("a.py:W", "1")),
        (by_worker("a.py", "1"), by_worker("toy", "")),
        (by_worker("segmentation", ""), by_worker("toy", "")),
        (by_worker("segmentation"), by_worker("a.py", "1")),
        (by_worker("a.py:W"), by_worker("b.py:W", "2")),
    ],
)
def test_losses_of_another_worker_are_refused(tmp_path, then, now):
    folder = our_run(tmp_path / "run", *ended(begun(0, 0, 3.0, x0=0.5), 0.5), first=then)
    assert refusal(folder, by=now) == (
        f"--warm-start {folder}: it had another worker, so its losses cannot be compared with this"
        " run's; leave it out"
    )


@pytest.mark.parametrize(
    ("then", "now", "warns"),
    [
        (by_worker("a.py:W", "1"), by_worker("moved/b.py:W", "1"), False),
        (by_worker("a.py", "1"), by_worker("a.py:W", "1"), False),
        (by_worker("a.py:W", "1"), by_worker("./a.py:W", "2"), True),
        (by_worker("a.py:W"), by_worker("./a.py:W", "2"), False),
        (by_worker("toy"), by_worker("toy", ""), False),
    ],
)
def test_losses_of_the_same_worker_are_learnt(tmp_path, caplog, then, now, warns):
    folder = our_run(tmp_path / "run", *ended(begun(0, 0, 3.0, x0=0.5), 0.5), first=then)
    assert learnt(folder, by=now) == (Observation({"x0": 0.5}, 3.0, 0.5),)
    assert ("a.py has changed since" in caplog.text) == warns


def test_a_run_without_a_loss_is_refused(tmp_path):
    crashed = begun(0, 0, 3.0, x0=0.5)
    folder = our_run(tmp_path / "run", *ended(crashed, None, "crashed"))
    assert refusal(folder) == (
        f"--warm-start {folder}: none of its 1 evaluations has a loss, so nothing can be learnt"
        " from it; leave it out"
    )


def test_one_bad_run_of_several_is_refused(tmp_path):
    good = our_run(tmp_path / "good", *ended(begun(0, 0, 3.0, x0=0.5), 0.5))
    assert "there is no such directory" in refusal(good, tmp_path / "no")


def test_the_line_of_a_journal_is_plain_json(tmp_path):
    found = (Observation({"x0": 0.5, "c0": 1}, 3.0, None),)
    folder = our_run(tmp_path / "run", first=start(earlier=found))
    line = json.loads((folder / FILE_NAME).read_text())
    assert line["earlier"] == [[{"x0": 0.5, "c0": 1}, 3.0, None]]
