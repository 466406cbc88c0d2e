"""The recipes that a run was given, in its search space or beside it."""

import json
from pathlib import Path

import pytest
from helpers.commands import ROOT

from bohb_seg.errors import SettingsError
from bohb_seg.master import recipes, run_setup
from bohb_seg.master.plugin_check import check_new_run
from bohb_seg.plugins import file_of, hyperparameters
from bohb_seg.plugins.completion import completed
from bohb_seg.search.data_facts import TYPICAL
from bohb_seg.search.events import Evaluate, WorkersChanged
from bohb_seg.settings import SearchSettings, merge
from bohb_seg.spaces.formats import configspace, loading
from bohb_seg.storage import journal

UNET = hyperparameters.of_model(file_of("models", "unet"))
QUICK = configspace.plain(loading.load("quick").get_default_configuration())
FOLLOWS = """
from ConfigSpace import ConfigurationSpace, Integer

def space(facts):
    found = ConfigurationSpace()
    found.add(Integer("batch_size", (1, facts.patches)))
    return found
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(**flags):
    return merge(SearchSettings, flags, environment={})


def file(name="mine.yaml", **values):
    Path(name).write_text(json.dumps(values))
    return name


def beginning(facts=TYPICAL, **flags):
    chosen = settings(**flags)
    return recipes.beginning(recipes.read(chosen), loading.load(chosen.space, facts), chosen)


def refusal(**flags):
    with pytest.raises(SettingsError) as error:
        check_new_run(settings(**flags))
    assert "\n" not in str(error.value)
    return str(error.value)


# --- the baseline -----------------------------------------------------------------------------


def test_without_one_the_default_is_compared_with_and_tried_first(here):
    found = beginning(space="quick")
    assert (found.default, found.first) == (QUICK, (QUICK,))
    assert (found.baseline, dict(found.unsearched), found.why_not) == ("", {}, "")


def test_one_within_the_space_is_completed_by_training_and_tried_first(here):
    """The space's own defaults would be others."""
    space = {"learning_rate": {"_type": "loguniform", "_value": [1e-4, 1e-2]}}
    space["norm"] = {"_type": "choice", "_value": ["batch", "none"]}
    Path("space.json").write_text(json.dumps(space))
    found = beginning(space="space.json", baseline=file(learning_rate=2e-3))
    assert found.default == {"learning_rate": 2e-3, "norm": "none"}
    assert (found.first, found.why_not, found.baseline) == ((found.default,), "", "mine.yaml")
    assert "norm" not in found.unsearched
    assert found.unsearched["loss"] == "reports"


@pytest.mark.parametrize(
    ("mine", "why"),
    [
        ({"learning_rate": 0.5}, "learning_rate is 0.5, and the search space has 0.0003 to 0.01"),
        ({"augmentation": 0.5}, "augmentation is 0.5, and with the search space it would always"),
        ({"depth": 2}, "depth is 2, and with the search space it would always be 4"),
        ({"optimizer": "sgd", "learning_rate": 0.01}, "optimizer is 'sgd', and with the search "),
    ],
)
def test_one_outside_the_space_is_compared_with_but_not_tried(here, mine, why):
    found = beginning(space="quick", baseline=file(**mine))
    assert found.first == (QUICK,)
    assert found.why_not.startswith(why)
    assert completed(found.default, UNET) == completed(mine, UNET)
    assert {name: found.default[name] for name in mine} == mine
    assert None not in found.default.values()


def test_the_rate_of_a_plain_gradient_descent_finds_its_own_name(here):
    mine = {
        **{"optimizer": "sgd", "learning_rate": 0.02, "weight_decay": 1e-4, "dropout": 0.1},
        **{"loss": "ce", "augmentation": 0.5, "batch_size": 8},
    }
    found = beginning(baseline=file(**mine), space="default", patch_size=256)
    assert (found.why_not, found.default["sgd_learning_rate"]) == ("", 0.02)
    assert "learning_rate" not in found.default
    whole = completed(found.default, UNET)
    assert {name: whole[name] for name in mine} == mine


def test_nothing_is_used_where_a_file_says_null(here):
    found = beginning(space="quick", baseline=file(**QUICK, augmentation=None, val_batch_size=None))
    assert (found.default, found.why_not) == (QUICK, "")


def test_the_reports_recipe_stands_beside_every_space(here):
    for space in ("default", "quick"):
        found = beginning(space=space, baseline="milestone3")
        assert found.why_not
        assert (found.default["learning_rate"], found.default["scaling"]) == (0.007, "patch")
    reports = beginning(space="milestone3-hyperband", preset="milestone3", baseline="milestone3")
    assert (reports.why_not, reports.default["learning_rate"]) == ("", 0.007)


def test_the_recipe_of_a_run_has_what_followed_from_the_preset_of_that_run(here):
    """The same incumbent was trained with another scaling there."""
    for preset, scaling in (("seed", "patch"), ("milestone3", "patch"), ("default", "unit")):
        Path("incumbent.json").write_text(json.dumps({"configuration": {"norm": "batch"}}))
        Path("settings.yaml").write_text(f"preset: {preset}\n")
        for path in (".", "incumbent.json"):
            found = beginning(space="quick", baseline=path)
            assert completed(found.default, UNET)["scaling"] == scaling
            assert bool(found.why_not) == (scaling == "patch")
    alone = beginning(space="quick", preset="milestone3", baseline=file(norm="batch"))
    assert alone.why_not == ""


# --- recipes to try ---------------------------------------------------------------------------


def test_recipes_follow_the_default_and_have_the_space_s_other_values(here):
    one, two = file("1.json", norm="batch"), file("2.json", batch_size=8.0, depth=4)
    again = file("3.json", **QUICK)
    found = beginning(space="quick", recipe=(one, again, two))
    assert found.first == (QUICK, {**QUICK, "norm": "batch"}, {**QUICK, "batch_size": 8})
    assert found.default == QUICK
    mine = beginning(space="quick", recipe=(one,), baseline=two)
    assert mine.first == (mine.default, {**QUICK, "norm": "batch"})


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"learning_rate": 0.5},
            "--recipe mine.yaml: learning_rate is 0.5, and the search space has 0.0003 to 0.01;"
            " change the recipe, or take another --space",
        ),
        (
            {"dropout": 0.5},
            "--recipe mine.yaml: dropout is 0.5, and with the search space it would always be 0.2;"
            " change the recipe, or take another --space",
        ),
        (
            {"lr": 0.5},
            "--recipe mine.yaml has the hyperparameter 'lr', which neither training nor the model"
            " unet knows; rename or remove it, there are: activation, ",
        ),
        (
            {"norm": "layer"},
            "the hyperparameter norm has the value 'layer' but needs one of none, batch, group;"
            " change it in --recipe mine.yaml",
        ),
    ],
)
def test_a_recipe_outside_is_refused_before_anything_is_read(here, values, sentence):
    assert refusal(recipe=(file(**values),)).startswith(sentence)


def test_a_baseline_that_cannot_be_trained_is_refused(here):
    assert refusal(baseline=file(depth=7)).startswith(
        "--baseline mine.yaml: --patch-size 64 cannot be halved 7 times"
    )
    assert refusal(baseline=file(depth=9)) == (
        "the hyperparameter depth has the value 9 but needs a whole number from 1 to 7; change it"
        " in --baseline mine.yaml"
    )


def test_in_a_space_that_follows_from_the_data_a_range_is_looked_at_when_they_are_known(here):
    Path("follows.py").write_text(FOLLOWS)
    large, more = file("1.json", batch_size=TYPICAL.patches + 1), file("2.json", batch_size=5000)
    check_new_run(settings(space="follows.py", recipe=(large,)))
    assert refusal(space="follows.py", recipe=(file(depth=0),)).endswith("--recipe mine.yaml")
    with pytest.raises(SettingsError, match="whole numbers from 1 to "):
        beginning(space="follows.py", recipe=(large,))
    with pytest.raises(SettingsError, match="needs a whole number from 1 to 4096"):
        beginning(space="follows.py", recipe=(more,))


# --- workers with hyperparameters of their own ------------------------------------------------


def test_a_worker_that_we_know_nothing_of_is_given_what_the_file_says(here):
    chosen = {"worker": "toy", "space": "counting"}
    whole = configspace.plain(loading.load("counting").get_default_configuration())
    within = beginning(**chosen, baseline=file(**{**whole, "x0": 1}))
    assert (within.default, within.why_not) == ({**whole, "x0": 1.0}, "")
    beside = beginning(**chosen, baseline=file(x0=2, own="words"))
    assert beside.default == {"x0": 2, "own": "words"}
    assert beside.first == (whole,)
    assert beginning(**chosen, recipe=(file(x0=1),)).first == (whole, {**whole, "x0": 1.0})
    with pytest.raises(SettingsError, match="only one of the search space and the recipe has own"):
        beginning(**chosen, recipe=(file(own=1),))


def test_the_search_begins_with_what_was_given(here):
    chosen = settings(
        **{"worker": "toy", "space": "counting", "run_dir": "run"},
        recipe=(file("1.json", x0=1), file("2.json", x0=0)),
    )
    run = run_setup.assemble(chosen, [])
    orders = run.scheduler.handle(WorkersChanged(joined=("a", "b", "c", "d")))
    tried = [order.configuration for order in orders if isinstance(order, Evaluate)]
    assert tried[:3] == list(run.start.first)
    assert [each["x0"] for each in tried[:3]] == [0.5, 1.0, 0.0]
    assert tried[3] not in run.start.first


def test_an_old_journal_begins_with_its_default():
    start = journal.read(ROOT / "tests/fixtures/3d717ab/toy-killed/events.jsonl")[0].event
    assert (start.first, start.baseline, dict(start.unsearched)) == ((), "", {})
