"""The live view: who may look, at what, and that it can neither stall nor end a search."""

import re
import signal
import socket
import ssl

import psutil
import pytest
from helpers.commands import PROGRAMS, TOY, free_port, processes, refused, wait_until
from helpers.dashboards import WORKER, shown
from helpers.journals import news, order

from bohb_seg.dashboard import TOKEN, Dashboard
from bohb_seg.errors import SettingsError
from bohb_seg.rpc import certificates
from bohb_seg.search.events import (
    BracketFinished,
    Discard,
    Finish,
    Settled,
    StopRequested,
    WorkersChanged,
)
from bohb_seg.settings import SearchSettings, merge
from bohb_seg.storage import journal
from bohb_seg.storage.journal import RunResumed
from bohb_seg.trials import TrialId

pytestmark = pytest.mark.loopback

SECRET = "correct-horse-battery"
STRICT = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Served on loopback."""
    with shown(tmp_path_factory.mktemp("here")) as its:
        yield its


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates") / "ours"
    certificates.make(folder)
    return folder


@pytest.fixture(scope="module")
def away(tmp_path_factory, certs):
    """Served on every address, as in a container whose port is published."""
    trust = ssl.create_default_context(cafile=str(certs / "ca.pem"))
    with shown(tmp_path_factory.mktemp("away"), "0.0.0.0:0", tls=certs, trust=trust) as its:
        yield its


# --- what is shown ---------------------------------------------------------------------------


def test_the_report_is_that_of_bohb_report_and_leaves_the_run_directory_alone(here):
    page = here.get().text
    assert "<h1>demo</h1>" in page
    assert "data:image/png;base64," in page
    assert 'id="live"' in page
    assert not (here.run_dir / "report").exists()


def test_a_page_that_has_not_changed_is_not_sent_again(here):
    for path in ("/", "/journal"):
        first = here.get(path)
        again = here.get(path, If_None_Match=first.headers["ETag"])
        assert (again.status, again.text) == (304, "")
        assert here.get(path, If_None_Match='"older"').status == 200


def test_the_head_of_a_page_has_no_body(here):
    with socket.create_connection(here.place, timeout=60) as connection:
        connection.sendall(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.0 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n")
    assert answer.count(b"\r\n\r\n") == 1


def test_every_entry_of_the_journal_is_a_line(tmp_path):
    with shown(tmp_path) as its:
        first = order((1, 0, 0), 9, WORKER, attempt=2)
        crash = news((1, 0, 0), 9, None, WORKER, outcome="crashed")
        hostile = StopRequested("<script>alert(1)</script> & more")
        its.record(first, crash, RunResumed(), WorkersChanged(joined=("b",), left=(WORKER,)))
        its.record(Settled(first.evaluation, 2, WORKER), Discard(TrialId(1, 0, 0)))
        its.record(BracketFinished(1), hostile, Finish("all is done"))
        page = its.get("/journal").text
    texts = re.findall(r'<p class="line (\w+)".*?<span>(.*?)</span>', page)
    expected = [
        ("news", "finished: all is done"),
        ("news", "no new configurations: &lt;script&gt;alert(1)&lt;/script&gt; &amp; more"),
        ("news", "bracket 1: finished"),
        ("order", "trial 1-0-0: goes no further"),
        ("order", "trial 1-0-0 after 9 epochs: settled by attempt 2"),
        ("bad", "worker alpha.101 left; worker b joined"),
        ("news", "a new master goes on with the run"),
        ("bad", "trial 1-0-0 after 9 epochs: crashed (ValueError: crashed)"),
        ("order", "trial 1-0-0 after 9 epochs: given to alpha.101, attempt 2"),
        ("order", "trial 0-0-1 after 3 epochs: settled by attempt 1"),
        ("news", "trial 0-0-1 after 3 epochs: loss 0.3333"),
        ("order", "trial 0-0-1 after 3 epochs: given to alpha.101"),
    ]
    assert texts[: len(expected)] == expected
    assert texts[-2:] == [("news", "worker alpha.101 joined"), ("news", "run demo begins")]
    assert "<span>finished</span>" in page


def test_the_report_follows_the_journal(tmp_path):
    with shown(tmp_path) as its:
        before = its.get()
        its.train(2, 3)
        wait_until(lambda: its.get().headers["ETag"] != before.headers["ETag"])
        assert "<strong>2</strong><span>evaluations" in before.text
        assert "<strong>4</strong><span>evaluations" in its.get().text


def test_a_journal_that_cannot_be_read_is_told_and_the_last_report_stays(tmp_path):
    with shown(tmp_path) as its:
        its.get()
        whole = its.record.path.read_bytes()
        its.record.path.write_bytes(whole + b"{}\n")
        wait_until(lambda: "the report cannot be made now" in its.get().text)
        assert "<h1>demo</h1>" in its.get().text
        number = whole.count(b"\n") + 1
        assert f"events.jsonl, line {number}" in its.get("/journal").text
        its.record.path.write_bytes(whole)
        wait_until(lambda: "the report cannot be made now" not in its.get().text)
        assert "trial 0-0-1" in its.get("/journal").text


# --- who may look ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 200),
        ("127.0.0.1", 200),
        ("127.1.2.3:1", 200),
        ("[::1]:8000", 200),
        ("evil.example", 403),
        ("evil.example:8000", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("192.0.2.1", 403),
        ("[::1", 400),
        ("", 403),
    ],
)
def test_on_loopback_this_machine_must_be_called_by_its_own_name(here, host, status):
    for path in ("/", "/journal"):
        answer = here.get(path, Host=host)
        assert answer.status == status
        assert ("demo" in answer.text) == (status == 200)


def test_elsewhere_nothing_is_told_without_the_link(away):
    for path in ("/", "/journal", "/nothing", "/?token=", "/?token=guess", "/journal?token=a%00"):
        answer = away.get(path)
        assert answer.status == 403
        assert "demo" not in answer.text
        assert "Set-Cookie" not in answer.headers
    for cookie in ("bohb-demo=", "bohb-demo=guess", f"bohb-other={away.token}", away.token):
        assert away.get(Cookie=cookie).status == 403


def test_the_link_gives_a_cookie_that_scripts_and_other_sites_cannot_use(away):
    assert re.fullmatch(r"https://127\.0\.0\.1:\d+/\?token=[\w-]{32}", away.link)
    answer = away.get(f"/?token={away.token}")
    cookie, *flags = answer.headers["Set-Cookie"].split("; ")
    assert answer.status == 200
    assert set(flags) == {"Path=/", "HttpOnly", "SameSite=Strict", "Secure"}
    for path in ("/", "/journal"):
        assert away.get(path, Cookie=f"other=1; {cookie}; more=2").status == 200
    assert away.get("/nothing", Cookie=cookie).status == 404


def test_the_secret_is_where_only_its_owner_sees_it(away):
    child = psutil.Process(away.process.pid)
    assert away.token not in " ".join(child.cmdline())
    assert away.token not in str(child.environ())
    away.get(f"/?token={away.token}")
    for file in away.run_dir.rglob("*"):
        assert file.is_dir() or away.token not in file.read_text()


def test_without_certificates_the_link_needs_them_not(tmp_path, caplog):
    environment = {TOKEN: SECRET}
    with shown(tmp_path, "0.0.0.0:0", environment, insecure=True) as its:
        assert its.link.startswith("http://127.0.0.1:")
        assert SECRET not in its.link  # whoever chose it need not read it in a log
        assert its.get().status == 403
        answer = its.get(f"/?token={SECRET}", Host="any.name.example")
        assert answer.status == 200
        assert "Secure" not in answer.headers["Set-Cookie"]
    assert "--insecure" in caplog.text


def test_a_secret_that_was_given_is_demanded_on_loopback_too(tmp_path):
    with shown(tmp_path, environment={TOKEN: SECRET}) as its:
        assert its.get().status == 403
        assert its.get(f"/?token={SECRET}").status == 200


@pytest.mark.parametrize(
    "path", ["/events.jsonl", "/report/", "/../run/events.jsonl", "//", "/%2e"]
)
def test_there_is_nothing_else(here, path):
    answer = here.get(path)
    assert answer.status == (200 if path == "//" else 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT"])
def test_nothing_can_be_changed(here, method):
    assert here.get(method=method).status == 501


def test_every_answer_is_strict(here):
    answers = [here.get(), here.get("/journal"), here.get("/no"), here.get(method="POST")]
    answers.append(here.get(Host="evil.example"))
    assert [answer.status for answer in answers] == [200, 200, 404, 501, 403]
    for answer in answers:
        assert {name: answer.headers[name] for name in STRICT} == STRICT
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Server"] == "bohb-seg"


def test_only_marked_scripts_may_run(here):
    answer = here.get()
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", answer.headers["Content-Security-Policy"])[1]
    assert answer.text.count(f'<script nonce="{nonce}">') == answer.text.count("<script") == 1
    assert answer.text.count(f'<style nonce="{nonce}">') == 2
    assert "<style>" not in answer.text
    assert nonce not in here.get().text


# --- what strangers can do -------------------------------------------------------------------


@pytest.mark.parametrize("served", ["here", "away"])
def test_silence_and_slowness_stall_nobody_and_are_ended(served, request):
    its = request.getfixturevalue(served)
    place, cookie = its.place, f"bohb-demo={its.token}"
    silent = [socket.create_connection(place) for _ in range(200)]
    slow = socket.create_connection(place)
    try:
        for path in ("/", "/journal"):
            assert its.get(path, Cookie=cookie).status == 200
        open_files = psutil.Process(its.process.pid).num_fds()
        assert open_files < 150
        slow = its.tls.wrap_socket(slow, server_hostname="127.0.0.1") if its.tls else slow
        slow.settimeout(0.2)
        letters = iter(b"GET / HTTP/1.1\r\nX-Slow: " + 10_000 * b"a")
        wait_until(lambda: not dripped(slow, next(letters)))
        assert its.get(Cookie=cookie).status == 200
    finally:
        for connection in [*silent, slow]:
            connection.close()


def dripped(connection, letter):
    """Sends one letter; whether the other side is still there."""
    try:
        connection.send(bytes([letter]))
        return connection.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x00" * 100_000,
        b"GET / HTTP/1.1\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 10_000 + b"\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /?" + b"a=1&" * 1000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_rubbish_gets_no_page_and_no_traceback(here, rubbish):
    with socket.create_connection(here.place, timeout=60) as connection:
        try:
            connection.sendall(rubbish)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(1000)
        except OSError:
            answer = b""
    assert b"200 OK" not in answer
    assert here.get().status == 200
    assert "Traceback" not in (here.run_dir / "logs/dashboard.log").read_text()


# --- bad input -------------------------------------------------------------------------------


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


# --- beside a search -------------------------------------------------------------------------


SLOW = (*TOY, "--space", PROGRAMS / "slow_space.py", "--local-workers", 1, "--port", 0)


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


def test_a_stopped_dashboard_stalls_nothing(tmp_path):
    flags = (*SLOW, "--n-iterations", 1, "--run-dir", "run", "--dashboard", 0)
    with processes(tmp_path) as started:
        master = started.start("bohb_seg.commands.master", *flags)
        begun(started, master)
        child = process_of(master)
        child.suspend()
        started.finish(master)
        wait_until(lambda: not child.is_running())
