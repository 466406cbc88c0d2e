import os
import subprocess
import sys
from dataclasses import replace

import pytest
from helpers import small_network as small
from helpers.commands import PROGRAMS

pytestmark = pytest.mark.training


KINDS = 6
"""Evaluations after which kinds of networks come again, larger ones."""
SLACK = {"tensorflow": 80, "jax": 250}
"""MB. JAX keeps programs of single operations, for each new shape of weights: 147 MB here."""


@pytest.fixture
def cache():
    from bohb_seg.training.graph import compile_cache

    compile_cache.release()
    yield compile_cache
    compile_cache.release()


def shape(**configuration):
    return small.spec(**configuration).shape


def compiled(**configuration):
    from bohb_seg.training.graph.compiled_model import CompiledModel

    return CompiledModel(shape(**configuration), None)


def test_a_network_is_given_to_one_user_at_a_time(cache):
    network = compiled()
    cache.keep(shape(), None, network)
    assert cache.take(shape(), 2) is not network
    assert cache.take(shape(), None) is network
    assert cache.take(shape(), None) is not network


def test_the_least_recently_used_is_dropped(cache, monkeypatch):
    monkeypatch.setattr(cache, "KEPT", 2)
    networks = {depth: compiled(depth=depth) for depth in (1, 2, 3)}
    for depth in (1, 2):
        cache.keep(shape(depth=depth), None, networks[depth])
    cache.keep(shape(depth=1), None, cache.take(shape(depth=1), None))
    cache.keep(shape(depth=3), None, networks[3])
    kept = {depth: cache.take(shape(depth=depth), None) is networks[depth] for depth in networks}
    assert kept == {1: True, 2: False, 3: True}


def test_networks_that_take_too_much_memory_are_not_kept(cache, monkeypatch):
    network = compiled()
    parameters = network.model.count_params()
    # Weights, their average, two moments.
    assert 16 * parameters <= network.size <= 16 * parameters + 200
    monkeypatch.setattr(cache, "KEPT_BYTES", network.size - 1)
    cache.keep(shape(), None, network)
    assert cache.take(shape(), None) is not network


def test_a_network_that_failed_is_not_kept(cache):
    data = small.part()
    here = small.trainer()
    network = here._compiled
    with pytest.raises(Exception, match=r"shape|Incompatible|broadcast"):
        here.epoch(replace(data, labels=data.labels[:, :-1]), small.seeds(1))
    here.close()
    assert cache.take(shape(), None) is not network


def test_many_shapes_take_no_more_memory_than_a_few():
    """Of those in between, 27 MB each would else be lost, 324 MB."""
    import keras

    script = PROGRAMS / "many_shapes.py"
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 0, done.stderr[-2000:]
    resident = [int(line) for line in done.stdout.split()]
    assert len(resident) == 4 * KINDS
    assert (
        max(resident[-KINDS:]) <= max(resident[KINDS : 2 * KINDS]) + SLACK[keras.backend.backend()]
    )
