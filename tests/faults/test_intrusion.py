"""All attacks that we know, on one real run with TLS: none succeeds, and the run does not mind.

One worker is at work there from the first attack to the last. There are two tables: attacks without
a valid certificate, and those by somebody who holds a worker's. Floods and posing as the master are
in test_strangers.py, all kinds of messages in tests/rpc.
"""

import contextlib
import pickle
import re
import shutil
import socket
import ssl
from itertools import product
from pathlib import Path

import Pyro4
import pytest
import serpent
from helpers import identities
from helpers.cluster import PATIENCE, Cluster
from helpers.commands import ROOT
from helpers.daemons import CLOUDPICKLE, PICKLE, hello, packed
from helpers.identities import context, forged, show
from helpers.intruder import (
    GOOD,
    TOKEN,
    Liar,
    Member,
    Opened,
    Target,
    answer,
    call,
    calls,
    introduced,
    invoke,
    unfolds,
)
from Pyro4 import message

from bohb_seg.rpc import certificates
from bohb_seg.rpc.nameserver import IN_A_ROW, MAX_OF_ONE
from bohb_seg.search.events import Evaluated, WorkersChanged
from bohb_seg.storage.uploads import MAX_FILES, MAX_UPLOADS

pytestmark = pytest.mark.faults

MOST_MEMORY_MB = 600
"""Memory of the master, whatever it is sent: 150 by itself; what is sent here would take 1000."""
MOST_THREADS = 150
"""Threads of the master; each invented worker would take one."""


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    folder = tmp_path_factory.mktemp("intrusion")
    certificates.make(folder / "certs")
    for name in ("evil", "gone"):
        certificates.make_worker(folder / "certs", name)
    certificates.revoke(folder / "certs", "gone")
    cluster = Cluster(folder, sleep=0.5, heartbeat=2.0)
    _joins_by_a_token(cluster, "honest")
    master = cluster.master(
        *("--tls", folder / "certs", "--n-iterations", 1000, "--trial-gb", 0.002)
    )
    worker = cluster.worker("--tls", folder / "honest")
    try:
        cluster.order_of(worker, begun=False)
        yield Target(cluster, folder / "certs", master, worker)
    finally:
        cluster.close()


def _joins_by_a_token(cluster, name):
    """The whole way, with the commands that the authority's machine and the new one print."""
    door = cluster.start("bohb_seg.commands.certs", "certs", "--invite", name, "--port", 0)
    line = cluster.until(
        lambda: re.search(r"^bohb-certs (.+)\n\n.*once", door.log, re.M), "a token"
    )
    cluster.start("bohb_seg.commands.certs", *line[1].split()).finish()
    assert f"{name} has joined from 127.0.0.1" in door.finish()
    shutil.copy(cluster.folder / name / "worker.key", cluster.folder / "certs" / name)  # for us


@pytest.fixture(autouse=True)
def this_process_is_nobody():
    with identities.nobody():
        yield


# --- without a certificate ----------------------------------------------------------------------

STRANGERS = {
    "speaks without TLS": None,
    "shows no certificate": lambda folder, ours: folder,
    "has another authority's": lambda folder, ours: certificates.make(folder) or folder,
    "signed its own": lambda folder, ours: forged(folder, None, "worker"),
    "signed its own as honest": lambda folder, ours: forged(folder, None, "worker", "name:honest"),
    "had it signed by a worker": lambda folder, ours: forged(folder, ours, "worker", by="worker"),
    "had it signed by the master": lambda folder, ours: forged(folder, ours, "worker", by="master"),
    "has an expired one": lambda folder, ours: forged(folder, ours, "worker", days=(-9, -1)),
    "has one of tomorrow": lambda folder, ours: forged(folder, ours, "worker", days=(1, 9)),
    "has one without a role": lambda folder, ours: forged(folder, ours),
    "has both roles": lambda folder, ours: forged(folder, ours, "worker", "master"),
    "has two names": lambda folder, ours: forged(folder, ours, "worker", "name:a", "name:honest"),
    "is called as all are": lambda folder, ours: forged(folder, ours, "worker", "name:worker"),
    "is a named master": lambda folder, ours: forged(folder, ours, "master", "name:honest"),
    "was revoked": lambda folder, ours: ours / "gone",
    "speaks TLS 1.1": lambda folder, ours: ours,
}
"""How strangers get what they show: from a new folder, and from one with all of our keys."""


@pytest.mark.parametrize("who", STRANGERS)
def test_a_stranger_gets_nothing(target, tmp_path, who):
    """Neither at the master's port nor at the worker's."""
    if who == "speaks without TLS":
        Pyro4.config.SSL = False
    else:
        folder = STRANGERS[who](tmp_path / "theirs", target.folder)
        newest = ssl.TLSVersion.TLSv1_1 if who == "speaks TLS 1.1" else None
        show(folder if folder.exists() else None, "worker", newest=newest)
    for what, arguments in calls(target).items():
        with pytest.raises(Pyro4.errors.CommunicationError):
            pytest.fail(f"a stranger could {what}: {invoke(*arguments)}")


def recorded(target):
    """Bytes with which a worker introduces itself over TLS."""
    taken, given, said = ssl.MemoryBIO(), ssl.MemoryBIO(), b""
    client = context(target.folder / "evil", "worker").wrap_bio(taken, given)
    with socket.create_connection(("127.0.0.1", target.cluster.port), PATIENCE) as peer:
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                said += (words := given.read())
                peer.sendall(words)
                taken.write(peer.recv(65536))
        client.write(hello())
        return said + given.read()


NOISE = {
    "HTTP": lambda target: b"GET / HTTP/1.1\r\nHost: master\r\n\r\n",
    "a pickle": lambda target: pickle.dumps(Path("x")),
    "a pickle as a message": lambda target: packed(message.MSG_CONNECT, pickle.dumps(Path("x"))),
    "an introduction before TLS": lambda target: hello() + bytes.fromhex("1603010200010001fc0303"),
    "SSL 2": lambda target: bytes.fromhex(
        "802e0100020015000000100100800200800300800400800500800700c0"
    ),
    "a TLS record of garbage": lambda target: b"\x16\x03\x03\x40\x00" + bytes(range(256)) * 64,
    "another's handshake once more": recorded,
}


@pytest.mark.parametrize("kind", NOISE)
def test_noise_is_not_answered(target, kind):
    words = NOISE[kind](target)
    with socket.create_connection(("127.0.0.1", target.cluster.port), PATIENCE) as peer:
        heard = b""
        with contextlib.suppress(OSError):  # of any kind: it was dropped
            peer.sendall(words)
            peer.shutdown(socket.SHUT_WR)
            while data := peer.recv(65536):
                heard += data
    assert b"PYRO" not in heard


# --- with a worker's certificate ----------------------------------------------------------------

ATTACKS = {}


def attack(function):
    ATTACKS[function.__name__] = function
    return function


def refused(words, uri, method, *arguments, error=Pyro4.errors.SecurityError):
    with pytest.raises(error, match=words):
        pytest.fail(f"it could {method} {arguments}: {invoke(uri, method, *arguments)}")


NOT_ADMITTED = {"error": Pyro4.errors.CommunicationError}
ADDRESS = "PYRO:mine@127.0.0.1:1"


@attack
def stops_another_worker(target):
    refused("a worker is not admitted", target.uri, "shutdown", **NOT_ADMITTED)


@attack
def gives_another_worker_an_order(target):
    order = Pyro4.Proxy(target.reply), (9, 9, 9), {"x0": 0.0}
    refused("a worker is not admitted", target.uri, "start_computation", *order, **NOT_ADMITTED)


@attack
def asks_another_worker_what_it_does(target):
    refused("a worker is not admitted", target.uri, "doing", **NOT_ADMITTED)


@attack
def takes_the_dispatchers_name(target):
    for name in ("dispatcher", "dispatcher.worker.x", "storage"):
        refused("a worker may", target.nameserver, "register", target.prefix + name, ADDRESS)
    refused("a worker may", target.nameserver, "register", "Pyro.NameServer", ADDRESS)


@attack
def removes_the_dispatchers_name(target):
    refused("a worker may", target.nameserver, "remove", target.prefix + "dispatcher")


@attack
def takes_another_workers_name(target):
    for name in (target.name, target.worker("honest"), target.worker("worker")):
        refused("does not speak for", target.nameserver, "register", name, ADDRESS)


@attack
def takes_a_marked_name_with_the_shared_certificate(target):
    show(target.folder, "worker")
    refused("does not speak for", target.nameserver, "register", target.name, ADDRESS)
    refused("does not speak for", target.nameserver, "remove", target.name)


@attack
def takes_a_name_that_all_share(target):
    name = f"{target.prefix}worker.host.1.x"
    refused("does not speak for", target.nameserver, "register", name, ADDRESS)


@attack
def removes_another_workers_name(target):
    refused("does not speak for", target.nameserver, "remove", target.name)


@attack
def removes_many_names(target):
    for arguments in ((None, target.prefix), (None, None, ".*"), (None, "")):
        with contextlib.suppress(Pyro4.errors.SecurityError):
            assert invoke(target.nameserver, "remove", *arguments) == 0


@attack
def lists_by_an_endless_expression(target):
    refused("not listed by regular", target.nameserver, "list", None, "(a+)+$")


@attack
def attaches_metadata(target):
    refused("metadata", target.nameserver, "set_metadata", target.name, ["x"])
    name = target.worker("evil")
    refused("metadata", target.nameserver, "register", name, ADDRESS, False, ["x"])


@attack
def renews_for_another_worker(target):
    """It would keep a dead worker alive, or call a busy one idle, whose evaluation is then lost."""
    for doing in ("", target.reply):
        refused("does not speak for", target.dispatcher, "renew", target.name, doing)


@attack
def says_goodbye_for_another_worker(target):
    refused("does not speak for", target.dispatcher, "goodbye", target.name)


@attack
def answers_for_another_worker(target):
    for folder in (target.folder / "evil", target.folder):
        show(folder, "worker")
        target.cluster.until(lambda: _is_refused_as_another(target), "it is refused")


def _is_refused_as_another(target):
    with pytest.raises(Pyro4.errors.PyroError) as refusal:
        pytest.fail(f"it could: {invoke(target.reply, 'register_result', (0, 0, 0), GOOD)}")
    # If it is unknown the worker was faster: the next reply, then.
    return "does not speak for" in str(refusal.value)


@attack
def answers_what_nobody_asked(target):
    reply = target.at(f"{target.prefix}reply.9-9-9.3.1")
    refused("unknown object", reply, "register_result", (9, 9, 9), GOOD, **NOT_ADMITTED)
    assert invoke(target.dispatcher, "register_result", (0, 0, 0), GOOD) is None


@attack
def overwrites_another_workers_checkpoint(target):
    """Or that of a trial that waits for its next budget."""
    for folder in (target.checkpoints, "checkpoints/0-0-0", "comparison", "comparison/default-0"):
        for method, arguments in (("store", (0, b"x")), ("keep", (1, "0" * 64))):
            place = folder, "epoch-00099.npz", *arguments, TOKEN
            refused("has no trial whose files are", target.storage, method, *place)


@attack
def reads_other_files(target):
    bad = {"error": ValueError}
    for folder in (
        "",
        ".",
        "..",
        "checkpoints",
        "checkpoints/../..",
        "/etc",
        "logs",
        "comparison/..",
    ):
        refused("no folder", target.storage, "fetch", folder, "passwd", 0, **bad)
    for name in ("../events.jsonl", "/etc/passwd", ".token", "..", "a/b", "x\x00"):
        refused("no name", target.storage, "fetch", "checkpoints/0-0-0", name, 0, **bad)


@attack
def writes_other_files(target):
    bad, outside = {"error": ValueError}, target.cluster.folder
    before = sorted(outside.iterdir())
    for folder, name in (("..", "x"), ("checkpoints/..", "events.jsonl"), ("comparison", ".x")):
        refused("no ", target.storage, "store", folder, name, 0, b"x", TOKEN, **bad)
    assert sorted(outside.iterdir()) == before


@attack
def leads_the_master_to_another_worker(target):
    """It would get the orders of two, and the evil one would be credited with its results."""
    name = target.worker("evil", 2)
    invoke(target.nameserver, "register", name, target.uri)
    invoke(target.dispatcher, "trigger_discover_worker")
    target.until_forgotten(name)


@attack
def leads_the_master_to_itself(target):
    for number, place in enumerate((target.dispatcher, target.nameserver), 3):
        name = target.worker("evil", number)
        invoke(target.nameserver, "register", name, place)
        invoke(target.dispatcher, "trigger_discover_worker")
        target.until_forgotten(name)


UNFOLDS = unfolds(megabytes=300)
MANY = b"[" + b"1," * 1_200_000 + b"]"
HELLO = message.MSG_CONNECTOK, serpent.dumps("hello"), 0
INTRODUCTIONS = message.MSG_CONNECTOK, message.MSG_CONNECTFAIL


def _answers_the_master(target, number, *answers):
    name = target.worker("evil", number)
    with Liar(target.folder / "evil", *answers) as liar:
        invoke(target.nameserver, "register", name, liar.uri)
        invoke(target.dispatcher, "trigger_discover_worker")
        assert liar.asked.wait(PATIENCE), "the master never called"
    target.until_forgotten(name)


@attack
def answers_the_master_with_what_unfolds(target):
    bomb = message.MSG_CONNECTOK, UNFOLDS, message.FLAGS_COMPRESSED
    _answers_the_master(target, 5, bomb)
    _answers_the_master(target, 6, HELLO, (message.MSG_RESULT, UNFOLDS, message.FLAGS_COMPRESSED))


@attack
def answers_the_master_in_pickle(target):
    """Pyro4 reads the first answer of a peer in the language that the peer chooses."""
    opened = target.cluster.folder / "opened"
    code = pickle.dumps(Opened(opened))
    for number, (language, kind) in enumerate(product((PICKLE, CLOUDPICKLE), INTRODUCTIONS), 20):
        _answers_the_master(target, number, (kind, code, 0, language))
    assert not opened.exists()


@attack
def answers_the_master_with_too_many_values(target):
    _answers_the_master(target, 7, HELLO, (message.MSG_RESULT, MANY, 0))


@attack
def answers_the_master_with_the_end_of_a_thread(target):
    exit = {"__class__": "builtins.SystemExit", "__exception__": True, "args": (), "attributes": {}}
    sent = message.MSG_RESULT, serpent.dumps(exit), message.FLAGS_EXCEPTION
    _answers_the_master(target, 8, HELLO, sent)


@attack
def answers_the_master_with_no_introduction(target):
    for number, said in enumerate((5, {"meta": 5}, None), 9):
        odd = message.MSG_CONNECTOK, serpent.dumps(said), message.FLAGS_META_ON_CONNECT
        _answers_the_master(target, number, odd)


@attack
def invents_workers(target):
    """Ten thousand cost two thousand threads."""
    with introduced(target) as peer, socket.create_server(("127.0.0.1", 0), backlog=1) as silent:
        place = f"PYRO:x@127.0.0.1:{silent.getsockname()[1]}"
        invented = [target.worker("evil", number) for number in range(1000, 1300)]
        refusals = []
        for name in invented:
            peer.sendall(call(target.nameserver, "register", name, place))
            refusals.append(answer(peer)[1] & message.FLAGS_EXCEPTION)
        assert any(refusals)
        invoke(target.dispatcher, "trigger_discover_worker")
        assert len([name for name in target.names() if name in invented]) <= MAX_OF_ONE
        assert target.status("Threads") < MOST_THREADS
        for name in invented:
            peer.sendall(call(target.nameserver, "remove", name))
            answer(peer)


@attack
def wants_no_answers(target):
    """Pyro4 gives each such call a thread."""
    with introduced(target) as peer:
        oneway = call(target.nameserver, "list", flags=message.FLAGS_ONEWAY)
        peer.sendall(oneway * 3000 + call(target.nameserver, "count"))
        assert answer(peer)[0] == message.MSG_RESULT


@attack
def calls_itself_what_a_terminal_would_obey(target):
    for odd in ("\x1b[2J", "\n", "\x07", "\u202e", "x" * 300):
        name = target.worker("evil") + odd
        with pytest.raises((ValueError, Pyro4.errors.SecurityError)):
            invoke(target.nameserver, "register", name, ADDRESS)
        with contextlib.suppress(Pyro4.errors.SecurityError):
            assert invoke(target.dispatcher, "renew", name, odd) == "unknown"
        refusal = invoke(target.dispatcher, "hello", name, {"version": odd or "0"})
        assert refusal


@attack
def says_it_in_a_message(target):
    with introduced(target) as peer:
        odd = {"__class__": "x__\x1b[2J\n" + "y" * 9000}
        peer.sendall(call(target.dispatcher, "hello", odd, {}))
        with contextlib.suppress(AssertionError, OSError):
            answer(peer)


@attack
def registers_no_address(target):
    for odd in ("PYRONAME:x", "PYRO:x@./u:/tmp/s", "x", 7, ["PYRO:x@h:1"], "PYRO:x@h:99999"):
        error = {"error": (ValueError, TypeError)}
        refused(
            "address|expected", target.nameserver, "register", target.worker("evil"), odd, **error
        )


@attack
def calls_what_is_not_exposed(target):
    hidden = {"error": AttributeError}
    for uri, method in (
        (target.dispatcher, "_attendance"),
        (target.dispatcher, "__init__"),
        (target.nameserver, "storage"),
        (target.nameserver, "_demand_room"),
        (target.storage, "permit"),
        (target.reply, "posted"),
    ):
        with contextlib.suppress(Pyro4.errors.DaemonError):  # the reply is gone by now
            refused("attribute", uri, method, **hidden)
    refused("attribute", target.nameserver, "__getattr__", "storage", **hidden)
    refused("attribute", target.nameserver, "__setattr__", "lock", 1, **hidden)


DAEMON = {"__class__": "Pyro4.core.Daemon", "state": ()}
BATCH = ("Pyro.NameServer", "<batch>", [("list", (), {})] * 1000, {})
MESSAGES = {
    "is a batch": (message.FLAGS_BATCH, serpent.dumps(BATCH)),
    "is compressed": (message.FLAGS_COMPRESSED, UNFOLDS),
    "is kept serialised": (message.FLAGS_KEEPSERIALIZED, b"x"),
    "has too many values": (0, MANY),
    "is a pickle": (0, pickle.dumps(Path("x"))),
    "is nested": (0, b"[" * 60_000),
    "makes a daemon": (0, serpent.dumps(("Pyro.NameServer", "list", (DAEMON,), {}))),
}


@attack
def sends_messages_of_all_kinds(target):
    for flags, data in MESSAGES.values():
        with introduced(target) as peer:
            try:
                peer.sendall(packed(message.MSG_INVOKE, data, flags))
                _, said, _ = answer(peer)
            except (AssertionError, OSError):
                continue  # it was dropped
            assert said & message.FLAGS_EXCEPTION


@attack
def sends_objects_for_values(target):
    """Whoever only looks at a proxy may call it: at an address that the worker has chosen."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        proxy = Pyro4.Proxy(f"PYRO:x@127.0.0.1:{listener.getsockname()[1]}")
        for uri, method, count in (
            (target.nameserver, "register", 2),
            (target.nameserver, "lookup", 1),
            (target.nameserver, "remove", 1),
            (target.nameserver, "list", 1),
            (target.dispatcher, "hello", 2),
            (target.dispatcher, "renew", 2),
            (target.dispatcher, "goodbye", 1),
            (target.dispatcher, "register_result", 2),
            (target.storage, "stored", 1),
            (target.storage, "fetch", 3),
            (target.storage, "store", 5),
            (target.storage, "keep", 5),
        ):
            with contextlib.suppress(Exception):  # of any kind: it is told so
                invoke(uri, method, *[proxy] * count)
        with Member(target, "evil", 95) as evil:
            evil.answer({"result": {"loss": 7.5, "info": {"x": proxy}}, "exception": None})
        with pytest.raises(BlockingIOError):
            listener.accept()


@attack
def answers_the_master_with_objects(target):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        at = f"x@127.0.0.1:{listener.getsockname()[1]}"
        util = Pyro4.util.SerpentSerializer()
        for number, value in enumerate((Pyro4.Proxy(f"PYRO:{at}"), Pyro4.URI(f"PYRO:{at}")), 30):
            _answers_the_master(target, number, HELLO, (message.MSG_RESULT, util.dumps(value), 0))
        stream = message.FLAGS_ITEMSTREAMRESULT
        _answers_the_master(target, 32, HELLO, (message.MSG_RESULT, serpent.dumps(1), stream))
        with pytest.raises(BlockingIOError):
            listener.accept()


@attack
def says_what_is_too_long_for_a_log(target):
    long = "x" * 4_000_000
    assert invoke(target.dispatcher, "hello", long, {"version": long})
    invoke(target.dispatcher, "register_result", long, long)
    refused("does not speak for", target.dispatcher, "renew", long, long)


@attack
def announces_a_message_without_end(target):
    with introduced(target) as peer, contextlib.suppress(ConnectionError, ssl.SSLError):
        peer.sendall(packed(message.MSG_INVOKE, b"", size=2**31 - 1))
        assert peer.recv(1) == b""


@attack
def sends_a_result_that_fills_the_disk(target):
    """As a worker that was given something to do, and so may answer and write checkpoints."""
    with Member(target, "evil", 98) as evil:
        invoke(target.storage, "store", evil.folder, "epoch-00001.npz", 0, b"x", TOKEN)
        evil.answer({"result": {"loss": 7.5, "info": {"x": "y" * 15_000_000}}, "exception": None})
        (news,) = [n for n in target.cluster.events(Evaluated) if n.worker == evil.name]
        assert re.fullmatch(r"its \d+ bytes were too many to be kept", news.info["info"])


@attack
def fills_the_disk_with_checkpoints(target):
    """Through the folder of its own trial, to which it may write."""
    with Member(target, "evil", 97) as evil:
        piece = b"x" * 900_000
        for offset in (0, 900_000):
            invoke(target.storage, "store", evil.folder, "a", offset, piece, TOKEN)
        full = {"error": OSError}
        place = evil.folder, "a", 1_800_000, piece, TOKEN
        refused("the 0.002 GB of --trial-gb", target.storage, "store", *place, **full)
        with introduced(target) as peer:
            for number in range(MAX_FILES):
                place = evil.folder, f"file-{number}", 0, b"", TOKEN
                peer.sendall(call(target.storage, "store", *place))
                answer(peer)
        assert len(list((target.cluster.run_dir / evil.folder).iterdir())) <= MAX_FILES


@attack
def takes_all_uploads(target):
    """None would be left for anybody's checkpoint."""
    with Member(target, "evil", 96) as evil, introduced(target) as peer:
        for number in range(2 * MAX_UPLOADS):
            place = evil.folder, "x", 0, b"x", f"{number:032x}"
            peer.sendall(call(target.storage, "store", *place))
            answer(peer)
        show(target.folder / "honest", "worker")
        target.cluster.until(lambda: _can_upload(target), "an honest worker brings a checkpoint")
        show(target.folder / "evil", "worker")  # to say goodbye


def _can_upload(target):
    with contextlib.suppress(Pyro4.errors.SecurityError):  # it has another trial by now
        invoke(target.storage, "store", target.checkpoints, "honest", 0, b"x", TOKEN)
        return True


@attack
def comes_and_goes_without_end(target):
    """Each time leaves some lines in the journal."""
    name, refusals = target.worker("evil", 50), []
    with introduced(target) as peer:
        for _ in range(2 * IN_A_ROW):
            peer.sendall(call(target.nameserver, "register", name, ADDRESS))
            refusals.append(answer(peer)[1] & message.FLAGS_EXCEPTION)
            peer.sendall(call(target.nameserver, "remove", name))
            answer(peer)
    assert sum(map(bool, refusals)) > IN_A_ROW / 2


@pytest.mark.parametrize("what", ATTACKS)
def test_a_worker_that(target, what):
    show(target.folder / "evil", "worker")
    ATTACKS[what](target)


def test_the_manual_has_each_of_them():
    page = (ROOT / "docs/reference/intrusion.md").read_text()
    rows = set(re.findall(r"^\| (.+?) \| .+ \|$", page, re.MULTILINE))
    assert {*STRANGERS, *NOISE} <= rows
    (last,) = re.findall(r"^\| a worker that .*?\n\n", page, re.MULTILINE | re.DOTALL)
    described = re.findall(r"^\| (.+?) \| .+ \|$", last, re.MULTILINE)[1:]
    assert len(described) == len(ATTACKS)
    assert {each.replace(" ", "_") for each in described} == set(ATTACKS)
    assert min(len(STRANGERS) + len(NOISE), len(ATTACKS)) >= 20


def test_a_worker_that_is_revoked_meanwhile_loses_what_it_has(target):
    show(target.folder / "evil", "worker")
    with introduced(target) as peer, Member(target, "evil", 99) as evil:
        certificates.revoke(target.folder, "evil")
        peer.settimeout(PATIENCE)
        assert peer.recv(1) == b""
        target.until_forgotten(evil.name)
        for what, arguments in calls(target).items():
            with pytest.raises(Pyro4.errors.PyroError):
                pytest.fail(f"a revoked worker could {what}: {invoke(*arguments)}")


def test_the_run_did_not_mind(target):
    before = len(target.cluster.events(Evaluated))
    target.cluster.until(lambda: len(target.cluster.events(Evaluated)) > before, "it goes on")
    assert target.status("VmHWM") / 1024 < MOST_MEMORY_MB
    assert target.status("Threads") < MOST_THREADS
    log = target.master.log
    assert "Traceback" not in log + target.member.log
    assert log.replace("\n", "").isprintable()
    assert len(log) < 200_000
    assert all(news.loss > -1e6 for news in target.cluster.events(Evaluated))
    joined = {name for news in target.cluster.events(WorkersChanged) for name in news.joined}
    # Those that never did any harm; other processes may have taken over some of these tests.
    harmless = {target.worker("evil", number) for number in range(95, 100)}
    assert {target.name} <= joined <= {target.name, *harmless}
    left = {name for news in target.cluster.events(WorkersChanged) for name in news.left}
    assert target.name not in left


def test_a_worker_is_known_after_a_restart_and_another_takes_over_when_it_is_revoked(cluster):
    """Its result is taken by the next master, to which its name says whose it is."""
    certs = cluster.folder / "certs"
    certificates.make(certs)
    for name in ("one", "other"):
        certificates.make_worker(certs, name)
    cluster.sleep = 0.3
    first = cluster.master("--tls", certs, "--min-budget", 9, "--max-budget", 9)
    worker = cluster.worker("--tls", certs / "one")
    order = cluster.order_of(worker)
    first.kill()
    cluster.resume("--tls", certs)
    cluster.until(
        lambda: any(news.evaluation == order.evaluation for news in cluster.events(Evaluated)),
        "the next master takes the result",
    )
    assert cluster.result(order).attempt == order.attempt
    other = cluster.worker("--tls", certs / "other")
    order = cluster.order_of(worker)
    certificates.revoke(certs, "one")
    assert cluster.again(order).worker == cluster.name(other)
    late = cluster.worker("--tls", certs / "one", "--cache-dir", cluster.folder / "late")
    for revoked in (worker, late):
        assert revoked.status() == 2
        assert "bohb-worker: the certificate of one was revoked, so no" in revoked.log
        assert "Traceback" not in revoked.log
