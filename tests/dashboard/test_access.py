"""Who may look at a dashboard on loopback, and elsewhere."""

import re

import pytest
from helpers.dashboards import SECRET, shown

from bohb_seg.dashboard.launcher import TOKEN

pytestmark = pytest.mark.loopback


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
