"""``bohb-certs``: what it writes is private, and good enough for strict eyes."""

import shutil
import socket
import ssl
import stat
import subprocess
import sys

import pytest
from cryptography import x509
from helpers.commands import refused, run

from bohb_seg.rpc import certificates, pyro
from bohb_seg.rpc.holders import Holder, holder_in

MODULE = "bohb_seg.commands.certs"
FILES = {"ca.key", "ca.pem", "master.key", "master.pem", "worker.key", "worker.pem"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("certificates") / "deep" / "ours"
    certificates.make(made, ["node-7.example.org", "10.1.2.3"])
    return made


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def context(folder, role, protocol):
    """As a program of others would be set up, as strictly as there is."""
    strict = ssl.SSLContext(protocol)
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    strict.verify_mode = ssl.CERT_REQUIRED
    strict.load_verify_locations(folder / "ca.pem")
    strict.load_cert_chain(folder / f"{role}.pem", folder / f"{role}.key")
    return strict


def shake_hands(client, server):
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [client(to_client, to_server), server(to_server, to_client)]
    for _ in range(5):
        for side in list(sides):
            try:
                side.do_handshake()
                sides.remove(side)
            except ssl.SSLWantReadError:
                pass
    assert not sides, "no end"


def test_only_we_can_read_the_keys(folder):
    assert {path.name for path in folder.iterdir()} == FILES
    assert mode(folder) == 0o700
    assert {mode(path) for path in folder.glob("*.key")} == {0o600}


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1", "10.1.2.3", "node-7.example.org"])
@pytest.mark.parametrize(("ours", "theirs"), [("worker", "master"), ("master", "worker")])
def test_strict_programs_that_check_host_names_accept_them(folder, ours, theirs, address):
    client = context(folder, ours, ssl.PROTOCOL_TLS_CLIENT)
    server = context(folder, theirs, ssl.PROTOCOL_TLS_SERVER)
    shake_hands(
        lambda i, o: client.wrap_bio(i, o, server_hostname=address),
        lambda i, o: server.wrap_bio(i, o, server_side=True),
    )


def test_this_machine_is_in_them(folder):
    certificate = x509.load_pem_x509_certificate((folder / "worker.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert socket.gethostname() in names.get_values_for_type(x509.DNSName)


@pytest.mark.parametrize("role", ["master", "worker"])
def test_each_carries_its_role_and_can_issue_none(folder, role):
    certificate = x509.load_pem_x509_certificate((folder / f"{role}.pem").read_bytes())
    authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    certificate.verify_directly_issued_by(authority)
    assert holder_in(certificate) == Holder(role, role)
    assert role in certificate.subject.rfc4514_string()
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca
    with pytest.raises(ValueError, match=r"unpack|alternative"):
        holder_in(authority)


def test_the_command_says_what_goes_where(tmp_path):
    done = run(MODULE, "ours", "--days", 2, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "ours").iterdir()} == FILES
    for part in ("ca.pem worker.pem worker.key", "bohb-worker --tls ours", "ca.key"):
        assert part in done.stdout


def test_an_authority_is_never_overwritten(folder):
    before = (folder / "ca.pem").read_bytes()
    assert "ca.pem exists already; choose another folder" in refused(MODULE, folder)
    assert (folder / "ca.pem").read_bytes() == before


def test_valid_certificates_are_kept_and_others_told(tmp_path):
    assert run(MODULE, "ours", "--keep", folder=tmp_path).returncode == 0
    before = (tmp_path / "ours" / "worker.pem").read_bytes()
    again = run(MODULE, "ours", "--keep", folder=tmp_path)
    assert (again.returncode, again.stdout) == (0, "kept ours: its certificates are valid\n")
    assert (tmp_path / "ours" / "worker.pem").read_bytes() == before
    (tmp_path / "ours" / "worker.key").unlink()
    assert "worker.key cannot be read" in refused(MODULE, tmp_path / "ours", "--keep")


@pytest.mark.parametrize("last", sorted(FILES))
def test_an_interrupted_command_can_be_repeated(tmp_path, monkeypatch, last):
    write = certificates.files.write_whole

    def stop(path, content, *, mode):
        if path.name == last:
            raise KeyboardInterrupt
        write(path, content, mode=mode)

    monkeypatch.setattr(certificates.files, "write_whole", stop)
    with pytest.raises(KeyboardInterrupt):
        certificates.make(tmp_path)
    monkeypatch.undo()
    certificates.make(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == FILES
    pyro.set_up_pyro(tmp_path, "worker")
    pyro.set_up_pyro()


@pytest.mark.parametrize("address", ["a b", "", "*", "x" * 300, "host/path", "-a.\n"])
def test_an_address_must_be_one(tmp_path, address):
    sentence = refused(MODULE, tmp_path / "ours", "--address", address)
    assert "neither a host name nor an IP address" in sentence
    assert not (tmp_path / "ours").exists()


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refused(MODULE, tmp_path / "file" / "ours")
    assert "cannot be written" in refused(MODULE, tmp_path / "file")
    assert "DIR" in refused(MODULE)
    assert "days" in refused(MODULE, tmp_path / "ours", "--days", 0)


# --- certificates of single workers ------------------------------------------------------------


def test_a_worker_of_its_own_gets_a_folder_to_be_copied(tmp_path):
    done = run(MODULE, "ours", "--worker", "node-7", "--worker", "b", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "bohb-worker --tls node-7 --host" in done.stdout
    ours, own = tmp_path / "ours", tmp_path / "ours/node-7"
    assert {path.name for path in own.iterdir()} == {"ca.pem", "worker.key", "worker.pem"}
    assert (mode(own), mode(own / "worker.key")) == (0o700, 0o600)
    assert {path.name for path in ours.iterdir()} == {*FILES, "node-7", "b"}
    certificate = x509.load_pem_x509_certificate((own / "worker.pem").read_bytes())
    assert holder_in(certificate) == Holder("worker", "node-7")
    before = (ours / "worker.pem").read_bytes()
    later = run(MODULE, "ours", "--worker", "c", folder=tmp_path)
    assert (later.returncode, len(later.stdout.splitlines())) == (0, 2), later.stderr
    assert (ours / "worker.pem").read_bytes() == before
    assert "ours/c exists already; choose another name" in refused(MODULE, ours, "--worker", "c")
    kept = run(MODULE, "ours", "--worker", "c", "--keep", folder=tmp_path)
    assert "kept ours/c" in kept.stdout


@pytest.mark.parametrize(
    "name", ["", "a.b", "a b", "../a", "~a", "x" * 64, "worker", "master", "ä"]
)
@pytest.mark.parametrize("flag", ["--worker", "--revoke"])
def test_a_name_must_be_one(folder, flag, name):
    if (flag, name) == ("--revoke", "worker"):
        return
    before = sorted(folder.iterdir())
    assert "is no name for a worker; use letters" in refused(MODULE, folder, flag, name)
    assert sorted(folder.iterdir()) == before


def test_only_the_folder_with_the_authoritys_key_issues(folder, tmp_path):
    for name, damage, words in [
        ("a", lambda key: key.unlink(), "ca.key cannot be read (No such file or directory)"),
        ("b", lambda key: key.write_text("x"), "ca.key is no key"),
        ("c", lambda key: shutil.copy(folder / "worker.key", key), "is not the key of ca.pem"),
    ]:
        copy = tmp_path / name
        shutil.copytree(folder, copy)
        damage(copy / "ca.key")
        assert words in refused(MODULE, copy, "--worker", "new")
        assert not (copy / "new").exists()


def test_a_revoked_name_is_never_issued_again(tmp_path):
    ours = tmp_path / "ours"
    for _ in range(2):
        certificates.make(ours) if not ours.exists() else None
        done = run(MODULE, "ours", "--revoke", "b", "--revoke", "a", folder=tmp_path)
        assert done.returncode == 0, done.stderr
    assert (ours / "revoked.txt").read_text() == "a\nb\n"
    assert "--worker a was revoked in" in refused(MODULE, ours, "--worker", "a")
    assert "holds no certificates" in refused(MODULE, tmp_path / "no", "--revoke", "a")
    (ours / "revoked.txt").write_bytes(b"\xff")
    assert "revoked.txt cannot be read" in refused(MODULE, ours, "--revoke", "c")


def test_ipv6_addresses_stand_in_a_certificate(tmp_path):
    certificates.make(tmp_path / "ours", ["[fd00::7]", "fd00::8"])
    certificate = x509.load_pem_x509_certificate((tmp_path / "ours/master.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    found = set(map(str, names.get_values_for_type(x509.IPAddress)))
    assert found == {"127.0.0.1", "::1", "fd00::7", "fd00::8"}


def test_help_and_version():
    for flag, expected in (("--help", "Example: bohb-certs"), ("--version", "bohb-certs, version")):
        command = [sys.executable, "-m", MODULE, flag]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert expected in done.stdout
