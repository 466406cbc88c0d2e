"""The default space and its default configuration, for all data there may be."""

import itertools

import ConfigSpace as CS  # noqa: N817
import pytest
from ConfigSpace.util import get_one_exchange_neighbourhood
from helpers import small_network as small
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.datasets import synthetic
from bohb_seg.master.run_setup import new_start
from bohb_seg.search.data_facts import TYPICAL, Facts
from bohb_seg.settings import SearchSettings, merge
from bohb_seg.spaces import default
from bohb_seg.spaces.formats import configspace, loading
from bohb_seg.storage.journal_entries import Entry, decode, encode

ALL_FACTS = st.builds(
    Facts,
    patch_size=st.integers(1, 64).map(lambda sixteenths: 16 * sixteenths),
    patches=st.one_of(st.integers(1, 1000), st.integers(1, 1_000_000)),
    classes=st.integers(1, 50),
)


@settings(max_examples=40, deadline=None)
@given(facts=ALL_FACTS)
def test_the_default_configuration_is_legal_for_all_data(facts):
    space = loading.load("default", facts)
    point = CS.Configuration(space, values=dict(default.baseline(facts)))
    assert point == space.get_default_configuration()
    assert configspace.plain(point) == default.baseline(facts)
    for neighbour in get_one_exchange_neighbourhood(point, seed=0):
        depth = small.recipe(**configspace.plain(neighbour)).model["depth"]
        assert facts.patch_size % 2**depth == 0


@settings(max_examples=100, deadline=None)
@given(facts=ALL_FACTS)
def test_rules(facts):
    chosen = small.recipe(**default.baseline(facts))
    depth = chosen.model["depth"]
    bottom = facts.patch_size / 2**depth
    deeper = depth + 1
    assert bottom >= 4 or depth == 3
    assert deeper > 5 or facts.patch_size / 2**deeper < 4 or facts.patch_size % 2**deeper
    assert chosen.batch_size <= max(4, round(0.05 * facts.patches))
    assert (chosen.model["norm"] == "batch") == (chosen.batch_size == 16)
    assert feature_maps(chosen.model, facts) * chosen.batch_size <= 12 * 85e6


def feature_maps(chosen, facts):
    """Elements of all maps that convolutions make of one patch, as nnU-Net counts them."""
    edge, elements = facts.patch_size, 0
    for level in range(chosen["depth"]):
        elements += 2 * edge**2 * chosen["base_filters"] * 2**level  # down
        elements += 3 * edge**2 * chosen["base_filters"] * 2**level  # up: enlarged, convolved twice
        edge //= 2
    elements += 2 * edge**2 * chosen["base_filters"] * 2 ** chosen["depth"]
    return elements + facts.patch_size**2 * facts.classes


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (Facts(64, 1359, 5), {"depth": 4, "batch_size": 16, "base_filters": 32, "norm": "batch"}),
        (Facts(64, 96, 5), {"depth": 4, "batch_size": 5, "base_filters": 32, "norm": "group"}),
        (Facts(16, 1, 2), {"depth": 3, "batch_size": 4, "base_filters": 32, "norm": "group"}),
        (Facts(48, 1000, 5), {"depth": 3, "batch_size": 16, "base_filters": 32, "norm": "batch"}),
        (Facts(256, 1000, 5), {"depth": 5, "batch_size": 16, "base_filters": 32, "norm": "batch"}),
        # nnU-Net's own: 512 pixels at batch 12.
        (Facts(512, 1000, 2), {"depth": 5, "batch_size": 12, "base_filters": 32, "norm": "group"}),
        (Facts(1024, 1000, 5), {"depth": 5, "batch_size": 4, "base_filters": 24, "norm": "group"}),
        (Facts(1024, 1000, 50), {"depth": 5, "batch_size": 4, "base_filters": 16, "norm": "group"}),
    ],
)
def test_known_data(facts, expected):
    chosen = default.baseline(facts)
    assert {name: chosen[name] for name in expected} == expected


def test_what_does_not_depend_on_the_data():
    chosen = small.recipe(**default.baseline(Facts(64, 1359, 5)))
    assert (chosen.loss, chosen.region_weight, chosen.augmentation) == ("dice+ce", 0.5, 0.5)
    assert (chosen.optimizer, chosen.learning_rate, chosen.schedule) == ("adam", 1e-3, "cosine")


@pytest.mark.parametrize(
    ("patch_size", "depths"),
    [(16, {3}), (32, {3, 4}), (48, {3, 4}), (64, {3, 4, 5}), (80, {3, 4}), (256, {3, 4, 5})],
)
def test_only_depths_that_the_patch_size_allows(patch_size, depths):
    space = loading.load("default", Facts(patch_size, 1000, 5))
    space.seed(0)
    assert {point["depth"] for point in space.sample_configuration(200)} == depths


def test_inactive_hyperparameters_are_left_out():
    space = loading.load("default")
    space.seed(0)
    for configuration in map(configspace.plain, space.sample_configuration(300)):
        sgd, loss = configuration["optimizer"] == "sgd", configuration["loss"]
        assert ("sgd_learning_rate" in configuration) == sgd
        assert ("learning_rate" in configuration) == (not sgd)
        assert ("weight_decay" in configuration) == (configuration["optimizer"] != "adam")
        assert ("region_weight" in configuration) == loss.startswith("dice+")
        assert ("focal_gamma" in configuration) == (loss == "dice+focal")


def test_no_network_is_wider_than_the_original():
    space = loading.load("default")
    space.seed(0)
    drawn = {(p["base_filters"], p["depth"]) for p in space.sample_configuration(1000)}
    pairs = itertools.product((16, 24, 32, 48, 64), (3, 4, 5))
    assert drawn == {(filters, depth) for filters, depth in pairs if filters * 2**depth <= 1024}


def test_the_log_tells_the_default_configuration(caplog):
    with caplog.at_level("INFO"):
        loading.load("default", Facts(64, 96, 5))
    (message,) = caplog.messages
    assert message.startswith("default configuration by rules from the data: ")
    assert "batch_size 5" in message
    assert "norm group" in message


def test_facts_of_a_data_check():
    summary = {"patches": {"train": 96, "test": 3}, "classes": [{"name": "a"}, {"name": "b"}]}
    assert Facts.of(summary, patch_size=64) == Facts(patch_size=64, patches=96, classes=2)


def test_a_run_begins_with_it(tmp_path):
    synthetic.make(tmp_path / "data", tiles=4, height=64, width=64)
    flags = {"space": "default", "data": str(tmp_path / "data"), "patch_size": 32}
    places = {"run_dir": tmp_path / "run", "cache_dir": tmp_path / "cache"}
    start = new_start(merge(SearchSettings, flags | places, environment={}))
    train = start.data["patches"]["train"]
    assert start.default == default.baseline(Facts(32, train, 5))
    assert start.default != default.baseline(TYPICAL)
    assert decode(tmp_path, 1, encode(Entry(0.0, start)).rstrip()).event == start


def test_a_run_without_data_begins_with_the_spaces_own(tmp_path):
    flags = {"space": "default", "worker": "toy", "run_dir": tmp_path / "run"}
    start = new_start(merge(SearchSettings, flags, environment={}))
    assert start.default == default.baseline(TYPICAL)
