"""What a run leaves on the disk, and when it may be gone on with."""

import dataclasses
import errno
import json
from pathlib import Path

import pytest
import yaml

from bohb_seg.errors import JournalError, SettingsError
from bohb_seg.search.events import Evaluate, Evaluated, Finish, Settled, WorkersChanged
from bohb_seg.settings import SearchSettings, flag_of
from bohb_seg.storage import run_directory
from bohb_seg.storage.hpbandster_files import LiveLog
from bohb_seg.storage.journal import FILE_NAME, Journal, RunStarted, read
from bohb_seg.storage.run_directory import RunDirectory
from bohb_seg.trials import (
    COMPARISON_BRACKET,
    DEFAULT_ARM,
    INCUMBENT_ARM,
    EvaluationId,
    Observation,
    TrialId,
)


def chosen(folder, **flags):
    return SearchSettings(**{"run_id": "r", "run_dir": folder / "run", "seed": 5, **flags})


def beginning(settings):
    data = {"fingerprint": "f" * 8, "split_hash": "s" * 8}
    return RunStarted(settings.model_dump(mode="json"), {"hyperparameters": []}, data, {"x": 1})


def new_run(folder):
    settings = chosen(folder)
    return RunDirectory(settings, beginning(settings), [])


def evaluation(number=0, bracket=0, rung=0, budget=9.0):
    return EvaluationId(TrialId(bracket, rung, number), budget)


def evaluated(identity, loss, **info):
    outcome = "diverged" if loss is None else "finished"
    return Evaluated(identity, 1, "w", outcome, loss, info)


def searched(loss=0.5):
    begun = Evaluate(evaluation(), 1, "w", {"x": 1})
    ended = evaluated(evaluation(), loss)
    return [WorkersChanged(joined=("w",)), begun, ended, Settled(evaluation(), 1, "w")]


# --- a new run --------------------------------------------------------------------------------


def test_a_new_run_keeps_its_settings_and_space(tmp_path):
    new_run(tmp_path).close()
    settings = yaml.safe_load((tmp_path / "run/settings.yaml").read_text())
    assert (settings["seed"], settings["continue"]) == (5, True)
    assert (settings["data_fingerprint"], settings["split_hash"]) == ("f" * 8, "s" * 8)
    assert set(run_directory.RECORDED_VERSIONS) == settings["versions"].keys()
    space = json.loads((tmp_path / "run/configspace.json").read_text())
    assert space == {"hyperparameters": []}


def test_what_is_recorded_is_in_the_journal_and_in_the_live_log(tmp_path):
    run = new_run(tmp_path)
    run.record(searched())
    assert [e.event for e in read(tmp_path / "run" / FILE_NAME)][1:] == searched()
    assert len((tmp_path / "run/configs.json").read_text().splitlines()) == 1
    assert len((tmp_path / "run/results.json").read_text().splitlines()) == 1
    run.close()


def test_a_live_log_that_found_no_room_is_made_up_later(tmp_path, monkeypatch):
    run = new_run(tmp_path)
    with monkeypatch.context() as full:
        full.setattr(LiveLog, "add", no_room)
        run.record(searched()[:3])
    assert not (run.path / "configs.json").read_text()
    run.record(searched()[3:])
    found = (run.path / "configs.json").read_text(), (run.path / "results.json").read_text()
    run.close()
    assert all(found)
    RunDirectory(chosen(tmp_path), beginning(chosen(tmp_path)), read(run.path / FILE_NAME)).close()
    assert found == (
        (run.path / "configs.json").read_text(),
        (run.path / "results.json").read_text(),
    )


def no_room(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_results_are_written_when_there_are_any(tmp_path):
    run = new_run(tmp_path)
    run.write_results(None)
    assert not (tmp_path / "run/results.pkl").exists()
    assert not (tmp_path / "run/incumbent.json").exists()
    run.record(searched())
    run.write_results({"trial": TrialId(0, 0, 0), "loss": 0.5})
    assert (tmp_path / "run/results.pkl").exists()
    incumbent = json.loads((tmp_path / "run/incumbent.json").read_text())
    assert incumbent == {"run_id": "r", "trial": [0, 0, 0], "loss": 0.5}
    run.close()


def test_only_the_checkpoint_of_the_discarded_trial_goes(tmp_path):
    run = new_run(tmp_path)
    kept, gone = (tmp_path / "run/checkpoints" / name for name in ("0-0-11", "0-0-1"))
    for folder in (kept, gone):
        folder.mkdir(parents=True)
        (folder / "state").write_text("weights")
    run.discard(TrialId(0, 0, 1))
    run.discard(TrialId(0, 0, 2))
    assert kept.exists()
    assert not gone.exists()
    run.close()


def test_a_directory_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "run").write_text("a file")
    settings = chosen(tmp_path)
    with pytest.raises(SettingsError, match=f"--run-dir {tmp_path}/run cannot be written: "):
        RunDirectory(settings, beginning(settings), [])


# --- a used directory -------------------------------------------------------------------------


def test_a_new_run_is_refused_where_one_lies(tmp_path):
    run_directory.refuse_used(tmp_path / "run")
    (tmp_path / "run").mkdir()
    run_directory.refuse_used(tmp_path / "run")
    new_run(tmp_path).close()
    with pytest.raises(SettingsError, match=r"already holds a run; add --resume .* or choose"):
        run_directory.refuse_used(tmp_path / "run")


def test_a_run_is_resumed_with_its_own_settings(tmp_path):
    run = new_run(tmp_path)
    run.record(searched())
    run.close()
    now = chosen(tmp_path, seed=0, resume=True, port=1234, max_hours=2.0, run_id="other")
    flags = {"resume": True, "port": "1234", "max_hours": "2", "seed": None, "run_id": None}
    settings, past = run_directory.resumed(now, flags)
    assert (settings.seed, settings.run_id) == (5, "r")
    assert (settings.port, settings.max_hours, settings.resume) == (1234, 2.0, True)
    assert [entry.event for entry in past][1:] == searched()


@pytest.mark.parametrize(("given", "then"), [({}, 9.0), ({"max_hours": 2.0}, 2.0)])
def test_every_stop_rule_survives_unless_a_start_has_its_own_hours(tmp_path, given, then):
    rules = {"max_evaluations": 7, "max_epochs": 80.0, "target_loss": 0.25}
    settings = chosen(tmp_path, max_hours=9.0, **rules)
    RunDirectory(settings, beginning(settings), []).close()
    found, _ = run_directory.resumed(chosen(tmp_path, **given), given)
    assert {name: getattr(found, name) for name in rules} == rules
    assert found.max_hours == then


def test_the_earlier_runs_of_a_resumed_run_may_be_gone(tmp_path):
    settings = chosen(tmp_path, warm_start=["gone", "too"])
    start = beginning(settings)
    learnt = (Observation({"x": 1}, 3.0, None), Observation({"y": "a"}, 9.0, 0.5))
    RunDirectory(settings, dataclasses.replace(start, earlier=learnt), []).close()
    found, past = run_directory.resumed(chosen(tmp_path), {"warm_start": None})
    assert found.warm_start == (Path("gone"), Path("too"))
    assert past[0].event.earlier == learnt


def test_a_run_that_was_begun_before_there_was_a_setting_has_its_default(tmp_path):
    start = beginning(chosen(tmp_path))
    known = {name: value for name, value in start.settings.items() if name != "max_epochs"}
    write_journal(tmp_path, dataclasses.replace(start, settings=known))
    found, _ = run_directory.resumed(chosen(tmp_path), {})
    assert found.max_epochs is None
    with pytest.raises(SettingsError, match=r"--max-epochs 90\.0 contradicts .* has None"):
        run_directory.resumed(chosen(tmp_path, max_epochs=90), {"max_epochs": "90"})


def test_a_moved_run_is_resumed_where_it_lies_now(tmp_path):
    new_run(tmp_path).close()
    (tmp_path / "run").rename(tmp_path / "moved")
    now = chosen(tmp_path, run_dir=tmp_path / "moved", resume=True)
    assert run_directory.resumed(now, {})[0].run_dir == tmp_path / "moved"


def contents(folder):
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_resuming_changes_nothing_that_is_there(tmp_path):
    run = new_run(tmp_path)
    run.record(searched())
    run.close()
    before = contents(run.path)
    settings, past = run_directory.resumed(chosen(tmp_path, resume=True), {})
    RunDirectory(settings, beginning(chosen(tmp_path, seed=9)), past).close()
    assert contents(run.path) == before


def test_a_torn_live_log_is_mended_from_the_journal(tmp_path):
    run = new_run(tmp_path)
    run.record(searched())
    run.close()
    results = tmp_path / "run/results.json"
    whole = results.read_bytes()
    results.write_bytes(whole[:20])
    settings, past = run_directory.resumed(chosen(tmp_path, resume=True), {})
    RunDirectory(settings, beginning(settings), past).close()
    assert results.read_bytes() == whole


@pytest.mark.parametrize(
    ("flag", "now"),
    [
        *[("seed", 6), ("n_iterations", 7), ("max_evaluations", 3), ("eta", 4.0)],
        *[("max_epochs", 90.0), ("continue_", False), ("final_candidates", 2)],
    ],
)
def test_a_flag_that_contradicts_the_run_is_refused(tmp_path, flag, now):
    new_run(tmp_path).close()
    settings = chosen(tmp_path, **{flag: now})
    with pytest.raises(SettingsError) as error:
        run_directory.resumed(settings, {flag: str(now)})
    was = chosen(tmp_path).model_dump(mode="json")[flag]
    assert str(error.value) == (
        f"{flag_of(flag)} {now} contradicts the run that is resumed, which has {was};"
        " leave the flag out or start a new run"
    )


def test_a_flag_that_repeats_what_the_run_has_is_accepted(tmp_path):
    new_run(tmp_path).close()
    assert run_directory.resumed(chosen(tmp_path), {"seed": "5"})[0].seed == 5


def test_where_no_run_lies_none_is_resumed(tmp_path):
    with pytest.raises(SettingsError, match=r"--resume: .* holds no run; name its directory"):
        run_directory.resumed(chosen(tmp_path), {})


def write_journal(folder, *events):
    (folder / "run").mkdir()
    journal = Journal(folder / "run" / FILE_NAME)
    journal.append(events)
    journal.close()


@pytest.mark.parametrize("events", [[], [Finish("end")], [Finish("end"), None]])
def test_a_journal_without_its_beginning_is_not_resumed(tmp_path, events):
    start = beginning(chosen(tmp_path))
    write_journal(tmp_path, *(event or start for event in events))
    with pytest.raises(JournalError, match="line 1: the journal does not begin with RunStarted"):
        run_directory.resumed(chosen(tmp_path), {})


def test_a_damaged_journal_is_not_resumed(tmp_path):
    write_journal(tmp_path, beginning(chosen(tmp_path)), Finish("end"))
    file = tmp_path / "run" / FILE_NAME
    file.write_bytes(file.read_bytes().replace(b'"kind":"Finish"', b'"kind":"Finis"'))
    with pytest.raises(JournalError, match="line 2"):
        run_directory.resumed(chosen(tmp_path), {})


# --- the model that is kept -------------------------------------------------------------------


def compared(run, arm, seed, loss, model=True):
    """One retraining of the comparison, whose model holds its own name."""
    name = f"comparison/{arm}-{seed}"
    folder = Path(run.path) / name
    folder.mkdir(parents=True, exist_ok=True)
    if model:
        (folder / "model.keras").write_text(f"{arm}-{seed}")
    identity = evaluation(seed, COMPARISON_BRACKET, arm, 100.0)
    run.record([evaluated(identity, loss, artefacts=name), Settled(identity, 1, "w")])


def kept(run):
    run.keep_model()
    run.close()
    file = Path(run.path) / "model.keras"
    return file.read_text() if file.exists() else None


@pytest.mark.parametrize(
    ("results", "name"),
    [
        ({(INCUMBENT_ARM, 0): 0.5, (INCUMBENT_ARM, 1): 0.25}, "1-1"),
        ({(INCUMBENT_ARM, 0): 0.5, (DEFAULT_ARM, 0): 0.25}, "1-0"),
        ({(INCUMBENT_ARM, 0): -0.5, (INCUMBENT_ARM, 1): 0.0}, "1-0"),
        ({(INCUMBENT_ARM, 0): 0.5, (INCUMBENT_ARM, 1): 0.0}, "1-1"),
        ({(INCUMBENT_ARM, 0): None, (INCUMBENT_ARM, 1): 0.75}, "1-1"),
        ({(DEFAULT_ARM, 0): 0.5, (DEFAULT_ARM, 1): 0.25}, "0-1"),
        ({(DEFAULT_ARM, 0): None}, None),
        ({}, None),
    ],
)
def test_the_model_of_the_incumbents_best_seed_is_kept(tmp_path, results, name):
    run = new_run(tmp_path)
    run.record(searched(loss=-9.0))
    for (arm, seed), loss in results.items():
        compared(run, arm, seed, loss)
    assert kept(run) == name


def test_a_run_whose_worker_leaves_no_model_keeps_none(tmp_path):
    run = new_run(tmp_path)
    compared(run, INCUMBENT_ARM, 0, 0.5, model=False)
    assert kept(run) is None


def test_a_late_retraining_is_not_the_model_that_is_kept(tmp_path):
    run = new_run(tmp_path)
    compared(run, INCUMBENT_ARM, 0, 0.5)
    identity = evaluation(0, COMPARISON_BRACKET, INCUMBENT_ARM, 100.0)
    run.record([evaluated(identity, 0.1, artefacts="comparison/elsewhere")])
    assert kept(run) == "1-0"
