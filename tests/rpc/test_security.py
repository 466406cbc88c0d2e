"""What may cross the wire, and who may be at its other end."""

import json
import math
import resource
import shutil
import ssl
import subprocess
import sys
from datetime import timedelta

import numpy as np
import Pyro4
import pytest
import serpent
from hypothesis import given, settings
from hypothesis import strategies as st
from Pyro4 import socketutil

from bohb_seg import machine
from bohb_seg.errors import SettingsError
from bohb_seg.rpc import certificates, pyro, tls, values
from bohb_seg.rpc.daemon import Daemon, serve_in_background

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.integers(0, 4_000).map(lambda bits: 1 << bits)
    | st.text(st.characters(codec=None), max_size=3)
    | st.floats()
    | st.text(max_size=5)
    | st.floats(width=32).map(np.float32)
    | st.floats().map(np.float64)
    | st.integers(-(2**63), 2**63 - 1).map(np.int64)
    | st.booleans().map(np.bool_)
    | st.lists(st.floats(), max_size=3).map(np.array)
    | st.just(np.zeros((2, 0)))
    | st.just(object())
    | st.binary(max_size=3)
)
keys = st.text(st.characters(codec=None), max_size=3) | st.integers() | st.booleans()
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=8,
)
PLAIN = {type(None), bool, int, float, str, list, dict}


def types(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {type(value)}.union(*map(types, inner))


@settings(deadline=None)
@given(anything)
def test_what_is_plain_survives_the_wire_and_the_journal(value):
    plain = values.plain(value)
    assert values.plain(plain) == plain
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert serpent.loads(serpent.dumps(plain)) == plain


@settings(deadline=None)
@given(anything)
def test_nothing_but_plain_python_is_left(value):
    assert types(values.plain(value)) <= PLAIN


def test_text_of_numpy_survives_the_wire():
    assert serpent.loads(serpent.dumps(values.plain([np.str_("a")]))) == ["a"]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (True, True),
        (np.bool_(True), True),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.float64("nan"), None),
        (math.inf, None),
        (-math.inf, None),
        (np.array([[1.0, math.nan]]), [[1.0, None]]),
        ((1, (2,)), [1, [2]]),
        ({3}, [3]),
        ({1: {"a": math.nan}}, {"1": {"a": None}}),
        (2**70, 2**70),
        ("\ud800x", "?x"),
    ],
)
def test_plain(value, plain):
    found = values.plain(value)
    assert found == plain
    assert type(found) is type(plain)


def test_integers_that_python_cannot_spell_out_do_no_harm():
    assert values.plain([2**5000, -(2**20_000), {2**20_000: 1}]) == [None, None, {"...": 1}]


def test_nesting_has_an_end():
    deep = shallow = "core"
    for _ in range(100_000):
        deep = [deep]
    for _ in range(values.MAX_DEPTH):
        shallow = {"in": [shallow]} if shallow == "core" else [shallow]
    assert "..." in json.dumps(values.plain(deep))
    assert json.dumps(values.plain(deep)).count("[") == values.MAX_DEPTH
    endless = []
    endless.append(endless)
    assert json.dumps(values.plain(endless)).count("[") == values.MAX_DEPTH


@pytest.mark.parametrize("value", ["", "a", "ä" * 300])
def test_a_text_is_kept(value):
    assert values.text(value) == value


@pytest.mark.parametrize("value", [None, 1, b"a", ["a"], "a" * 301, "\udfff"])
def test_what_is_no_text_is_refused(value):
    with pytest.raises(ValueError, match="at most 300 characters"):
        values.text(value)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_its_last_bit(number):
    assert values.plain(np.float64(number)).hex() == number.hex()


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("192.0.2.7", False),
        ("no such host", False),
    ],
)
def test_only_addresses_that_stay_here_are_loopback(host, loopback):
    assert machine.is_loopback(host) is loopback


def test_pyro_speaks_nothing_but_serpent():
    pyro.set_up_pyro()
    assert Pyro4.config.SERIALIZER == "serpent"
    assert set(Pyro4.config.SERIALIZERS_ACCEPTED) == {"serpent"}
    assert 0 < Pyro4.config.MAX_MESSAGE_SIZE <= 2**30


def test_every_call_ends():
    with pyro.nameserver("192.0.2.7", 9090) as names:
        assert names._pyroTimeout == pyro.CALL_TIMEOUT
        assert str(names._pyroUri) == "PYRO:Pyro.NameServer@192.0.2.7:9090"
    with pyro.proxy("PYRO:x@127.0.0.1:1", timeout=0.5) as remote:
        assert remote._pyroTimeout == 0.5


def test_a_proxy_can_be_sent_and_arrives_as_one_of_pyro4s():
    with pyro.proxy("PYRO:x@127.0.0.1:1", timeout=0.5, of="worker") as remote:
        sent = Pyro4.util.SerpentSerializer().dumps(remote)
    arrived = Pyro4.util.SerpentSerializer().loads(sent)
    assert (type(arrived), arrived._pyroUri) == (Pyro4.Proxy, remote._pyroUri)


def test_many_connections_are_allowed():
    code = (
        "import resource as r; from bohb_seg.rpc import pyro;"
        "hard = r.getrlimit(r.RLIMIT_NOFILE)[1];"
        "r.setrlimit(r.RLIMIT_NOFILE, (64, hard)); pyro.set_up_pyro();"
        "print(r.getrlimit(r.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert int(done.stdout) == min(hard, pyro.MAX_OPEN_FILES)


# --- certificates ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates") / "ours"
    certificates.make(folder)
    return folder


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
    "a folder": (lambda f: (f / "ca.pem").unlink() or (f / "ca.pem").mkdir(), "Is a directory"),
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
