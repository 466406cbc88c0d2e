"""When a run may begin in a directory, and with which settings one is gone on with."""

import contextlib
import dataclasses
import json
from pathlib import Path

import pytest
import yaml
from helpers.run_directories import beginning, chosen, gone_on_with, new_run, searched

from bohb_seg.errors import JournalError, SettingsError
from bohb_seg.search.events import Finish, PlanChanged
from bohb_seg.search.plan import Plan
from bohb_seg.settings import SearchSettings, flag_of, merge
from bohb_seg.storage import resume
from bohb_seg.storage.journal import FILE_NAME, Journal
from bohb_seg.storage.journal_entries import Entry, RunStarted
from bohb_seg.storage.resume import holds_run, opened, refuse_used
from bohb_seg.storage.run_directory import RunDirectory
from bohb_seg.trials import Observation


def resumed(settings, flags):
    """What a master goes on with."""
    with contextlib.closing(opened(settings)) as journal:
        past = resume.past(journal)
    return resume.resumed(settings, flags, past), past


def test_a_new_run_is_refused_where_one_lies(tmp_path):
    refuse_used(tmp_path / "run")
    (tmp_path / "run").mkdir()
    refuse_used(tmp_path / "run")
    new_run(tmp_path).close()
    with pytest.raises(SettingsError, match=r"already holds a run; add --resume .* or choose"):
        refuse_used(tmp_path / "run")


def test_a_run_is_not_even_read_while_another_master_writes_it(tmp_path):
    run = new_run(tmp_path)
    with pytest.raises(SettingsError, match="is in use by another master, process"):
        opened(chosen(tmp_path, resume=True))
    run.record(searched())
    run.close()
    _, past = resumed(chosen(tmp_path, resume=True), {})
    assert [entry.event for entry in past][1:] == searched()


def test_a_run_is_resumed_with_its_own_settings(tmp_path):
    run = new_run(tmp_path)
    run.record(searched())
    run.close()
    now = chosen(tmp_path, seed=0, resume=True, port=1234, max_hours=2.0, run_id="other")
    flags = {"resume": True, "port": "1234", "max_hours": "2", "seed": None, "run_id": None}
    settings, past = resumed(now, flags)
    assert (settings.seed, settings.run_id) == (5, "r")
    assert (settings.port, settings.max_hours, settings.resume) == (1234, 2.0, True)
    assert [entry.event for entry in past][1:] == searched()


OF_THE_FIRST = {
    **{"host": "10.0.0.1", "port": 9191, "nameserver": "10.0.0.2:9090", "tls": Path("certs")},
    **{"local_workers": 0, "heartbeat": 2.0, "checkpoint_gb": 3.0, "dashboard": "8000"},
    **{"max_hours": 9.0, "max_minutes_per_evaluation": 4.0},
}
OTHERS = {
    **{"host": "10.0.0.3", "port": 9292, "nameserver": "10.0.0.4:9090", "tls": Path("others")},
    **{"local_workers": 2, "heartbeat": 5.0, "checkpoint_gb": 4.0, "dashboard": "8001"},
    **{"max_hours": 2.0, "max_minutes_per_evaluation": 5.0},
}


@pytest.mark.parametrize("again", [{}, {"tls": Path("others")}, OTHERS])
def test_a_resumed_run_forgets_no_flag_of_its_first_start(tmp_path, again):
    settings = chosen(tmp_path, **OF_THE_FIRST)
    RunDirectory(settings, beginning(settings), []).close()
    now = chosen(tmp_path, **again)
    found, _ = resumed(now, {name: str(value) for name, value in again.items()})
    assert {name: getattr(found, name) for name in OF_THE_FIRST} == {**OF_THE_FIRST, **again}


def test_consent_to_have_nothing_encrypted_is_asked_for_again(tmp_path):
    settings = chosen(tmp_path, insecure=True)
    RunDirectory(settings, beginning(settings), []).close()
    assert not resumed(chosen(tmp_path), {})[0].insecure


def test_whoever_consents_to_have_nothing_encrypted_leaves_tls_out(tmp_path):
    settings = chosen(tmp_path, tls=Path("certs"))
    RunDirectory(settings, beginning(settings), []).close()
    assert resumed(chosen(tmp_path, insecure=True), {"insecure": True})[0].tls is None


@pytest.mark.parametrize(("given", "then"), [({}, 9.0), ({"max_hours": 2.0}, 2.0)])
def test_every_stop_rule_survives_unless_a_start_has_its_own_hours(tmp_path, given, then):
    rules = {"max_evaluations": 7, "max_epochs": 80.0, "target_loss": 0.25}
    settings = chosen(tmp_path, max_hours=9.0, **rules)
    RunDirectory(settings, beginning(settings), []).close()
    found, _ = resumed(chosen(tmp_path, **given), given)
    assert {name: getattr(found, name) for name in rules} == rules
    assert found.max_hours == then


def test_the_earlier_runs_of_a_resumed_run_may_be_gone(tmp_path):
    settings = chosen(tmp_path, warm_start=["gone", "too"])
    start = beginning(settings)
    learnt = (Observation({"x": 1}, 3.0, None), Observation({"y": "a"}, 9.0, 0.5))
    RunDirectory(settings, dataclasses.replace(start, earlier=learnt), []).close()
    found, past = resumed(chosen(tmp_path), {"warm_start": None})
    assert found.warm_start == (Path("gone"), Path("too"))
    assert past[0].event.earlier == learnt


def test_a_run_that_was_begun_before_there_was_a_setting_has_its_default(tmp_path):
    start = beginning(chosen(tmp_path))
    known = {name: value for name, value in start.settings.items() if name != "max_epochs"}
    write_journal(tmp_path, dataclasses.replace(start, settings=known))
    found, _ = resumed(chosen(tmp_path), {})
    assert found.max_epochs is None
    with pytest.raises(SettingsError, match=r"--max-epochs 90\.0 contradicts .* has None"):
        resumed(chosen(tmp_path, max_epochs=90), {"max_epochs": "90"})


def test_a_moved_run_is_resumed_where_it_lies_now(tmp_path):
    new_run(tmp_path).close()
    (tmp_path / "run").rename(tmp_path / "moved")
    now = chosen(tmp_path, run_dir=tmp_path / "moved", resume=True)
    assert resumed(now, {})[0].run_dir == tmp_path / "moved"


def contents(folder):
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_resuming_changes_nothing_that_is_there(tmp_path):
    run = new_run(tmp_path)
    run.record(searched())
    run.close()
    before = contents(run.path)
    settings, _ = resumed(chosen(tmp_path, resume=True), {})
    gone_on_with(settings, beginning(chosen(tmp_path, seed=9))).close()
    assert contents(run.path) == before


def test_a_torn_live_log_is_mended_from_the_journal(tmp_path):
    run = new_run(tmp_path)
    run.record(searched())
    run.close()
    results = tmp_path / "run/results.json"
    whole = results.read_bytes()
    results.write_bytes(whole[:20])
    gone_on_with(resumed(chosen(tmp_path, resume=True), {})[0]).close()
    assert results.read_bytes() == whole


@pytest.mark.parametrize(
    ("flag", "now"),
    [
        *[("seed", 6), ("min_budget", 2.0), ("max_evaluations", 3), ("eta", 4.0)],
        *[("max_epochs", 90.0), ("continue_", False), ("final_candidates", 2)],
    ],
)
def test_a_flag_that_contradicts_the_run_is_refused(tmp_path, flag, now):
    new_run(tmp_path).close()
    settings = chosen(tmp_path, **{flag: now})
    with pytest.raises(SettingsError) as error:
        resumed(settings, {flag: str(now)})
    was = chosen(tmp_path).model_dump(mode="json")[flag]
    assert str(error.value) == (
        f"{flag_of(flag)} {now} contradicts the run that is resumed, which has {was};"
        " leave the flag out or start a new run"
    )


def test_a_flag_that_repeats_what_the_run_has_is_accepted(tmp_path):
    new_run(tmp_path).close()
    assert resumed(chosen(tmp_path), {"seed": "5"})[0].seed == 5


def test_where_no_run_lies_none_is_resumed(tmp_path):
    with pytest.raises(SettingsError, match=r"--resume: .* holds no run; name its directory"):
        resumed(chosen(tmp_path), {})


def write_journal(folder, *events):
    (folder / "run").mkdir()
    journal = Journal(folder / "run" / FILE_NAME)
    journal.append(events)
    journal.close()


@pytest.mark.parametrize("content", [b"", b'{"time": 17'])
def test_a_run_that_ended_before_it_began_is_begun_as_a_new_one(tmp_path, content):
    """As where the disk was full at its first line."""
    write_journal(tmp_path)
    (tmp_path / "run" / FILE_NAME).write_bytes(content)
    with pytest.raises(SettingsError, match="ended before it began; start it again as a new one"):
        resumed(chosen(tmp_path), {})
    new_run(tmp_path).close()
    assert resumed(chosen(tmp_path), {})[0].run_dir == tmp_path / "run"


@pytest.mark.parametrize("events", [[Finish("end")], [Finish("end"), None]])
def test_a_journal_without_its_beginning_is_not_resumed(tmp_path, events):
    start = beginning(chosen(tmp_path))
    write_journal(tmp_path, *(event or start for event in events))
    with pytest.raises(JournalError, match="line 1: the journal does not begin with RunStarted"):
        resumed(chosen(tmp_path), {})


def test_a_damaged_journal_is_not_resumed(tmp_path):
    write_journal(tmp_path, beginning(chosen(tmp_path)), Finish("end"))
    file = tmp_path / "run" / FILE_NAME
    file.write_bytes(file.read_bytes().replace(b'"kind":"Finish"', b'"kind":"Finis"'))
    with pytest.raises(JournalError, match="line 2"):
        resumed(chosen(tmp_path), {})


def test_a_run_of_a_newer_version_is_not_resumed(tmp_path):
    start = beginning(chosen(tmp_path))
    write_journal(
        tmp_path, dataclasses.replace(start, settings={**start.settings, "colour": "red"})
    )
    with pytest.raises(SettingsError, match=r"has a setting that .* not understand \(colour\)"):
        resumed(chosen(tmp_path), {})
    record = {"versions": {"bohb-seg": "9.0", "numpy": "1.0"}}
    (tmp_path / "run/settings.yaml").write_text(yaml.safe_dump(record))
    with pytest.raises(SettingsError, match=r"began it \(bohb-seg 9\.0 then and .* now, numpy"):
        resumed(chosen(tmp_path), {})


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"eta": 1.0}, r"has --eta 1\.0, which this version refuses \(input should be .*\);"),
        ({"eta": "x"}, r"has --eta x, which"),
        ({"max_epochs": 1.0}, r"refuses \(--max-epochs 1 has no room for .*\);"),
    ],
)
def test_a_setting_that_is_not_allowed_is_named(tmp_path, edit, words):
    start = beginning(chosen(tmp_path))
    write_journal(tmp_path, dataclasses.replace(start, settings={**start.settings, **edit}))
    with pytest.raises(SettingsError, match=words):
        resumed(chosen(tmp_path), {})


def test_an_edited_setting_is_named(tmp_path):
    new_run(tmp_path).close()
    file = tmp_path / "run" / FILE_NAME
    file.write_text(file.read_text().replace('"seed":5', '"seed":6'))
    with pytest.raises(SettingsError, match=r"has --seed 6 in its journal and 5 in settings\.yaml"):
        resumed(chosen(tmp_path), {})
    (tmp_path / "run/settings.yaml").write_bytes(b"\xff: [")
    with pytest.raises(JournalError, match=r"line 1: .* changed after it had been written"):
        resumed(chosen(tmp_path), {})


def test_settings_edited_in_their_copy_are_told_to_count_nothing(tmp_path, caplog):
    new_run(tmp_path).close()
    file = tmp_path / "run/settings.yaml"
    file.write_text(file.read_text().replace("seed: 5", "seed: 6"))
    assert resumed(chosen(tmp_path), {})[0].seed == 5
    assert "has --seed 5 in its journal and 6 in settings.yaml: the journal counts" in caplog.text


# --- a journal that is lost -------------------------------------------------------------------


@pytest.mark.parametrize("journal", [None, b"", b'{"time": 17'])
@pytest.mark.parametrize(
    "left", ["results.json", "configs.json", "results.pkl", "checkpoints/0-0-1/epoch-00001.npz"]
)
def test_no_new_run_is_begun_over_what_is_left_of_one(tmp_path, journal, left):
    run_dir = tmp_path / "run"
    (run_dir / left).parent.mkdir(parents=True)
    (run_dir / left).write_text("something")
    if journal is not None:
        (run_dir / FILE_NAME).write_bytes(journal)
    with pytest.raises(SettingsError) as error:
        refuse_used(run_dir)
    found = left.partition("/")[0]
    assert str(error.value).startswith(
        f"--run-dir {run_dir} holds {found} of a run, but its journal {FILE_NAME} is missing or"
    )


def test_a_run_that_was_killed_at_its_first_word_may_begin(tmp_path):
    run = new_run(tmp_path)
    run.close()
    (tmp_path / "run" / FILE_NAME).write_bytes(b'{"time": 17')
    refuse_used(tmp_path / "run")
    new_run(tmp_path).close()
    assert json.loads((tmp_path / "run" / FILE_NAME).read_text())["kind"] == "RunStarted"


@pytest.mark.parametrize("journal", [None, b"", b'{"time": 17'])
def test_a_lost_journal_is_told_on_resuming(tmp_path, journal):
    run = new_run(tmp_path)
    run.record(searched())
    run.close()
    (run.path / FILE_NAME).unlink()
    if journal is not None:
        (run.path / FILE_NAME).write_bytes(journal)
    with pytest.raises(SettingsError, match=r"holds results\.json of a run, but its journal"):
        opened(chosen(tmp_path, resume=True))


@pytest.mark.parametrize(("line", "begun"), [(b"", False), (b'{"time": 17', False), (b"x\n", True)])
def test_a_run_has_begun_when_its_first_line_is_whole(tmp_path, line, begun):
    assert not holds_run(tmp_path)
    (tmp_path / FILE_NAME).write_bytes(line)
    assert holds_run(tmp_path) == begun


# --- a run that grows ---------------------------------------------------------------------------


def grown(tmp_path, *plans, restartable=False, **flags):
    """The settings with which a run that has these plans is resumed, or the refusal."""
    given = {"run_dir": tmp_path, "resume": True, "restartable": restartable or None, **flags}
    its = SearchSettings(run_dir=tmp_path, n_iterations=2, final_seeds=5)
    start = RunStarted(its.model_dump(mode="json", exclude={"cache_dir"}), {}, {}, {})
    past = [Entry(1.0, start), *(Entry(2.0, PlanChanged(plan, "grown")) for plan in plans)]
    settings = merge(SearchSettings, given, environment={})
    found = resume.resumed(settings, given, past)
    return found.n_iterations, found.final_seeds, found.final_folds


def test_growing_settings_are_those_of_the_latest_plan_or_larger(tmp_path):
    plan = Plan(n_iterations=3, comparison_seeds=7, folds=4)
    assert grown(tmp_path) == (2, 5, 0)
    assert grown(tmp_path, plan) == (3, 7, 4)
    assert grown(tmp_path, plan, final_seeds=9) == (3, 9, 4)
    assert grown(tmp_path, n_iterations=4, final_folds=3) == (4, 5, 3)
    assert grown(tmp_path, plan, n_iterations=2, restartable=True) == (3, 7, 4)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"n_iterations": 2}, "--n-iterations 2 is less than the 3 that the run has already"),
        ({"final_seeds": 6}, "--final-seeds 6 is less than the 7"),
        ({"final_folds": 5}, "--final-folds 5 would cut other folds than the 4"),
        ({"final_folds": 3}, "--final-folds 3 is less than the 4"),
    ],
)
def test_a_run_can_only_grow(tmp_path, flags, said):
    with pytest.raises(SettingsError, match=said):
        grown(tmp_path, Plan(n_iterations=3, comparison_seeds=7, folds=4), **flags)
