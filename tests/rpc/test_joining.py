"""A machine joins by a token: only the one that was invited, once, and only at the right door."""

import contextlib
import shutil
import socket
import threading
import time
from base64 import urlsafe_b64encode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from helpers.commands import refused
from helpers.daemons import SOON, ended, until
from helpers.identities import context, forged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bohb_seg.errors import ServiceError, SettingsError
from bohb_seg.rpc import certificates, inviting, joining, lines, pyro, tls
from bohb_seg.rpc.holders import Holder, holder_in, is_own_name
from bohb_seg.rpc.invitations import Invitations, Token, fingerprint
from bohb_seg.rpc.inviting import Door

MODULE = "bohb_seg.commands.certs"
HERE = "127.0.0.1"


@pytest.fixture
def folder(made, tmp_path):
    """Certificates to which names can be added."""
    shutil.copytree(made, tmp_path / "ours")
    return tmp_path / "ours"


class Party:
    """An open door, and the invitations behind it."""

    def __init__(self, folder, *names, seconds=60.0):
        self.folder = folder
        authority = certificates.invite(folder, names[0])
        self.invitations = Invitations(names, authority, seconds, self._sign)
        self.door = Door(self.invitations, folder, HERE, 0)
        self.thread = threading.Thread(target=self.door.serve, daemon=True)
        self.thread.start()

    def _sign(self, name, key):
        return certificates.sign_worker(self.folder, name, key, (), 9)

    def token(self, name="new"):
        return self.invitations.tokens[name]

    def join(self, folder, of="new", **changes):
        token = Token(**{**vars(self.token(of)), **changes})
        joining.join(token, folder, HERE, self.door.port)

    def connect(self):
        return socket.create_connection((HERE, self.door.port), 20)

    def ask(self, **words):
        """The answer to a question that a client of ours would not ask."""
        with context().wrap_socket(self.connect()) as peer:
            lines.say(peer, **words)
            return lines.hear(peer, time.monotonic() + SOON)

    def close(self):
        self.invitations._until = 0.0
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def party(folder):
    opened = Party(folder, "new", "second")
    yield opened
    opened.close()


def request(key=None, **subject):
    """A request to sign a key, which says what it likes about itself."""
    names = [x509.NameAttribute(getattr(x509.NameOID, n), text) for n, text in subject.items()]
    built = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    if subject:
        master = [x509.UniformResourceIdentifier("urn:bohb-seg:master")]
        built = built.add_extension(x509.SubjectAlternativeName(master), critical=False)
        built = built.add_extension(x509.BasicConstraints(True, None), critical=True)
    signed = built.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def test_who_was_invited_gets_what_a_worker_needs(party, tmp_path):
    own = tmp_path / "new"
    party.join(own)
    assert {path.name for path in own.iterdir()} == {"ca.pem", "worker.key", "worker.pem"}
    assert (own.stat().st_mode & 0o777, (own / "worker.key").stat().st_mode & 0o777) == (
        0o700,
        0o600,
    )
    pyro.set_up_pyro(own, "worker")
    assert tls.own() == Holder("worker", "new")
    pyro.set_up_pyro()
    kept = party.folder / "new"
    assert {path.name for path in kept.iterdir()} == {"ca.pem", "worker.pem"}  # and no key
    assert (kept / "worker.pem").read_bytes() == (own / "worker.pem").read_bytes()
    until(lambda: party.invitations.missing == ["second"])
    assert party.thread.is_alive()
    party.join(tmp_path / "second", of="second")
    party.thread.join(20)
    assert not party.thread.is_alive(), "all have come, but the door is open"


def test_a_broken_conversation_is_begun_again(party, tmp_path):
    """The answer was lost: whoever has the key gets the same certificate, and nobody else any."""
    key, token = ec.generate_private_key(ec.SECP256R1()), party.token()
    asked = {"ask": "certificate", "name": "new", "secret": token.secret}
    first = party.ask(**asked, request=request(key))
    assert party.ask(**asked, request=request(key)) == first
    assert "used already" in party.ask(**asked, request=request())["refused"]
    assert "new" in party.invitations.missing
    with pytest.raises(ServiceError, match="refuses: the token of new was used already"):
        party.join(tmp_path / "late")
    assert list((tmp_path / "late").iterdir()) == []


CHANGES = {
    "another's name": {"name": "second"},
    "a name of nobody": {"name": "third"},
    "another secret": {"secret": "x" * 43},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_token_that_was_not_given_out_is_none(party, tmp_path, change):
    with pytest.raises(ServiceError, match="refuses: the token is not one of these invitations"):
        joining.join(
            Token(**{**vars(party.token()), **CHANGES[change]}),
            tmp_path / "x",
            HERE,
            party.door.port,
        )
    assert party.invitations.missing == ["new", "second"]
    assert not (party.folder / "third").exists()


def test_an_invitation_ends(folder, tmp_path):
    party = Party(folder, "new")
    party.invitations._until = 0.0
    for question in ("certify", "keep"):
        words = (request(),) if question == "certify" else ()
        with pytest.raises(ServiceError, match="invitation of new is over; ask for a new one"):
            getattr(party.invitations, question)("new", party.token().secret, *words)
    party.thread.join(20)
    with pytest.raises(ServiceError, match=r"nobody gives out .* Connection refused.* is over"):
        party.join(tmp_path / "new")
    assert not (folder / "new").exists()


def test_a_name_that_is_refused_meanwhile_is_not_issued(party, tmp_path):
    certificates.revoke(party.folder, "new")
    with pytest.raises(ServiceError, match=r"refuses: --invite new was revoked in"):
        party.join(tmp_path / "new")
    certificates.make_worker(party.folder, "second")
    with pytest.raises(ServiceError, match=r"refuses: .*second exists already"):
        party.join(tmp_path / "second", of="second")


@pytest.mark.parametrize(
    "words",
    [
        "",
        "x" * 5000,
        request(rsa.generate_private_key(65537, 2048)),
        request(ec.generate_private_key(ec.SECP384R1())),
        request().replace("A", "B", 40),
    ],
    ids=["nothing", "noise", "RSA", "P-384", "damaged"],
)
def test_only_requests_for_keys_as_ours_are_signed(party, words):
    said = {"ask": "certificate", "name": "new", "secret": party.token().secret, "request": words}
    assert "the request is none for a key" in party.ask(**said)["refused"]
    assert party.invitations.missing == ["new", "second"]


def test_a_request_decides_nothing_about_the_certificate(party):
    asked = request(COMMON_NAME="bohb-seg master", ORGANIZATIONAL_UNIT_NAME="master")
    said = {"ask": "certificate", "name": "new", "secret": party.token().secret, "request": asked}
    found = x509.load_pem_x509_certificate(party.ask(**said)["certificate"].encode())
    assert holder_in(found) == Holder("worker", "new")
    constraints = found.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not constraints.ca
    assert "master" not in found.subject.rfc4514_string()


WORDS = {
    "HTTP": b"GET / HTTP/1.1\r\n\r\n",
    "no end": b"x" * (lines.LINE_BYTES + 1),
    "nested": b"[" * 16_000 + b"\n",
    "a list": b"[1]\n",
    "numbers": b'{"ask": 1}\n',
    "not UTF-8": b'{"ask": "\xff"}\n',
}


@pytest.mark.parametrize("encrypted", [True, False])
@pytest.mark.parametrize("words", WORDS)
def test_noise_is_not_answered(party, tmp_path, words, encrypted):
    with party.connect() as plain, contextlib.suppress(OSError):
        peer = context().wrap_socket(plain) if encrypted else plain
        with peer:
            peer.sendall(WORDS[words])
            socket.socket.shutdown(peer, socket.SHUT_WR)
            assert b"{" not in peer.recv(65536)
    party.join(tmp_path / "new")


@pytest.mark.parametrize("words", [{}, {"ask": "x"}, {"ask": "certificate"}, {"ask": "kept"}])
def test_other_questions_are_refused(party, words):
    answer = party.ask(**words) if words else {}
    assert not words or "not understood" in answer["refused"]


def test_a_flood_of_silence_locks_nobody_out(party, tmp_path, monkeypatch):
    with contextlib.ExitStack() as flood:
        silent = [flood.enter_context(party.connect()) for _ in range(inviting.MOST_GUESTS + 20)]
        ended(silent[0])
        party.join(tmp_path / "new")
        monkeypatch.setattr(lines, "WHOLE_TIME", 0.1)
        late = flood.enter_context(party.connect())
        ended(late)


# --- at a wrong door ----------------------------------------------------------------------------


class Impostor:
    """Somebody else who answers at the address, and what it is told."""

    def __init__(self, shown, authority, role="master", **answers):
        self._socket = socket.create_server((HERE, 0))
        self.port = self._socket.getsockname()[1]
        self._tls = context(shown, role, server=True)
        self._answers, self.told = {"authority": authority, **answers}, []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._socket.accept()
                with contextlib.suppress(OSError, ValueError):
                    self._answer(self._tls.wrap_socket(peer, server_side=True))

    def _answer(self, peer):
        with peer:
            while asked := lines.hear(peer, time.monotonic() + SOON):
                self.told.append(asked)
                lines.say(peer, **{asked["ask"]: self._answers.get(asked["ask"], "")})

    def close(self):
        self._socket.close()


@pytest.fixture
def theirs(tmp_path):
    certificates.make(tmp_path / "theirs")
    return tmp_path / "theirs"


def token_of(folder):
    return Token("new", fingerprint(tls.certificate(folder / "ca.pem")), "s" * 43)


@pytest.fixture
def impostor(monkeypatch):
    """Makes one; and ours is not patient with it."""
    monkeypatch.setattr(joining, "PATIENCE", 0.0)
    with contextlib.ExitStack() as opened:

        def make(*arguments, **keywords):
            made = Impostor(*arguments, **keywords)
            opened.callback(made.close)
            return made

        yield make


def told_nothing(impostor):
    return all(set(words) == {"ask"} for words in impostor.told)


def test_another_authority_is_told_nothing(impostor, made, theirs, tmp_path):
    other = impostor(theirs, (theirs / "ca.pem").read_text())
    with pytest.raises(ServiceError, match="belongs to another authority than the token"):
        joining.join(token_of(made), tmp_path / "new", HERE, other.port)
    assert told_nothing(other)


def test_whoever_only_shows_our_authoritys_certificate_is_told_nothing(
    impostor, made, theirs, tmp_path
):
    """Everybody may have that, but only our master can show one that it has issued."""
    other = impostor(theirs, (made / "ca.pem").read_text())
    with pytest.raises(ServiceError, match="certificate verify failed"):
        joining.join(token_of(made), tmp_path / "new", HERE, other.port)
    assert told_nothing(other)


@pytest.mark.parametrize("who", ["worker", "one"])
def test_a_worker_that_poses_as_the_authority_is_told_nothing(impostor, made, tmp_path, who):
    shown = made if who == "worker" else made / who
    other = impostor(shown, (made / "ca.pem").read_text(), "worker")
    with pytest.raises(ServiceError, match="shows the certificate of a worker"):
        joining.join(token_of(made), tmp_path / "new", HERE, other.port)
    assert told_nothing(other)


@pytest.mark.parametrize("which", ["worker.pem", "one/worker.pem", "master.pem", "ca.key"])
def test_a_certificate_that_was_not_asked_for_is_not_taken(impostor, made, tmp_path, which):
    answer = {"certificate": (made / which).read_text()}
    other = impostor(made, (made / "ca.pem").read_text(), **answer)
    with pytest.raises(ServiceError, match="sends a certificate of somebody else"):
        joining.join(token_of(made), tmp_path / "new", HERE, other.port)
    assert list((tmp_path / "new").iterdir()) == []


def test_one_that_nobody_issued_is_not_taken(impostor, made, tmp_path):
    own = forged(tmp_path / "forged", None, "worker", "name:new")
    answer = {"certificate": (own / "worker.pem").read_text()}
    other = impostor(made, (made / "ca.pem").read_text(), **answer)
    with pytest.raises(ServiceError, match="sends a certificate of somebody else"):
        joining.join(token_of(made), tmp_path / "new", HERE, other.port)


def test_words_without_end_or_sense_end_the_conversation(impostor, made, tmp_path):
    for answer in ("x" * 2 * lines.LINE_BYTES, "no certificate", ""):
        other = impostor(made, answer)
        with pytest.raises(ServiceError, match="nobody gives out certificates at"):
            joining.join(token_of(made), tmp_path / "new", HERE, other.port)


# --- the command --------------------------------------------------------------------------------


own_names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,9}", fullmatch=True).filter(is_own_name)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text() | st.from_regex(r"bohb1\.[\w~.]{1,9}\.[0-9a-f]{64}\.[\w-]{43}", fullmatch=True))
def test_a_token_is_read_whole_or_not_at_all(text):
    token = None
    with contextlib.suppress(SettingsError):
        token = Token.read(text)
    assert token is None or token.text == text.strip()
    assert token is None or is_own_name(token.name)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(own_names, st.binary(min_size=32, max_size=32))
def test_a_token_can_be_handed_on(name, seed):
    token = Token(name, seed.hex(), urlsafe_b64encode(seed).decode().rstrip("="))
    assert Token.read(f"  {token.text}\n") == token
    for cut in (token.text[1:], token.text[:-1], token.text + "x", token.text.replace(".", " ")):
        with pytest.raises(SettingsError, match="no whole token"):
            Token.read(cut)


def test_flags_that_do_not_go_together_or_cannot_be(folder, tmp_path):
    token = token_of(folder).text
    for flags, sentence in [
        (("--join", "x"), "no whole token; copy all that"),
        (("--join", token[:-1]), "no whole token"),
        (("--join", token, "--worker", "a"), "--join does nothing else"),
        (("--invite", "a", "--revoke", "b"), "--invite waits; give"),
        (("--invite", "a.b"), "--invite 'a.b' is no name for a worker"),
        (("--invite", "one"), "one exists already; choose another name"),
        (("--invite", "a", "--host", "0.0.0.0"), "means all addresses"),
        (("--invite", "a", "--host", "192.0.2.1"), "cannot serve on 192.0.2.1:9091"),
        (("--invite", "a", "--host", "fe80::1%eth0"), "without a zone"),
        (("--invite", "a", "--hours", "0"), "hours"),
    ]:
        assert sentence in refused(MODULE, folder, *flags)
    assert "ca.pem exists already; choose another folder" in refused(
        MODULE, folder, "--join", token
    )
    assert "ca.key cannot be read" in refused(MODULE, tmp_path / "no", "--invite", "a")
    (folder / "master.key").unlink()
    assert "master.key cannot be read" in refused(MODULE, folder, "--invite", "a", "--port", 0)


def test_an_invitation_to_which_nobody_came_is_told(folder):
    flags = ("--invite", "a", "--invite", "b", "--port", 0, "--hours", 1e-5)
    assert "the invitation of a and b is over, and nobody came" in refused(MODULE, folder, *flags)


def test_where_nobody_invites_there_is_one_sentence(folder, tmp_path):
    flags = ("--join", token_of(folder).text, "--port", 1)
    assert "nobody gives out certificates at 127.0.0.1:1" in refused(MODULE, tmp_path / "x", *flags)
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refused(MODULE, tmp_path / "file", *flags)
