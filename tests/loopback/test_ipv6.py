"""Whole runs at addresses of IPv6, with and without TLS and a nameserver of their own."""

import contextlib
import socket

import pytest
from helpers.commands import TOY, free_port, processes, run, wait_until

from bohb_seg.rpc import certificates, speakers
from bohb_seg.search.events import Evaluated
from bohb_seg.storage import journal


def _listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("::1", port), timeout=5):
        return True
    return False


def _is_missing():
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return False
    return True


pytestmark = [
    pytest.mark.loopback,
    pytest.mark.skipif(_is_missing(), reason="this machine has no IPv6, not even of its own"),
]

SHORT = (*TOY, "--n-iterations", 1, "--run-id", "six")


def served(folder):
    """Workers that did something."""
    entries = journal.read(folder / "results/six/events.jsonl")
    return {entry.event.worker for entry in entries if isinstance(entry.event, Evaluated)}


def test_a_local_worker_finds_a_master_of_ipv6(tmp_path):
    flags = ("--host", "::1", "--port", 0, "--local-workers", 1)
    done = run("bohb_seg.commands.master", *SHORT, *flags, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "more workers join with 'bohb-worker --host ::1 --port" in done.stderr
    assert len(served(tmp_path)) == 1


def test_a_worker_of_its_own_certificate_serves_over_ipv6(tmp_path):
    certificates.make(tmp_path / "certs")
    certificates.make_worker(tmp_path / "certs", "node-7")
    port = free_port()
    with processes(tmp_path) as started:
        where = ("--host", "[::1]", "--port", port)
        flags = ("--local-workers", 0, "--tls", "certs")
        master = started.start("bohb_seg.commands.master", *SHORT, *where, *flags)
        own = ("--tls", "certs/node-7", "--worker", "toy")
        worker = started.start("bohb_seg.commands.worker", *where, *own)
        started.finish(master)
        started.finish(worker)
    (name,) = served(tmp_path)
    assert speakers.owner(name) == "node-7"
    again = run("bohb_seg.commands.master", "--resume", "--run-dir", "results/six", folder=tmp_path)
    assert again.returncode == 0, again.stderr
    assert f"join with 'bohb-worker --host ::1 --port {port} --run-id" in again.stderr
    assert "--tls certs'" in again.stderr, "a resumed run forgets no flag"


def test_a_nameserver_of_ipv6_joins_both(tmp_path):
    port = free_port()
    with processes(tmp_path) as started:
        started.start("Pyro4.naming", "--host", "::1", "--port", port, "--nobc")
        wait_until(lambda: _listens(port))
        flags = ("--host", "::1", "--nameserver", f"[::1]:{port}", "--local-workers", 0)
        master = started.start("bohb_seg.commands.master", *SHORT, *flags)
        where = ("--host", "::1", "--port", port, "--bind", "::1", "--worker", "toy")
        worker = started.start("bohb_seg.commands.worker", *where)
        started.finish(master)
        started.finish(worker)
    assert len(served(tmp_path)) == 1
