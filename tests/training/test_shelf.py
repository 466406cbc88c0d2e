import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.training

_spec = importlib.util.spec_from_file_location("small", Path(__file__).with_name("small.py"))
small = sys.modules.setdefault("small", importlib.util.module_from_spec(_spec))
_spec.loader.exec_module(small)

KINDS = 6
"""Evaluations after which kinds of networks come again, larger ones."""
SLACK = {"tensorflow": 80, "jax": 250}
"""MB. JAX keeps programs of single operations, for each new shape of weights: 147 MB here."""


@pytest.fixture
def shelf():
    from bohb_seg import shelf

    shelf.release()
    yield shelf
    shelf.release()


def shape(**configuration):
    return small.assignment(**configuration).compiled


def compiled(**configuration):
    from bohb_seg.network import Compiled

    return Compiled(shape(**configuration), None)


def test_a_network_is_given_to_one_user_at_a_time(shelf):
    network = compiled()
    shelf.keep(shape(), None, network)
    assert shelf.take(shape(), 2) is not network
    assert shelf.take(shape(), None) is network
    assert shelf.take(shape(), None) is not network


def test_the_least_recently_used_is_dropped(shelf, monkeypatch):
    monkeypatch.setattr(shelf, "KEPT", 2)
    networks = {depth: compiled(depth=depth) for depth in (1, 2, 3)}
    for depth in (1, 2):
        shelf.keep(shape(depth=depth), None, networks[depth])
    shelf.keep(shape(depth=1), None, shelf.take(shape(depth=1), None))
    shelf.keep(shape(depth=3), None, networks[3])
    kept = {depth: shelf.take(shape(depth=depth), None) is networks[depth] for depth in networks}
    assert kept == {1: True, 2: False, 3: True}


def test_networks_that_take_too_much_memory_are_not_kept(shelf, monkeypatch):
    network = compiled()
    parameters = network.net.count_params()
    assert 12 * parameters <= network.size <= 12 * parameters + 200  # weights, two moments
    monkeypatch.setattr(shelf, "KEPT_BYTES", network.size - 1)
    shelf.keep(shape(), None, network)
    assert shelf.take(shape(), None) is not network


def test_a_network_that_failed_is_not_kept(shelf):
    data = small.part()
    here = small.training()
    network = here._compiled
    with pytest.raises(Exception, match=r"shape|Incompatible|broadcast"):
        here.epoch(data.images, data.labels[:, :-1], small.seeds(1))
    here.close()
    assert shelf.take(shape(), None) is not network


def test_thirty_shapes_take_no_more_memory_than_a_few():
    """Of those in between, 27 MB each would else be lost, 486 MB."""
    import keras

    script = Path(__file__).with_name("many_shapes.py")
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 0, done.stderr[-2000:]
    resident = [int(line) for line in done.stdout.split()]
    assert len(resident) == 5 * KINDS
    assert (
        max(resident[-KINDS:]) <= max(resident[KINDS : 2 * KINDS]) + SLACK[keras.backend.backend()]
    )
