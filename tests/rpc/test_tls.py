"""Who may be at the other end, and which files make us believe it."""

import shutil
import ssl
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import Pyro4
import pytest
from helpers.daemons import SOON, until
from helpers.identities import forged
from Pyro4 import socketutil

from bohb_seg.errors import SettingsError
from bohb_seg.rpc import certificates, pyro, tls
from bohb_seg.rpc.daemon import Daemon, serve_in_background
from bohb_seg.rpc.holders import Holder

OWN = "hpbandster.run_a.worker.~one.host.1.0"


@pytest.fixture
def folder(made, tmp_path):
    """A copy to be damaged; TLS is off again afterwards."""
    copy = tmp_path / "certificates"
    shutil.copytree(made, copy)
    yield copy
    pyro.set_up_pyro()


@pytest.fixture
def other(tmp_path, monkeypatch):
    """Another authority, which even calls itself like ours."""
    subject = certificates._subject
    ours = subject("bohb-seg authority")
    monkeypatch.setattr(
        certificates, "_subject", lambda name, *unit: subject(name, *unit) if unit else ours
    )
    certificates.make(tmp_path / "other")
    return tmp_path / "other"


class Greeter:
    @Pyro4.expose
    def greet(self):
        return "hello"


@pytest.fixture
def greeter(folder):
    """Serves with the certificate of a worker."""
    pyro.set_up_pyro(folder, "worker")
    daemon = Daemon("127.0.0.1", admits=("worker",))
    uri = str(daemon.register(Greeter(), "greeter"))
    serve_in_background(daemon, "greeter")
    yield uri
    daemon.shutdown()


def test_both_sides_are_encrypted_and_known(greeter):
    with pyro.proxy(greeter, of="worker") as remote:
        assert remote.greet() == "hello"
        assert remote._pyroConnection.sock.version() in ("TLSv1.2", "TLSv1.3")


def test_a_worker_cannot_pose_as_the_master(greeter):
    with pyro.proxy(greeter, of="master") as remote:
        for _ in range(2):
            with pytest.raises(Pyro4.errors.SecurityError, match="of a worker, not of the master"):
                remote._pyroInvoke("greet", (), {})
        assert remote._pyroConnection is None


def test_a_server_of_another_authority_is_no_peer(greeter, other):
    serving = tls._tls
    pyro.set_up_pyro(other, "worker")
    ours = vars(socketutil)["__ssl_client_context"]
    tls._tls = serving
    vars(socketutil)["__ssl_client_context"] = ours
    remote = pyro.proxy(greeter, of="worker")
    with pytest.raises(Pyro4.errors.CommunicationError, match="certificate"):
        remote._pyroBind()


def test_a_certificate_of_another_authority_is_no_certificate(greeter, other):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(other / "worker.pem", other / "worker.key")
    vars(socketutil)["__ssl_client_context"] = context
    remote = pyro.proxy(greeter, of="worker")
    with pytest.raises(Pyro4.errors.CommunicationError):
        remote._pyroBind()


def test_what_openssl_believes_is_not_enough(greeter, folder, other, caplog):
    """Even with another authority among those that are trusted, only ours counts."""
    tls._tls.server.load_verify_locations(other / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(other / "worker.pem", other / "worker.key")
    vars(socketutil)["__ssl_client_context"] = context
    remote = pyro.proxy(greeter, of="worker")
    with pytest.raises(Pyro4.errors.CommunicationError):
        remote._pyroBind()
    assert "not one of ours" in caplog.text


def test_a_worker_is_known_by_its_own_name(greeter, folder):
    with pyro.proxy(greeter, of="worker", worker=OWN) as remote:
        with pytest.raises(Pyro4.errors.SecurityError, match="of another worker than"):
            remote._pyroInvoke("greet", (), {})
        assert remote._pyroConnection is None
    pyro.set_up_pyro(folder / "one", "worker")
    assert tls.own() == Holder("worker", "one")
    daemon = Daemon("127.0.0.1", admits=("worker",))
    uri = str(daemon.register(Greeter(), "greeter"))
    serve_in_background(daemon, "greeter")
    with pyro.proxy(uri, of="worker", worker=OWN) as remote:
        assert remote.greet() == "hello"
    daemon.shutdown()


def test_who_is_revoked_is_cut_off_and_stays_out(greeter, folder, caplog):
    """In a second on both sides: where it is served, and where it is called."""
    remote = pyro.proxy(greeter, of="worker")
    assert remote.greet() == "hello"
    certificates.revoke(folder, "one")
    assert remote.greet() == "hello"
    certificates.revoke(folder, "worker")
    connection = remote._pyroConnection.sock
    connection.settimeout(SOON)
    assert connection.recv(1) == b"", "the server has not ended the connection"
    with pytest.raises(Pyro4.errors.SecurityError, match="worker was revoked"):
        remote.greet()
    with pytest.raises(Pyro4.errors.CommunicationError, match=r"rejected: .*worker was revoked"):
        remote.greet()
    until(lambda: "dropped 127.0.0.1: the certificate of worker was revoked" in caplog.text)
    (folder / tls.REVOKED).unlink()
    assert remote.greet() == "hello"


CALLER = """
import sys
from pathlib import Path
from bohb_seg.rpc import pyro
pyro.set_up_pyro(Path(sys.argv[1]), "worker")
try:
    pyro.proxy(sys.argv[2], of="master").greet()
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("role", ["master", "worker"])
def test_only_the_master_is_believed_that_our_certificate_is_over(folder, role):
    """Another worker that gets between us and the master could say so, too."""
    pyro.set_up_pyro(folder, role)
    certificates.revoke(folder, "one")
    daemon = Daemon("127.0.0.1", admits=("worker",))
    uri = str(daemon.register(Greeter(), "greeter"))
    serve_in_background(daemon, "greeter")
    command = [sys.executable, "-c", CALLER, str(folder / "one"), uri]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    daemon.shutdown()
    if role == "master":
        assert said.startswith("CertificateOverError the certificate of one was revoked, so no")
    else:
        assert said.startswith("CommunicationError connection to")
        assert "the certificate of one was revoked" in said


def test_a_worker_whose_certificate_expires_meanwhile_does_not_try_for_ever(folder):
    pyro.set_up_pyro(folder / "one", "worker")
    remote = pyro.proxy("PYRO:x@127.0.0.1:1")
    with pytest.raises(Pyro4.errors.CommunicationError) as error:
        remote._pyroBind()
    assert not isinstance(error.value, tls.CertificateOverError)
    tls._tls = replace(tls._tls, until=datetime(2026, 1, 31, tzinfo=UTC))
    for call in (remote._pyroBind, lambda: remote.greet()):
        with pytest.raises(tls.CertificateOverError, match="of one expired on 2026-01-31, so no"):
            call()


def test_no_public_authority_is_trusted(folder):
    pyro.set_up_pyro(folder, "master")
    for side in ("client", "server"):
        context = socketutil.getSSLcontext(**{f"{side}cert": str(folder / "master.pem")})
        assert len(context.get_ca_certs()) == 1
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_without_certificates_nothing_is_encrypted(folder):
    pyro.set_up_pyro(folder, "master")
    pyro.set_up_pyro()
    daemon = Daemon("127.0.0.1", admits=())
    uri = str(daemon.register(Greeter(), "greeter"))
    serve_in_background(daemon, "greeter")
    with pyro.proxy(uri) as remote:
        assert remote.greet() == "hello"
    daemon.shutdown()


def swap(folder, one, two):
    (folder / one).write_bytes((folder / two).read_bytes())


damages = {
    "no authority": (lambda f: (f / "ca.pem").unlink(), "ca.pem cannot be read .No such file"),
    "no certificate": (lambda f: (f / "master.pem").unlink(), "master.pem cannot be read"),
    "no key": (lambda f: (f / "master.key").unlink(), "master.key cannot be read"),
    "a folder": (lambda f: (f / "ca.pem").unlink() or (f / "ca.pem").mkdir(), "a folder"),
    "no PEM": (lambda f: (f / "ca.pem").write_text("hello"), "ca.pem is no certificate"),
    "another's key": (lambda f: swap(f, "master.key", "worker.key"), "master.key is not the key"),
    "no key inside": (lambda f: (f / "master.key").write_text(""), "master.key is not the key"),
    "a worker's": (
        lambda f: [swap(f, f"master.{end}", f"worker.{end}") for end in ("pem", "key")],
        "master.pem is the certificate of a worker, not of a master",
    ),
    "the authority's": (lambda f: swap(f, "master.pem", "ca.pem"), "neither master nor worker"),
}


@pytest.mark.parametrize(("damage", "sentence"), damages.values(), ids=damages)
def test_files_that_cannot_be_used(folder, damage, sentence):
    damage(folder)
    with pytest.raises(SettingsError, match=sentence) as refusal:
        pyro.set_up_pyro(folder, "master")
    assert "bohb-certs" in str(refusal.value)


def test_files_of_two_authorities(folder, other):
    shutil.copy(other / "ca.pem", folder / "ca.pem")
    with pytest.raises(SettingsError, match=r"master\.pem was not issued by the ca\.pem beside it"):
        pyro.set_up_pyro(folder, "master")


def test_files_out_of_their_time(tmp_path, monkeypatch):
    certificates.make(tmp_path / "old", days=0)
    with pytest.raises(SettingsError, match=r"ca.pem expired on \d{4}-\d\d-\d\d; make new ones"):
        pyro.set_up_pyro(tmp_path / "old", "worker")
    monkeypatch.setattr(certificates, "CLOCK_SKEW", -timedelta(days=2))
    certificates.make(tmp_path / "early")
    with pytest.raises(SettingsError, match=r"valid only from .* clock right"):
        pyro.set_up_pyro(tmp_path / "early", "worker")


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("worker", "master"),
        ("worker", "name:a", "name:b"),
        ("master", "name:a"),
        ("worker", "name:worker"),
        ("worker", "name:a.b"),
        ("worker", "name:"),
        ("name:a",),
    ],
)
def test_a_certificate_must_say_clearly_whose_it_is(made, tmp_path, names):
    """Even one that our authority has signed."""
    forged(tmp_path / "odd", made, *names)
    shutil.copy(made / "ca.pem", tmp_path / "odd")
    with pytest.raises(SettingsError, match="for neither master nor worker"):
        tls.check(tmp_path / "odd", "worker")


def test_a_revoked_certificate_is_not_even_shown(folder):
    certificates.revoke(folder, "worker")
    tls.check(folder, "master")
    with pytest.raises(SettingsError, match=r"worker.pem is refused, because .*revoked.txt names"):
        tls.check(folder, "worker")
