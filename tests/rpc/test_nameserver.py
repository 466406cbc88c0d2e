"""Who may change which name, and what a name may be."""

import Pyro4
import pytest
from helpers.identities import show

from bohb_seg.rpc import nameserver
from bohb_seg.rpc.names import NAMESERVER
from bohb_seg.rpc.nameserver import NameServer

WORKER = "hpbandster.run_a.b.worker.host.1.0"

ADDRESS = "PYRO:x@127.0.0.1:9999"


def test_names_are_registered_listed_and_removed(service):
    with service.names() as names:
        names.register(WORKER, ADDRESS)
        names.register("hpbandster.run_a.b.dispatcher", Pyro4.URI(ADDRESS))
        assert names.list(prefix="hpbandster.run_a.b.worker.") == {WORKER: ADDRESS}
        assert str(names.lookup("hpbandster.run_a.b.dispatcher")) == ADDRESS
        assert (names.remove(WORKER), names.remove(WORKER), names.count()) == (1, 0, 1)
        with pytest.raises(Pyro4.errors.NamingError, match="already"):
            names.register("hpbandster.run_a.b.dispatcher", ADDRESS, safe=True)


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("n", "nonsense"),
        ("n", "PYRONAME:other"),
        ("n", "PYRO:x@./u:socket"),
        ("n", "PYRO:x@host:0"),
        ("n", "PYRO:x@host:99999"),
        ("n", f"PYRO:{'x' * 300}@host:1"),
        ("n", ["PYRO:x@host:1"]),
        ("n" * 301, ADDRESS),
        ("a b", ADDRESS),
        ("a\n", ADDRESS),
        ("a\x1b]0;x\x07", ADDRESS),
        ("n", "PYRO:a\x1bb@host:1"),
        (7, ADDRESS),
        (None, ADDRESS),
    ],
)
def test_only_sound_names_and_addresses_are_kept(service, name, uri):
    with service.names() as names:
        with pytest.raises(ValueError, match=r"expected|address"):
            names.register(name, uri)
        assert names.list() == {}


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("remove", {"prefix": "hpbandster"}),
        ("remove", {"regex": ".*"}),
        ("list", {"regex": "(a+)+$"}),
        ("set_metadata", {"name": WORKER, "metadata": ["x"]}),
        ("register", {"name": "n", "uri": ADDRESS, "metadata": ["x"]}),
    ],
)
def test_what_nobody_may_do_from_outside(service, method, arguments):
    with service.names() as names:
        names.register(WORKER, ADDRESS)
        with pytest.raises(Pyro4.errors.SecurityError):
            getattr(names, method)(**arguments)
    with service.names() as names:
        assert names.list() == {WORKER: ADDRESS}


def test_names_are_bounded_in_number(service, monkeypatch):
    monkeypatch.setattr(nameserver, "MAX_NAMES", 2)
    with service.names() as names:
        names.register("a", ADDRESS)
        names.register("b", ADDRESS)
        with pytest.raises(Pyro4.errors.NamingError, match="2 names"):
            names.register("c", ADDRESS)
        names.register("b", ADDRESS)


def test_our_own_calls_are_not_restricted():
    names = NameServer()
    names.register("anything", ADDRESS)
    assert names.remove(prefix="any") == 1


def test_a_worker_may_register_workers_only(as_worker):
    others = ("hpbandster.run_a.b.dispatcher", "Pyro.NameServer", "anything")
    posing = "hpbandster.run_a.b.dispatcher.worker.x"  # HpBandSter asks for this beginning
    for name in (*others, posing):
        for method, arguments in (("register", (name, ADDRESS)), ("remove", (name,))):
            call = getattr(as_worker.names(of="worker"), method)
            with pytest.raises(Pyro4.errors.SecurityError, match="a worker may"):
                call(*arguments)
    with as_worker.names(of="worker") as names:
        names.register(WORKER, ADDRESS)
        assert names.list() == {WORKER: ADDRESS}
        assert names.remove(WORKER) == 1


MINE = "hpbandster.run_a.b.worker.~one.host.1.0"


def test_a_worker_changes_its_own_names_only(as_one, made):
    def refused(method, *arguments):
        with pytest.raises(Pyro4.errors.SecurityError, match="does not speak for"):
            getattr(as_one.names(of="worker"), method)(*arguments)

    as_one.names(of="worker").register(MINE, ADDRESS)
    for worker in (WORKER, MINE.replace("~one", "~other")):
        refused("register", worker, ADDRESS)
    for folder in (made / "other", made):
        show(folder, "worker")
        refused("register", MINE, "PYRO:mine@127.0.0.1:1")
        refused("remove", MINE)
        assert as_one.names(of="worker").list() == {MINE: ADDRESS}
    show(made / "one", "worker")
    assert as_one.names(of="worker").remove(MINE) == 1


def test_a_worker_cannot_come_and_go_without_end(as_one):
    with as_one.names(of="worker") as mine:
        for _ in range(nameserver.IN_A_ROW):
            mine.register(MINE, ADDRESS)
            mine.register(MINE, ADDRESS)  # it is there
            mine.remove(MINE)

        def go_on():
            for _ in range(100):
                mine.register(MINE, ADDRESS)
                mine.remove(MINE)

        with pytest.raises(Pyro4.errors.NamingError, match="one registers too many names"):
            go_on()
        served = as_one.daemon.objectsById[NAMESERVER]
        used, then = served._used["one"]
        served._used["one"] = used, then - 9.0
        mine.register(MINE, ADDRESS)
        mine.remove(MINE)


def test_a_worker_has_so_many_names_and_no_more(as_one, monkeypatch):
    monkeypatch.setattr(nameserver, "MAX_OF_ONE", 2)
    with as_one.names(of="worker") as mine:
        for number in range(2):
            mine.register(f"{MINE}{number}", ADDRESS)
        with pytest.raises(Pyro4.errors.NamingError, match="one has 2 names already"):
            mine.register(f"{MINE}3", ADDRESS)
        mine.register(f"{MINE}1", "PYRO:other@127.0.0.1:1")
