"""How a worker stays known, and that nobody knows it after it has left."""

import threading

import Pyro4
import pytest
from helpers.fake_master import LONG, PREFIX, Master, Ours, until

from bohb_seg.rpc import pyro
from bohb_seg.settings import WorkerSettings
from bohb_seg.worker import run_info
from bohb_seg.worker.membership import Membership

NAME, URI = f"{PREFIX}worker.host.1.x", "PYRO:worker@127.0.0.1:1"

pytestmark = pytest.mark.loopback


class Hesitant(Ours):
    """Answers the second introduction only when it is told to."""

    @Pyro4.expose
    def hello(self, name, facts):
        answer = super().hello(name, facts)
        if len(self._master.heard("hello")) == 2:
            self._master.asked.set()
            assert self._master.answers.wait(LONG)
        return answer


class Jobs:
    """A worker's service that has nothing to do and remembers why it should end."""

    def __init__(self):
        self.ended = threading.Event()

    def doing(self):
        return ""

    def give_up(self, reply, reason):
        raise AssertionError("there is nothing to give up")

    def end(self, reason, error=None):
        self.reason, self.error = reason, error
        self.ended.set()


@pytest.fixture(scope="module", autouse=True)
def wire():
    pyro.set_up_pyro()


@pytest.fixture
def start():
    """Starts a master of a kind, and a member of its run."""
    running = []

    def start(dispatcher=Ours, **changes):
        master = Master(dispatcher).start()
        settings = WorkerSettings(port=master.port)
        with pyro.proxy(master.names.lookup(f"{PREFIX}dispatcher").asString()) as remote:
            run = run_info.ask("try", remote)
        for name, value in changes.items():
            setattr(master, name, value)
        member = Membership(NAME, URI, settings, run, {"version": "1"}, Jobs())
        running.append((master, member))
        return master, member

    yield start
    for master, member in running:
        member.leave()
        master.stop()


def thread_ended():
    return not any(thread.name == "membership" for thread in threading.enumerate())


def test_a_member_is_introduced_then_named_then_looked_for(start):
    master, member = start()
    member.begin()
    until(lambda: master.heard("renew"))
    kinds = [kind for kind, *_ in master.told]
    assert kinds[: kinds.index("renew")] == ["hello", "look"]
    assert master.known() == {NAME: URI}


def test_a_name_that_was_taken_away_does_not_come_back(start):
    """The worker introduces itself again, because it was forgotten, at the moment it leaves."""
    master, member = start(Hesitant, asked=threading.Event(), answers=threading.Event())
    member.begin()
    until(lambda: master.heard("renew"))
    master.names.remove(NAME)
    assert master.asked.wait(LONG)
    member.leave()
    master.answers.set()
    until(thread_ended)
    assert master.known() == {}
    assert master.heard("goodbye") == [(NAME,)]


def test_a_worker_that_never_had_a_name_says_no_goodbye(start):
    master, member = start(refusal="its data is another")
    member.begin()
    assert member._jobs.ended.wait(LONG)
    until(thread_ended)
    member.leave()
    assert (master.known(), master.heard("goodbye")) == ({}, [])
    assert member._jobs.reason == "the master refuses it"
    assert "refuses this worker: its data is another" in str(member._jobs.error)


def test_a_worker_may_leave_before_any_master_answers(start):
    master, member = start()
    master.stop()
    member.begin()
    member.leave()
    until(thread_ended)
