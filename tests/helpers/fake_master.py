"""A master as its workers see it: nameserver, dispatcher and replies, moved by the test."""

import os
import signal
import time

import Pyro4
from helpers.commands import free_port

from bohb_seg.rpc import pyro
from bohb_seg.rpc.daemon import Daemon, serve_in_background
from bohb_seg.rpc.nameserver import NameServer

PREFIX = "hpbandster.run_try."
HEARTBEAT = 0.2
"""Seconds."""
LONG = 60.0
"""Seconds after which a test on a busy machine gives up; none ever waits so long."""


class Dispatcher:
    """The master's dispatcher as the protocol has it, and its memory."""

    def __init__(self, master):
        self._master = master

    @Pyro4.expose
    @Pyro4.oneway
    def trigger_discover_worker(self):
        self._master.told.append(("look",))

    @Pyro4.expose
    def register_result(self, id=None, result=None):
        self._master.told.append(("result for the dispatcher", result))


class Ours(Dispatcher):
    @Pyro4.expose
    def terms(self):
        return {
            "settings": self._master.settings,
            "heartbeat": HEARTBEAT,
            "token": self._master.token,
        }

    @Pyro4.expose
    def hello(self, name, facts):
        self._master.told.append(("hello", name, dict(facts)))
        return self._master.refusal

    @Pyro4.expose
    def renew(self, name, doing):
        self._master.told.append(("renew", name, doing))
        if name not in self._master.known():
            return "unknown"
        return "unwanted" if doing and doing in self._master.unwanted else ""

    @Pyro4.expose
    def goodbye(self, name):
        self._master.told.append(("goodbye", name))


@Pyro4.expose
class TellsToLeave(NameServer):
    """Sends SIGTERM to a worker that registers its name, before it learns that it is registered."""

    def register(self, name, uri, safe=False, metadata=None):
        super().register(name, uri, safe, metadata)
        if ".worker." in name:
            os.kill(int(name.split(".")[-2]), signal.SIGTERM)


class Reply:
    """One attempt's; refuses the first ``refusals`` offers like a master whose disk is full."""

    def __init__(self, refusals=0):
        self.offers, self._refusals = [], refusals

    @Pyro4.expose
    def register_result(self, id=None, result=None):
        self.offers.append((tuple(id), result))
        if len(self.offers) <= self._refusals:
            raise TimeoutError("not on disk yet")

    @property
    def taken(self):
        return self.offers[self._refusals :]

    def result(self):
        until(lambda: self.taken)
        ((_, result),) = self.taken
        return result


class Master:
    """Nameserver and dispatcher on loopback; may be stopped and started again."""

    def __init__(self, dispatcher=Ours, names=NameServer):
        self.port, self.told, self.settings = free_port(), [], {}
        self.refusal, self.token, self.unwanted, self.replies = "", "", set(), {}
        self._dispatcher, self._daemons = dispatcher, []
        self._new_names, self.names = names, None

    def start(self, apart=False):
        """``apart``: the dispatcher is not where the nameserver is, and never where it was."""
        daemon = Daemon("127.0.0.1", self.port, admits={"worker"})
        self.names = self._new_names()
        daemon.register(self.names, "Pyro.NameServer")
        self._daemons = [daemon]
        if apart:
            self._daemons.append(Daemon("127.0.0.1", 0, admits={"worker"}))
        for name, reply in self.replies.items():
            self._daemons[-1].register(reply, name, force=True)
        uri = self._daemons[-1].register(self._dispatcher(self), f"{PREFIX}dispatcher")
        self.names.register(f"{PREFIX}dispatcher", uri)
        for daemon in self._daemons:
            serve_in_background(daemon, "master")
        return self

    def stop(self):
        for daemon in self._daemons:
            daemon.shutdown()
        self._daemons = []

    def known(self):
        return {n: str(u) for n, u in self.names.list(prefix=f"{PREFIX}worker.").items()}

    def worker(self, pid=None):
        """A proxy of the only worker (or that of this process), waiting for it."""
        until(lambda: self._uris(pid))
        ((name, uri),) = self._uris(pid)
        remote = pyro.proxy(uri, of="worker")
        remote.__dict__["name"] = name
        return remote

    def _uris(self, pid):
        return [(n, u) for n, u in self.known().items() if pid is None or f".{pid}." in n]

    def order(
        self,
        worker,
        number=0,
        attempt=1,
        budget=1.0,
        where="/nowhere",
        refusals=0,
        micro_batches=None,
        max_minutes=None,
        **config,
    ):
        """Brings an order; returns its reply."""
        name = f"{PREFIX}reply.0-0-{number}.{budget:g}.{attempt}"
        if name not in self.replies:
            self.replies[name] = Reply(refusals)
            self._daemons[-1].register(self.replies[name], name)
        callback = Pyro4.Proxy(self._daemons[-1].uriFor(name))
        job = {"config": {"x": 1.0, **config}, "budget": budget, "working_directory": str(where)}
        job |= {"micro_batches": micro_batches} if micro_batches else {}
        job |= {"max_minutes": max_minutes} if max_minutes else {}
        assert worker.start_computation(callback, (0, 0, number), **job) is True
        return self.replies[name]

    def forget(self, reply):
        """Nobody wants the result any more."""
        name = next(name for name, known in self.replies.items() if known is reply)
        self._daemons[-1].unregister(name)

    def heard(self, kind):
        return [tuple(rest) for what, *rest in list(self.told) if what == kind]


def until(condition):
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
