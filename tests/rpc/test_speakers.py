"""A worker speaks for itself, and its name alone tells who that is."""

import socket

import pytest
from hpbandster.core.worker import Worker
from hypothesis import given
from hypothesis import strategies as st

from bohb_seg.rpc import names, speakers
from bohb_seg.rpc.holders import Holder, is_own_name

NAME = "hpbandster.run_a.worker.node-1.7.ab"
SHARED, MASTER = Holder("worker", "worker"), Holder("master", "master")
certificates = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,4}", fullmatch=True).filter(is_own_name)
hosts = st.text("ab1.-", min_size=1, max_size=8)


def own(name):
    return Holder("worker", name)


def test_a_workers_own_certificate_stands_in_its_name():
    name = speakers.marked(NAME, own("node-1"))
    assert name == "hpbandster.run_a.worker.~node-1.node-1.7.ab"
    assert names.is_worker(name)
    assert names.is_on(name, "node-1")
    assert speakers.owner(name) == "node-1"


@pytest.mark.parametrize("holder", [None, SHARED, MASTER])
def test_without_one_a_name_stays_as_it_is(holder):
    assert speakers.marked(NAME, holder) == NAME
    assert speakers.owner(NAME) == ""


@given(certificates, certificates, hosts)
def test_nobody_else_speaks_for_a_marked_name(name, other, host):
    worker = speakers.marked(f"hpbandster.run_a.worker.{host}.7.ab", own(name))
    assert speakers.may_speak(own(name), worker)
    assert speakers.may_speak(own(other), worker) == (name == other)
    assert not speakers.may_speak(SHARED, worker)
    assert speakers.may_speak(MASTER, worker)
    assert speakers.may_speak(None, worker)


@pytest.mark.parametrize(
    ("worker", "speaks"),
    [
        (NAME, False),
        ("hpbandster.run_a.worker.one.7", True),
        ("hpbandster.run_a.worker.one.example.org.7", True),
        ("hpbandster.run_a.worker.one-2.7", False),
        ("hpbandster.run_a.worker.~one", False),
        ("hpbandster.run_a.worker.~one.", False),
        ("hpbandster.run_a.worker.~two.one.7", False),
        ("hpbandster.run_a.worker.~one.two.7", True),
        ("hpbandster.run_a.worker.~", False),
        ("", False),
    ],
)
def test_names_of_hpbandsters_own_workers_and_broken_ones(worker, speaks):
    assert speakers.may_speak(own("one"), worker) == speaks


def test_a_stock_worker_has_a_name_that_its_hosts_certificate_speaks_for():
    worker = Worker("a", nameserver="127.0.0.1", id="x").worker_id
    host = socket.gethostname().partition(".")[0]
    assert speakers.may_speak(own(host), worker)
    assert speakers.may_speak(SHARED, worker)
    assert not speakers.may_speak(own("other"), worker)
