"""The port, the secret, and a process that can neither stall nor end a search."""

import re
import shutil
import signal
import socket
import sys

import psutil
import pytest
from helpers.commands import PROGRAMS, TOY, free_port, processes, refused, wait_until

from bohb_seg.dashboard.launcher import TOKEN, Dashboard
from bohb_seg.errors import SettingsError
from bohb_seg.settings import SearchSettings, merge
from bohb_seg.storage import journal

pytestmark = pytest.mark.loopback

SLOW = (*TOY, "--space", PROGRAMS / "slow_space.py", "--local-workers", 1, "--port", 0)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--dashboard", "many"), ("--dashboard many", "port")),
        (("--dashboard", ":8000"), ("--dashboard :8000", "host:port")),
        (("--dashboard", "65536"), ("--dashboard 65536", "port")),
        (("--dashboard", "192.0.2.1:8000"), ("192.0.2.1:8000", "--tls", "--insecure")),
        (("--dashboard", "0.0.0.0:0"), ("0.0.0.0:0", "--tls", "--insecure")),
        (("--dashboard", "[::]:0"), ("[::]:0", "--tls", "--insecure")),
        (("--dashboard", "no-such-host.invalid:0"), ("no-such-host.invalid", "cannot be served")),
        (("--dashboard", "192.0.2.1:0", "--insecure"), ("192.0.2.1:0", "cannot be served")),
    ],
)
def test_bad_addresses(tmp_path, monkeypatch, flags, words):
    monkeypatch.chdir(tmp_path)
    sentence = refused("bohb_seg.commands.master", *TOY, *flags, "--port", 0)
    for word in words:
        assert word in sentence
    assert not (tmp_path / "results").exists()


def test_a_used_port_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = refused("bohb_seg.commands.master", *TOY, "--dashboard", port, "--port", 0)
    assert f"--dashboard {port} cannot be served (Address already in use)" in sentence
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("secret", ["short", "with spaces in between", "semi;colons;in;between"])
def test_a_secret_must_fit_into_a_link(secret):
    with pytest.raises(SettingsError, match=TOKEN):
        Dashboard(SearchSettings(dashboard="0"), {TOKEN: secret})


def test_a_file_may_have_the_port_as_a_number(tmp_path):
    (tmp_path / "run.yaml").write_text("dashboard: 8000\n")
    assert merge(SearchSettings, {}, tmp_path / "run.yaml", {}).dashboard == "8000"


def test_the_secret_is_where_only_its_owner_sees_it(away):
    child = psutil.Process(away.process.pid)
    assert away.token not in " ".join(child.cmdline())
    assert away.token not in str(child.environ())
    away.get(f"/?token={away.token}")
    for file in away.run_dir.rglob("*"):
        assert file.is_dir() or away.token not in file.read_text()


def process_of(master):
    """The dashboard's process."""
    children = psutil.Process(master.pid).children()
    living = [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
    return next(child for child in living if "bohb_seg.commands.dashboard" in child.cmdline())


def begun(started, master):
    wait_until(lambda: "the live report is at" in started.log(master))
    return re.search(r"live report is at http://(127.0.0.1):(\d+)/", started.log(master)).groups()


def interrupted(started, master):
    """Ends a search that is long enough; what was said."""
    master.send_signal(signal.SIGINT)
    assert master.wait(120) == 3, started.log(master)
    return started.log(master)


def get(place, path="/"):
    import urllib.request

    with urllib.request.urlopen("http://{}:{}".format(*place) + path, timeout=60) as answer:
        return answer.read().decode()


def test_a_search_goes_on_without_its_dashboard(tmp_path):
    flags = (*SLOW, "--n-iterations", 1000, "--run-dir", "run", "--dashboard", 0)
    events = tmp_path / "run/events.jsonl"
    with processes(tmp_path) as started:
        master = started.start("bohb_seg.commands.master", *flags)
        place = begun(started, master)
        wait_until(lambda: "loss" in get(place, "/journal"))
        first = get(place)
        wait_until(lambda: get(place) != first and "<h1>" in get(place))
        assert not (tmp_path / "run/report").exists()
        child = process_of(master)
        child.kill()
        wait_until(lambda: "the dashboard ended with status -9" in started.log(master))
        seen = len(journal.read(events))
        wait_until(lambda: len(journal.read(events)) > seen)
        log = interrupted(started, master)
    assert log.count("the dashboard ended") == 1
    assert (tmp_path / "run/report/report.html").exists()


def test_a_killed_master_takes_its_dashboard_along_and_the_next_one_shows_the_same_run(tmp_path):
    port = free_port()
    flags = (*SLOW, "--n-iterations", 1000, "--run-dir", "run")
    with processes(tmp_path) as started:
        master = started.start("bohb_seg.commands.master", *flags, "--dashboard", port)
        begun(started, master)
        child = process_of(master)
        wait_until(lambda: "loss" in get(("127.0.0.1", port), "/journal"))
        child.suspend()  # it cannot see that its pipe is closed: the kernel ends it
        master.kill()
        master.wait()
        wait_until(lambda: not child.is_running())
        again = ("--resume", "--run-dir", "run", "--port", 0)
        # The same port in other words: a setting that each start has for itself.
        master = started.start(
            "bohb_seg.commands.master", *again, "--dashboard", f"127.0.0.1:{port}"
        )
        place = begun(started, master)
        wait_until(lambda: "a new master goes on with the run" in get(place, "/journal"))
        child = process_of(master)
        interrupted(started, master)
        wait_until(lambda: not child.is_running())


def test_a_dashboard_that_ends_at_once_is_only_told_of(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    settings = SearchSettings(run_id="r", run_dir=tmp_path, dashboard="0")
    with Dashboard(settings) as dashboard:
        dashboard.start()
        wait_until(lambda: dashboard.look_after() or "status 1" in caplog.text)
    with Dashboard(settings) as dashboard:  # also where nobody has looked after it
        dashboard.start()
        dashboard._process.wait()
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with Dashboard(settings) as dashboard:
        dashboard.start()
        dashboard.look_after()
    assert "could not be started ([Errno 2] No such file" in caplog.text


def test_a_stopped_dashboard_stalls_nothing(tmp_path):
    flags = (*SLOW, "--n-iterations", 1, "--run-dir", "run", "--dashboard", 0)
    with processes(tmp_path) as started:
        master = started.start("bohb_seg.commands.master", *flags)
        begun(started, master)
        child = process_of(master)
        child.suspend()
        started.finish(master)
        wait_until(lambda: not child.is_running())
