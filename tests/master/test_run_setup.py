"""What settings and journal make of a run."""

from importlib.metadata import version

import pytest

from bohb_seg import plugins
from bohb_seg.errors import BohbSegError
from bohb_seg.master.plugin_check import check_new_run
from bohb_seg.master.run_setup import assemble, new_start, new_transport, terms
from bohb_seg.settings import SearchSettings
from bohb_seg.storage.journal_entries import RunStarted

START = RunStarted({}, {}, {"fingerprint": "f" * 32, "split_hash": "s" * 32, "classes": []}, {})


def settings(tmp_path, **given):
    usual = {"run_id": "r", "run_dir": tmp_path / "run", "worker": "toy", "space": "counting"}
    return SearchSettings(**usual | given)


def test_a_new_run_owes_nothing_and_knows_nobody(tmp_path):
    run = assemble(settings(tmp_path), [])
    assert (list(run.past), list(run.due), dict(run.workers)) == ([], [], {})
    assert not run.scheduler.finished


def test_the_place_of_the_cache_is_no_part_of_a_run(tmp_path):
    chosen = settings(tmp_path, cache_dir=tmp_path / "cache")
    assert "cache_dir" not in new_start(chosen).settings


def test_a_bad_space_is_told_before_the_data_are_looked_at(tmp_path):
    with pytest.raises(BohbSegError, match="no-such-space"):
        check_new_run(
            settings(tmp_path, worker="segmentation", space="no-such-space", data="nowhere")
        )


def test_workers_are_told_what_all_must_have_in_common(tmp_path):
    told = terms(settings(tmp_path, patch_size=32, heartbeat=2), START, "token")
    assert told.settings["patch_size"] == 32
    assert told.settings.keys().isdisjoint({"log_level", "cache_dir", "run_dir", "port"})
    assert (told.heartbeat, told.token) == (2, "token")
    assert told.facts == {
        "version": version("bohb-seg"),
        "fingerprint": "f" * 32,
        "split_hash": "s" * 32,
        "model": plugins.digest("models", "unet"),
    }


def test_a_run_without_data_has_no_fingerprint(tmp_path):
    told = terms(settings(tmp_path), RunStarted({}, {}, {}, {}), "token")
    assert (told.facts["fingerprint"], told.facts["split_hash"]) == ("", "")


@pytest.mark.parametrize("data", ["synthetic", "some/folder"])
def test_data_are_told_by_name_or_by_whole_path(tmp_path, data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = terms(settings(tmp_path, data=data), START, "token").settings["data"]
    assert told == (data if data == "synthetic" else str(tmp_path / data))


@pytest.mark.parametrize(
    ("given", "nameserver"),
    [({"port": 7}, ("127.0.0.1", 7)), ({"nameserver": "node-1:9091"}, ("node-1", 9091))],
)
def test_where_the_nameserver_is(tmp_path, given, nameserver):
    assert new_transport(settings(tmp_path, **given)).nameserver == nameserver
