"""Files that a run leaves on the disk."""

import errno
import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest
import yaml
from helpers.run_directories import (
    beginning,
    chosen,
    evaluated,
    evaluation,
    gone_on_with,
    new_run,
    searched,
)

from bohb_seg.errors import BohbSegError, SettingsError
from bohb_seg.search.events import IncumbentChosen, Settled
from bohb_seg.storage.hpbandster_files import LiveLog
from bohb_seg.storage.journal import FILE_NAME, read
from bohb_seg.storage.run_directory import RunDirectory
from bohb_seg.storage.settings_record import RECORDED_VERSIONS
from bohb_seg.trials import (
    COMPARISON_BRACKET,
    DEFAULT_ARM,
    INCUMBENT_ARM,
    TrialId,
    comparison_folder,
)

# --- a new run --------------------------------------------------------------------------------


def test_a_new_run_keeps_its_settings_and_space(tmp_path):
    new_run(tmp_path).close()
    settings = yaml.safe_load((tmp_path / "run/settings.yaml").read_text())
    assert (settings["seed"], settings["continue"]) == (5, True)
    assert (settings["data_fingerprint"], settings["split_hash"]) == ("f" * 8, "s" * 8)
    assert set(RECORDED_VERSIONS) == settings["versions"].keys()
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
    gone_on_with(chosen(tmp_path)).close()
    assert found == (
        (run.path / "configs.json").read_text(),
        (run.path / "results.json").read_text(),
    )


@pytest.mark.parametrize(
    "fault", [OSError(errno.ENOSPC, "full"), AssertionError("a fault of ours")]
)
def test_a_live_log_that_fails_keeps_nothing_from_the_journal(tmp_path, monkeypatch, caplog, fault):
    run = new_run(tmp_path)

    def fails(*_):
        raise fault

    with monkeypatch.context() as broken:
        broken.setattr(LiveLog, "_lines", fails)
        for event in searched():
            run.record([event])
    assert [e.event for e in read(tmp_path / "run" / FILE_NAME)][1:] == searched()
    assert "HpBandSter's live log is behind" in caplog.text
    run.write_results(None)
    run.close()
    assert len((run.path / "results.json").read_text().splitlines()) == 1
    assert (run.path / "results.pkl").exists()


def test_a_live_log_that_was_damaged_is_whole_at_the_end(tmp_path):
    run = new_run(tmp_path)
    run.record(searched())
    (run.path / "results.json").write_bytes(b"\xff{")
    (run.path / "configs.json").unlink()
    run.write_results(None)
    run.close()
    assert len((run.path / "results.json").read_text().splitlines()) == 1
    assert len((run.path / "configs.json").read_text().splitlines()) == 1


def test_an_old_live_log_stays_while_there_is_no_room_for_a_new_one(tmp_path, monkeypatch):
    run = new_run(tmp_path)
    run.record(searched())
    before = (run.path / "results.json").read_bytes()
    monkeypatch.setattr("bohb_seg.storage.hpbandster_files.write_whole", no_room)
    with pytest.raises(OSError, match="No space left"):
        run.write_results(None)
    run.close()
    assert (run.path / "results.json").read_bytes() == before


def no_room(*_, **__):
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
    run.checkpoints.discard(TrialId(0, 0, 1))
    run.checkpoints.discard(TrialId(0, 0, 2))
    assert kept.exists()
    assert not gone.exists()
    run.close()


def test_a_run_that_another_master_began_meanwhile_is_not_begun_again(tmp_path):
    """Both looked before either wrote."""
    other = new_run(tmp_path)
    other.record(searched())
    other.close()
    with pytest.raises(SettingsError, match="already holds a run"):
        new_run(tmp_path)


def test_words_about_a_directory_that_is_gone(tmp_path):
    run = new_run(tmp_path)
    moved = run.path.rename(tmp_path / "moved")
    assert run.rescue() == (
        f"{run.path} was moved to {moved}: go on with 'bohb-master --resume --run-dir {moved}'"
    )
    shutil.rmtree(moved)
    assert run.rescue() == (
        f"{run.path} was removed; its journal was saved and is there again: go on with"
        f" 'bohb-master --resume --run-dir {run.path}'"
    )
    run.close()
    assert [type(e.event).__name__ for e in read(run.path / FILE_NAME)] == ["RunStarted"]


def test_a_directory_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "run").write_text("a file")
    settings = chosen(tmp_path)
    with pytest.raises(SettingsError, match=f"--run-dir {tmp_path}/run cannot be written: "):
        RunDirectory(settings, beginning(settings), [])


# --- the model that is kept -------------------------------------------------------------------


def compared(run, arm, seed, loss, model=True, **told):
    """One retraining of the comparison, whose model holds its own name."""
    name = comparison_folder((COMPARISON_BRACKET, arm, seed))
    folder = Path(run.path) / name
    folder.mkdir(parents=True, exist_ok=True)
    if model:
        with zipfile.ZipFile(folder / "model.keras", "w") as file:
            file.writestr("name", f"{arm}-{seed}")
    identity = evaluation(seed, COMPARISON_BRACKET, arm, 100.0)
    run.record([evaluated(identity, loss, artefacts=name, **told), Settled(identity, 1, "w")])


def kept(run):
    run.keep_model()
    run.close()
    file = Path(run.path) / "model.keras"
    if not file.exists():
        return None
    with zipfile.ZipFile(file) as model:
        return model.read("name").decode()


@pytest.mark.parametrize("link", ["comparison", "comparison/incumbent-0", "model.keras"])
def test_no_link_makes_a_file_of_this_user_the_model(tmp_path, link):
    """A worker that shares the disk could have it copied to where all can read it."""
    run = new_run(tmp_path)
    compared(run, INCUMBENT_ARM, 0, 0.5)
    place = Path(run.path) / (link if "model" not in link else f"comparison/incumbent-0/{link}")
    place.rename(tmp_path / "secret")
    place.symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match=r"symbolic links|Not a directory"):
        run.keep_model()
    run.close()
    assert not (Path(run.path) / "model.keras").exists()


def test_a_pipe_is_no_model(tmp_path):
    run = new_run(tmp_path)
    compared(run, INCUMBENT_ARM, 0, 0.5, model=False)
    os.mkfifo(Path(run.path) / "comparison/incumbent-0/model.keras")
    assert kept(run) is None


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


@pytest.mark.parametrize(
    ("gains", "name"),
    [((0.2, 0.2001, 0.2), "1-2"), ((-0.2, -0.2001, -0.2), "0-2"), ((0.0, 0.0, 0.0), "0-2")],
)
def test_on_worse_and_equivalent_the_default_is_kept_and_the_log_says_so(
    tmp_path, caplog, gains, name
):
    caplog.set_level("INFO")
    run = new_run(tmp_path)
    run.record(searched(loss=-9.0))
    for seed, gain in enumerate(gains):
        for arm, miou in ((DEFAULT_ARM, 0.5), (INCUMBENT_ARM, 0.5 + gain)):
            compared(run, arm, seed, 0.5 - 0.1 * seed, parts={"test": {"miou": miou}})
    assert kept(run) == name
    said = "model.keras is that of default, seed 2: by the verdict the incumbent is "
    assert (said in caplog.text) == (name == "0-2")


def test_where_the_default_won_its_model_is_kept_and_the_log_says_why(tmp_path, caplog):
    caplog.set_level("INFO")
    run = new_run(tmp_path)
    run.record([*searched(loss=-9.0), IncumbentChosen(TrialId(0, 0, 0), DEFAULT_ARM)])
    for seed in range(3):
        compared(run, DEFAULT_ARM, seed, 0.5 - 0.1 * seed)
    assert kept(run) == "0-2"
    assert "model.keras is that of default, seed 2: the search found nothing better" in caplog.text


def test_a_damaged_model_is_told_and_is_not_put_in_the_place_of_a_whole_one(tmp_path):
    run = new_run(tmp_path)
    compared(run, INCUMBENT_ARM, 1, 0.5)
    run.keep_model()
    whole = (run.path / "model.keras").read_bytes()
    folder = run.path / "comparison/incumbent-1"
    (folder / "model.keras").write_bytes(whole.replace(b"1-1", b"1-3"))
    with pytest.raises(BohbSegError, match="its part name is damaged"):
        run.keep_model()
    run.close()
    assert (run.path / "model.keras").read_bytes() == whole


def test_a_run_whose_worker_leaves_no_model_keeps_none(tmp_path):
    run = new_run(tmp_path)
    compared(run, INCUMBENT_ARM, 0, 0.5, model=False)
    assert kept(run) is None


@pytest.mark.parametrize("told", ["../../other", "/other", "other", "x\0y", "x" * 5000])
def test_a_worker_cannot_name_the_folder_of_the_model(tmp_path, told):
    run = new_run(tmp_path)
    for folder in ("other", "run/other"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "model.keras").write_text("foreign")
    identity = evaluation(0, COMPARISON_BRACKET, INCUMBENT_ARM, 100.0)
    run.record([evaluated(identity, 0.5, artefacts=told), Settled(identity, 1, "w")])
    assert kept(run) is None


def test_a_late_retraining_is_not_the_model_that_is_kept(tmp_path):
    run = new_run(tmp_path)
    compared(run, INCUMBENT_ARM, 0, 0.5)
    identity = evaluation(0, COMPARISON_BRACKET, INCUMBENT_ARM, 100.0)
    run.record([evaluated(identity, 0.1, artefacts="comparison/elsewhere")])
    assert kept(run) == "1-0"
