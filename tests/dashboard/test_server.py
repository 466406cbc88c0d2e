"""What strangers can do to the process that serves, and what every answer forbids a browser."""

import re
import socket

import psutil
import pytest
from helpers.commands import wait_until

pytestmark = pytest.mark.loopback

STRICT = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def test_the_head_of_a_page_has_no_body(here):
    with socket.create_connection(here.place, timeout=60) as connection:
        connection.sendall(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.0 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n")
    assert answer.count(b"\r\n\r\n") == 1


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
