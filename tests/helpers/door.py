"""A storm of messages at a real run: master, nameserver, storage, replies and workers.

Somebody holds the certificates of a worker, and the master's towards workers, and sends messages of
all kinds (:mod:`helpers.messages`) to every method of every remote object. Meanwhile a worker of
the run, which shows the same certificate, does its evaluations right and says whatever comes to
mind about them. Then everybody must be as before, and the run ends as an undisturbed one.
"""

import contextlib
import itertools
import operator
import os
import queue
import random
import re
import runpy
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import get_type_hints

import Pyro4
import serpent
from helpers import messages
from helpers.audit import audit
from helpers.cluster import PATIENCE, Cluster
from helpers.commands import PROGRAMS, ROOT
from helpers.daemons import HEADER, hello
from helpers.identities import context, nobody
from helpers.messages import Remote, written
from Pyro4 import message

from bohb_seg.rpc import certificates, names, pyro
from bohb_seg.rpc.daemon import Daemon, serve_in_background
from bohb_seg.search.events import Evaluated, WorkersChanged
from bohb_seg.trials import Info

GATED = PROGRAMS / "gated.py"
LAST = runpy.run_path(str(GATED))["LAST"]
SEARCH = ("--n-iterations", LAST + 1, "--min-budget", 1, "--max-budget", 9, "--seed", 7)
SLEEP = 0.002
"""Seconds that one unit of budget takes."""
HEARTBEAT = 10.0
"""Seconds; so leases last thirty, also on a machine that is busy with the storm."""
VOLLEY = 24
"""Messages that are sent before their answers are read."""
VOLLEY_BYTES = 64 * 1024
CONNECTIONS = 3
"""Connections to each side that are used in turn."""
AGAIN = 10
"""Rounds of volleys after which the sides are asked anew which objects there are."""
SILENT_DEATHS = (
    "Exception in",
    "Exception ignored",
    "Logging error",
    "it begins again",
    "<unknown>",
)
"""Words of a process in which something was raised, or complained of, where nobody minds."""
MOST_MEMORY_MB = 600
"""Memory of each process, whatever it is sent: 150 by itself."""
LOG_BYTES = 400_000
"""Bytes of a log a minute: the most complaints that there are in one, and what the run says."""
REPLIES = 2
"""Replies among the objects, of those that are open."""
LATER = 1
"""Descriptors that each takes once, and perhaps only after they were counted: a worker the lock of
its folder of copies, with its first order of a run whose files it does not see; the master the pipe
of the process that writes ``results.pkl`` aside, which it looks after with its next result."""
SAY_EVERY = 60.0
"""Seconds between two lines of progress."""
INTRODUCTIONS = 0.1
"""Chance that a volley is followed by somebody who only introduces himself."""
FEW, TOLD = 5, 200
"""Results that the talkative worker brings, about, spread over the storm."""
FACTS = [name.encode() for name in (*get_type_hints(Info), "__class__", "\x1b", "x" * 1000, "y")]
"""Names of facts that a worker tells beside a loss, known and unknown."""
NO_NUMBERS = [b"None", b"'x'", b"[]", b"{}", b"()", b"'1e'", b"{'a':1}", b"1j"]


@dataclass
class Figures:
    """Figures of a storm.

    Args:
        sent: Messages by kind.
        answered: Answers, and how many of them were errors.
        processes: Processor seconds, largest memory in MB, threads and descriptors of each process.
    """

    sent: Counter = field(default_factory=Counter)
    answered: Counter = field(default_factory=Counter)
    processes: dict = field(default_factory=dict)
    seconds: float = 0.0


def besiege(folder, count, seed):
    """Makes a run undisturbed and again in a storm of so many messages; compares them.

    Raises:
        AssertionError: somebody minded.
    """
    calm = _undisturbed(folder)
    certificates.make(folder / "certs")
    for name in ("honest", "evil"):
        certificates.make_worker(folder / "certs", name)
    cluster = Cluster(folder / "door", SLEEP, HEARTBEAT, run_id="door", program=GATED)
    cluster.folder.mkdir()
    try:
        with nobody():
            storm = Storm(cluster, folder / "certs", seed)
            storm.rage(count)
            storm.settle()
            outcome = storm.finish()
    finally:
        cluster.close()
    for what in ("configurations", "losses", "best"):
        assert getattr(outcome, what) == getattr(calm, what), f"{what} are not those of a calm run"
    return storm.figures


def _undisturbed(folder):
    cluster = Cluster(folder / "calm", SLEEP, HEARTBEAT, run_id="door")
    cluster.folder.mkdir(parents=True)
    try:
        master = cluster.master(*SEARCH)
        cluster.worker()
        master.finish(4 * PATIENCE)
    finally:
        cluster.close()
    return audit(cluster.run_dir).outcome


class Storm:
    """A run with two honest workers, and whoever disturbs it."""

    def __init__(self, cluster, certs, seed):
        self._cluster, self._certs = cluster, certs
        self.figures = Figures()
        self._random = random.Random(seed)
        self._master = cluster.master(*SEARCH, "--tls", certs)
        own = "--tls", certs / "honest", "--cache-dir", cluster.folder / "cache"
        self._workers = [cluster.worker(*own) for _ in range(2)]
        self._values = messages.drawn(seed)
        self._honest = [cluster.name(each) for each in self._workers]
        cluster.until(self._all_have_answered, "every worker has brought a result")
        self._pids = {"master": self._master.process.pid}
        self._pids |= {f"worker {i}": w.process.pid for i, w in enumerate(self._workers, 1)}
        self._before = _least(self._pids)
        self._sides = self._found()

    def _all_have_answered(self):
        return {n.worker for n in self._cluster.events(Evaluated)} >= set(self._honest)

    def _found(self):
        """The sides to speak to."""
        home = "127.0.0.1", self._cluster.port
        master = Side(home, context(self._certs / "evil", "worker"))
        listed = master.ask(names.NAMESERVER, "list")
        places = [listed[name].rpartition("@")[2].split(":") for name in self._honest]
        ours = context(self._certs, "master")
        return [master, *(Side((host, int(port)), ours) for host, port in places)]

    def _meet(self):
        master, *workers = self._sides
        listed = master.ask(names.NAMESERVER, "list")
        # A goodbye in its name, which the storm may say, would end it.
        listed = {name: uri for name, uri in listed.items() if ".talkative." not in name}
        master.meet(self._words(master, listed), self._fitting())
        for each in workers:
            each.meet(self._words(each, listed), self._fitting(), {"shutdown"})

    def _words(self, side, found):
        said = [*found, *found.values(), *side.ask("Pyro.Daemon", "registered"), "Pyro.Daemon"]
        said += ["comparison", "0" * 64, {"result": None, "exception": "x"}]
        said += [names.prefix(self._cluster.run_id), "PYRO:x@127.0.0.1:1", 0, 1, (0, 0, 0)]
        return said

    def _fitting(self):
        """Arguments that fit, of names that the evil one may use, and of no trial of the run."""
        prefix, here = names.prefix(self._cluster.run_id), f"127.0.0.1:{self._cluster.port}"
        own = [f"{prefix}worker.~evil.host.{number}.x" for number in range(8)]
        file = ["checkpoints/0-0-0", "comparison/default-0"], ["epoch-00003.npz", "x.npz"]
        replies = [Pyro4.Proxy(f"PYRO:{prefix}reply.999-9-9.1.1@{here}")] * 3
        replies += [Pyro4.Proxy(f"PYRO:{odd}@{here}") for odd in ("\ud800", "x" * 400)]
        return {
            "register": [own, ["PYRO:x@127.0.0.1:1", "PYRO:x@[::1]:1", f"PYRO:x@{here}"]],
            "remove": [own],
            "lookup": [[*own, f"{prefix}dispatcher"]],
            "list": [[prefix, f"{prefix}worker."]],
            "hello": [own, [{}, {"version": "0", "model": "y" * 99}]],
            "renew": [own, ["", f"{prefix}reply.0-0-0.1.1"]],
            "goodbye": [own],
            "stored": [file[0]],
            "fetch": [*file, [0, 1, 10**9]],
            "store": [*file, [0, 1], [b"x", b""], ["0" * 32]],
            "keep": [*file, [0, 1], ["0" * 64], ["0" * 32]],
            "register_result": [[(0, 0, 0)], [{"result": None, "exception": "x"}]],
            "start_computation": [replies, [(999, 9, 10**number) for number in (*range(9), 4000)]],
            "get_metadata": [["Pyro.Daemon", names.NAMESERVER, f"{prefix}dispatcher"]],
        }

    # --- the storm -----------------------------------------------------------------------------

    def rage(self, count):
        """Sends so many messages, or fewer if Ctrl-C is pressed meanwhile."""
        began, busy = time.monotonic(), time.process_time()
        drawer = messages.Drawer(self._random, self._values)
        with Talkative(self._cluster, self._certs, drawer, self._random.random()) as talkative:
            with contextlib.suppress(KeyboardInterrupt):
                self._send(count, drawer, talkative)
            talkative.allow(FEW)
            self._cluster.until(lambda: talkative.told >= FEW, "some results are told")
            self.figures.sent["result"] += talkative.told
        for side in self._sides:
            side.leave()
        self._forget_names()
        self.figures.seconds = time.monotonic() - began
        self.figures.processes["here"] = f"{time.process_time() - busy:.0f} s of processor"

    def _send(self, count, drawer, talkative):
        began, sent, lines = time.monotonic(), 0, 0
        for number in itertools.count():
            if sent >= count:
                return
            if number % AGAIN == 0:
                self._meet()
            master, *workers = self._sides
            for side in (master, master, *workers):  # the master has most objects
                sent += side.volley(drawer, self.figures)
            talkative.allow(TOLD * sent // count - talkative.allowed)
            if time.monotonic() - began > SAY_EVERY * (lines + 1):
                lines += 1
                print(f"{time.monotonic() - began:5.0f} s: {sent} messages", flush=True)

    def _forget_names(self):
        """Takes away the names that the storm has left."""
        side = self._sides[0]
        for name in side.ask(names.NAMESERVER, "list"):
            if ".worker.~evil." in name:
                side.ask(names.NAMESERVER, "remove", name)
        side.leave()

    def settle(self):
        """Waits until nobody holds more threads and descriptors than before."""
        for who, pid in self._pids.items():
            threads, files = self._before[who]
            before = threads, files + LATER
            try:
                self._cluster.until(
                    lambda pid=pid, before=before: all(map(operator.le, _held(pid), before)),
                    f"the {who} has no more threads and descriptors than {before}",
                )
            except AssertionError:
                print(f"the {who} has {_held(pid)}: {_files(pid)}")
                raise
            seconds, megabytes = _spent(pid)
            assert megabytes < MOST_MEMORY_MB, f"the {who} took {megabytes:.0f} MB"
            self.figures.processes[who] = (
                f"{seconds:.0f} s of processor, {megabytes:.0f} MB; threads and descriptors"
                f" {before} before, {_held(pid)} after"
            )

    def finish(self):
        """Lets the run end; returns its outcome."""
        (self._cluster.folder / "open").touch()
        log = self._master.finish(4 * PATIENCE)
        for worker in self._workers:
            told = worker.finish()  # with tracebacks of orders that could not be done
            assert not any(words in told for words in SILENT_DEATHS), told
        assert "Traceback" not in log, log
        assert not any(words in log for words in SILENT_DEATHS), log
        most = LOG_BYTES * (2 + self.figures.seconds / 60)
        assert len(log) < most, f"the storm filled the log: {len(log)} bytes"
        self._nobody_was_lost()
        return audit(self._cluster.run_dir).outcome

    def _nobody_was_lost(self):
        changes = self._cluster.events(WorkersChanged)
        left = {name for news in changes for name in news.left}
        assert not left & set(self._honest), "an honest worker was lost"
        told = [n for n in self._cluster.events(Evaluated) if n.worker not in self._honest]
        outcomes = Counter(news.outcome for news in told)
        assert outcomes["finished"], "the talkative worker brought no result"
        assert outcomes["crashed"], "the talkative worker brought no rubbish"
        assert set(outcomes) == {"finished", "crashed"}


class Side:
    """A process that serves, and some connections to it.

    Args:
        address: Host and port.
        shown: TLS context with the certificate to be shown.
    """

    def __init__(self, address, shown):
        self._address, self._shown = address, shown
        self._open, self._asking = [], None
        self._remotes, self._words, self._fitting = [], [], {}
        self._number = 0

    def meet(self, words, fitting, spared=frozenset()):
        """Finds out which objects and methods there are now.

        Args:
            words: Values that mean something there.
            fitting: Values that fit as arguments, by method.
            spared: Methods that must not be called as they should be.
        """
        self._remotes, self._words = [], [*map(written, words)]
        self._fitting = {
            method: [[*map(written, each)] for each in arguments]
            for method, arguments in fitting.items()
        }
        found = self.ask("Pyro.Daemon", "registered")
        replies = [name for name in found if _kind(name) == "reply"]
        for name in [each for each in found if each not in replies] + replies[:REPLIES]:
            arguments = written((name, True))
            flags, said = self.call(b"'Pyro.Daemon'", b"'get_metadata'", arguments)
            if not flags & message.FLAGS_EXCEPTION:  # else it is gone already
                methods = tuple(sorted(serpent.loads(said)["methods"]))
                self._remotes.append(Remote(name, _kind(name), methods, frozenset(spared)))

    def ask(self, name, method, *arguments):
        """Calls a method as it should be called; returns what it says."""
        flags, said = self.call(written(name), written(method), written(arguments))
        assert not flags & message.FLAGS_EXCEPTION, said
        return serpent.loads(said)

    def call(self, name, method, arguments):
        """Calls a method; returns flags and bytes of the answer, or of none an error's."""
        self._asking = self._asking or self._introduced()
        try:
            self._asking.sendall(messages.framed(b"(%s,%s,%s,{})" % (name, method, arguments), 1))
            return _answer(self._asking)[1:]
        except OSError as error:  # it was dropped
            self._asking.close()
            self._asking = None
            return message.FLAGS_EXCEPTION, repr(error).encode()

    def volley(self, drawer, figures):
        """Sends some messages over one connection and reads the answers; returns their number."""
        drawer.words, drawer.fitting = self._words, self._fitting
        peer = self._taken(drawer.random)
        sent = self._drawn(drawer)
        count = 0
        with contextlib.suppress(OSError):  # it was dropped, and the rest of the volley with it
            peer.sendall(b"".join(each.data for each in sent))
            count = self._read(peer, sent, figures)
        figures.sent.update(each.kind for each in sent[:count])
        if count < len(sent) or sent[-1].is_last:
            self._open.remove(peer)
            peer.close()
        if drawer.random.random() < INTRODUCTIONS:
            self._introduce(drawer.introduction(), figures)
            count += 1
        return count

    def leave(self):
        """Closes all connections."""
        for peer in (*self._open, *filter(None, [self._asking])):
            peer.close()
        self._open, self._asking = [], None

    def _drawn(self, drawer):
        sent, size = [], 0
        while len(sent) < VOLLEY and size < VOLLEY_BYTES:
            self._number = self._number % 60_000 + 1
            weights = [1 if each.name == "Pyro.Daemon" else 4 for each in self._remotes]
            remote = drawer.random.choices(self._remotes, weights)[0]
            sent.append(drawer.message(remote, self._number))
            size += len(sent[-1].data)
            if sent[-1].is_last:
                break
        return sent

    def _read(self, peer, sent, figures):
        """Reads the answers; returns how many messages were surely read by the other side."""
        for at, each in enumerate(sent):
            if each.is_last or not each.is_answered:
                continue
            try:
                _, flags, _ = _answer(peer)
            except ConnectionError:
                figures.answered["dropped"] += 1
                return at + 1
            figures.answered["error" if flags & message.FLAGS_EXCEPTION else "value"] += 1
        return len(sent)

    def _introduce(self, introduction, figures):
        with contextlib.suppress(OSError), self._connected() as peer:
            peer.sendall(introduction.data)
            _answer(peer)
        figures.sent[introduction.kind] += 1

    def _taken(self, choices):
        if len(self._open) < CONNECTIONS:
            self._open.append(self._introduced())
            return self._open[-1]
        return choices.choice(self._open)

    def _introduced(self):
        peer = self._connected()
        peer.sendall(hello())
        assert _answer(peer)[0] == message.MSG_CONNECTOK
        return peer

    def _connected(self):
        peer = socket.create_connection(self._address, timeout=PATIENCE)
        return self._shown.wrap_socket(peer)


class Talkative:
    """A worker that does its evaluations right, sometimes at the second try, and says anything.

    Its results come when the storm allows them, so that they are spread over it.
    """

    def __init__(self, cluster, certs, drawer, seed):
        self.told = self.allowed = 0
        self._drawer = messages.Drawer(random.Random(seed), drawer.values)
        self._orders, self._allowed = queue.SimpleQueue(), threading.Semaphore(0)
        self._reply, self._tried = "", set()
        self._over, self._lock = threading.Event(), threading.Lock()
        self._toy = runpy.run_path(str(ROOT / "workers/toy.py"))["Toy"]
        prefix = names.prefix(cluster.run_id)
        self._name = f"{prefix}worker.~evil.talkative.1.x"
        self._dispatcher = f"{prefix}dispatcher"
        self._master = Side(("127.0.0.1", cluster.port), context(certs / "evil", "worker"))
        pyro.set_up_pyro(certs / "evil", "worker")
        self._daemon = Daemon("127.0.0.1", admits=("master",))
        self._uri = str(self._daemon.register(self, self._name))
        self._thread = threading.Thread(target=self._work, name="talkative", daemon=True)

    def __enter__(self):
        serve_in_background(self._daemon, "talkative")
        self._master.ask(names.NAMESERVER, "register", self._name, self._uri)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._orders.put(None)
        self._allowed.release()
        self._thread.join(PATIENCE)
        self._master.ask(self._dispatcher, "goodbye", self._name)
        self._master.ask(names.NAMESERVER, "remove", self._name)
        self._master.leave()
        self._daemon.shutdown()

    def allow(self, number):
        """Lets it bring so many more results."""
        for _ in range(number):
            self.allowed += 1
            self._allowed.release()

    @Pyro4.expose
    def doing(self):
        choices = self._drawer.random
        if choices.random() < 0.2:
            raise choices.choice([ValueError, KeyError, SystemExit, OSError])("x\x1b[")
        if choices.random() < 0.2:
            return serpent.loads(choices.choice(self._drawer.values))
        return self._reply

    @Pyro4.expose
    def start_computation(self, callback, id, config, budget, working_directory):
        order = str(callback._pyroUri.object), tuple(id), config, budget
        with self._lock:
            if order[0] != self._reply:  # else it is brought once more
                self._reply = order[0]
                self._orders.put(order)
        return True

    @Pyro4.expose
    @Pyro4.oneway
    def shutdown(self):
        pass

    def _work(self):
        while not self._over.is_set():
            order = self._orders.get()
            if order is None or order[1][0] >= LAST:
                continue  # the run must not end before the storm
            self._allowed.acquire()
            while not self._over.is_set() and not self._tells(*order):
                pass

    def _tells(self, reply, trial, config, budget):
        """Tells a result; returns whether the master could read it."""
        again = (trial, budget) in self._tried
        self._tried.add((trial, budget))
        if again or self._drawer.random.random() < 0.5:
            job = {**config, "sleep": 0.0}, budget, "/nowhere"
            loss = self._toy.compute(SimpleNamespace(), trial, *job)["loss"]
            result = b"{'loss':%s,'info':%s}" % (written(loss), self._info())
        else:
            odd = self._drawer.random.choice(NO_NUMBERS)
            result = self._drawer.random.choice([b"{'loss':%s}" % odd, b"None", odd])
        told = b"{'result':%s,'exception':%s}" % (result, self._drawer.value())
        if not self._is_taken(reply, trial, told):
            return False
        self.told += 1
        with self._lock:
            if self._reply == reply:
                self._reply = ""
        return True

    def _info(self):
        draw = self._drawer
        if draw.random.random() < 0.1:
            return draw.value()
        facts = draw.random.sample(FACTS, draw.random.randrange(6))
        return b"{%s}" % b",".join(b"'%s':%s" % (fact, draw.value()) for fact in facts)

    def _is_taken(self, reply, trial, told):
        arguments = b"(%s,%s)" % (written(trial), told)
        flags, said = self._master.call(written(reply), b"'register_result'", arguments)
        return not flags & message.FLAGS_EXCEPTION or b"unknown object" in said


def _kind(name):
    """What the object of this name is, without the numbers of trials and processes."""
    kind = re.match(r"hpbandster\.run_door\.([a-z]+)", name)
    return kind[1] if kind else name


def _answer(peer):
    """The kind, the flags and the bytes of one answer."""
    header = HEADER.unpack(_exactly(peer, HEADER.size))
    _exactly(peer, header[7])
    return header[2], header[3], _exactly(peer, header[5])


def _exactly(peer, size):
    data = b""
    while len(data) < size:
        try:
            more = peer.recv(size - len(data))
        except TimeoutError:
            raise AssertionError("no answer, and the connection stays") from None
        if not more:
            raise ConnectionError("the connection was ended")
        data += more
    return data


# --- processes ----------------------------------------------------------------------------------


def _held(pid):
    """Threads and descriptors of a process."""
    return len(os.listdir(f"/proc/{pid}/task")), len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208


def _least(pids):
    """The least that each process holds: some of it comes and goes with each heartbeat."""
    until, found = time.monotonic() + HEARTBEAT, []
    while not found or time.monotonic() < until:
        found.append({who: _held(pid) for who, pid in pids.items()})
        time.sleep(0.05)
    return {who: tuple(map(min, zip(*(each[who] for each in found), strict=True))) for who in pids}


def _files(pid):
    """Targets of the descriptors of a process."""
    found = []
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(file.readlink()))
    return sorted(found)


def _spent(pid):
    """Processor seconds and largest memory in MB of a process."""
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    peak = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK"), int(peak[1]) / 1024
