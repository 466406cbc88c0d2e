"""What settings and journal make of a run."""

import dataclasses
from importlib.metadata import version

import pytest
from helpers.commands import ROOT

from bohb_seg import plugins
from bohb_seg.errors import BohbSegError
from bohb_seg.master.plugin_check import check_new_run
from bohb_seg.master.run_setup import (
    assemble,
    new_scheduler,
    new_start,
    new_transport,
    terms,
    without_place,
)
from bohb_seg.search.events import WorkersChanged
from bohb_seg.settings import SearchSettings
from bohb_seg.storage import journal_entries
from bohb_seg.storage.journal_entries import Entry, RunStarted

START = RunStarted({}, {}, {"fingerprint": "f" * 32, "split_hash": "s" * 32, "classes": []}, {})


def settings(tmp_path, **given):
    usual = {"run_id": "r", "run_dir": tmp_path / "run", "worker": "toy", "space": "counting"}
    return SearchSettings(**usual | given)


def test_a_new_run_owes_nothing_and_knows_nobody(tmp_path):
    run = assemble(settings(tmp_path), [])
    assert (list(run.past), list(run.due), dict(run.workers)) == ([], [], {})
    assert not run.scheduler.finished


@pytest.mark.parametrize(("brackets", "without"), [(1, 3), (2, 0), (10**9, 0)])
def test_recipes_without_a_trial_are_counted(tmp_path, brackets, without):
    chosen = settings(tmp_path, n_iterations=brackets, min_budget=1, max_budget=9)
    start = dataclasses.replace(new_start(chosen), first=({},) * 12)
    assert without_place(chosen, start) == without


def test_the_place_of_the_cache_is_no_part_of_a_run(tmp_path):
    chosen = settings(tmp_path, cache_dir=tmp_path / "cache")
    assert "cache_dir" not in new_start(chosen).settings


def test_a_run_that_is_gone_on_with_expects_the_same_of_other_data(tmp_path):
    """From its journal: the directory of the other run may be gone."""
    other = ROOT / "tests/fixtures/3d717ab/toy-killed"
    chosen = settings(tmp_path, prior=[other])
    check_new_run(chosen)
    begun = new_start(chosen)
    line = journal_entries.encode(Entry(0.0, begun))
    read = journal_entries.decode(tmp_path / "events.jsonl", 1, line).event
    assert len(read.prior[0]) > 1
    workers = WorkersChanged(joined=tuple("abcdefghi"))
    with_it, again, without = (
        new_scheduler(chosen, start).handle(workers)
        for start in (begun, read, dataclasses.replace(begun, prior=()))
    )
    assert with_it == again
    assert [order.model_based for order in without] == [False] * 9
    assert sum(order.model_based for order in with_it) >= 2


def test_an_optimizer_without_expectations_is_told_before_anything_is_read(tmp_path):
    with pytest.raises(BohbSegError, match="--prior: the optimizer random learns nothing"):
        check_new_run(settings(tmp_path, optimizer="random", prior=["gone"]))


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


def test_a_run_grows_by_no_more_folds_than_its_data_have(tmp_path):
    data = {**START.data, "most_folds": 3, "folded_units": "3 groups"}
    past = [Entry(0.0, dataclasses.replace(new_start(settings(tmp_path)), data=data))]

    def grown(folds):
        return assemble(settings(tmp_path, worker="segmentation", final_folds=folds), past).growth

    assert grown(3).plan.folds == 3
    with pytest.raises(BohbSegError, match="--final-folds 5 cannot be dealt out from 3 groups"):
        grown(5)
