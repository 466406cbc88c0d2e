"""Makes a private authority, and certificates for the master, for all workers and for single ones.

What matters in a certificate is its role, which each side demands of the other, and in that of a
single worker its name. Host names are in it only for HpBandSter's own workers and masters, which
check them as Pyro4's TLS does. ``ca.pem`` is written last, so that an interrupted command can be
repeated.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bohb_seg import files
from bohb_seg.errors import SettingsError
from bohb_seg.rpc import tls
from bohb_seg.rpc.holders import ROLES, Holder, alternative_names, is_own_name
from bohb_seg.rpc.tls import AUTHORITY, REVOKED

AUTHORITY_KEY: Final = "ca.key"
"""Name of the file that can issue further certificates; no machine of a cluster needs it."""
LOCAL: Final = ("localhost", "127.0.0.1", "::1")
"""Addresses that every certificate is good for."""
CLOCK_SKEW = timedelta(days=1)
"""Time by which another machine's clock may be behind ours."""

_HOST_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")


def make(folder: Path, addresses: Iterable[str] = (), days: int = 3650) -> None:
    """Writes a new authority and its certificates.

    Args:
        folder: Is created if it does not exist; then only its owner may enter it.
        addresses: Further host names and IP addresses of the machines.
        days: Time for which all of them are valid.

    Raises:
        SettingsError: there is an authority already, the folder cannot be written, or an address
            is neither a host name nor an IP address.
    """
    if (folder / AUTHORITY).exists():
        raise SettingsError(f"{folder / AUTHORITY} exists already; choose another folder")
    names, issuer = _names(addresses), _Authority.new(days)
    made = {AUTHORITY_KEY: key_pem(issuer.key)}
    for role in ROLES:
        made |= issuer.issue(role, Holder(role, role), names, days)
    write(folder, {**made, AUTHORITY: issuer.pem})


def make_worker(folder: Path, name: str, addresses: Iterable[str] = (), days: int = 3650) -> Path:
    """Writes a certificate for a single worker, or for the workers of one machine.

    Args:
        folder: Holds the authority, with its key.
        name: The worker's name, which nobody else can use.
        addresses: Further host names and IP addresses of the machine.
        days: Time for which it is valid.

    Returns:
        The folder ``<folder>/<name>`` with all files that the worker's machine needs.

    Raises:
        SettingsError: the name cannot be had, the authority's key is not there, or the folder
            cannot be written.
    """
    issuer = _issuer(folder, name)
    made = issuer.issue("worker", Holder("worker", name), _names(addresses), days)
    write(folder / name, {**made, AUTHORITY: issuer.pem})
    return folder / name


def invite(folder: Path, name: str) -> x509.Certificate:
    """Makes sure that :func:`sign_worker` could sign for this name; returns the authority's.

    Raises:
        SettingsError: as :func:`make_worker`.
    """
    return _issuer(folder, name, "--invite").certificate


def sign_worker(
    folder: Path, name: str, key: ec.EllipticCurvePublicKey, addresses: Iterable[str], days: int
) -> str:
    """Issues a certificate to a worker that has made its key itself, and keeps a copy of it.

    Args:
        folder: As of :func:`make_worker`, as are ``name`` and ``days``.
        name: The worker's name.
        key: Its public key.
        addresses: Host names and IP addresses of the machine.
        days: Time for which it is valid.

    Returns:
        The certificate in PEM; the folder ``<folder>/<name>`` has it, too.

    Raises:
        SettingsError: as :func:`make_worker`.
    """
    issuer = _issuer(folder, name, "--invite")
    names = [_name(address) for address in dict.fromkeys((*LOCAL, *addresses))]
    pem = issuer.certify(Holder("worker", name), key, names, days)
    write(folder / name, {"worker.pem": pem, AUTHORITY: issuer.pem})
    return pem.decode()


def _issuer(folder: Path, name: str, flag: str = "--worker") -> "_Authority":
    _check_name(name, flag)
    if name in _revoked(folder):
        raise SettingsError(f"{flag} {name} was revoked in {folder}; choose another name")
    if (folder / name).exists():
        raise SettingsError(f"{folder / name} exists already; choose another name")
    return _Authority.read(folder)


def revoke(folder: Path, name: str) -> Path:
    """Adds a name to those whose certificates are refused, now and for ever.

    Args:
        folder: Holds the master's certificate.
        name: Name of a single worker, or ``worker`` for the certificate that workers share.

    Returns:
        The file with all such names; a running master reads it from the folder of its ``--tls``.

    Raises:
        SettingsError: the name cannot be one, or the file cannot be read or written.
    """
    if name != "worker":
        _check_name(name, "--revoke")
    if not (folder / AUTHORITY).exists():
        raise SettingsError(f"{folder} holds no certificates; make them with 'bohb-certs {folder}'")
    names = sorted({*_revoked(folder), name})
    write(folder, {REVOKED: "".join(f"{each}\n" for each in names).encode()})
    return folder / REVOKED


def _revoked(folder: Path) -> list[str]:
    try:
        return files.read_regular(folder / REVOKED).decode("ascii").split()
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{folder / REVOKED} cannot be read ({error}); it holds a name a line"
        ) from None


def write(folder: Path, made: Mapping[str, bytes]) -> None:
    """Writes files into a folder that only its owner may enter; keys are for the owner alone.

    Raises:
        SettingsError: the folder cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in made.items():
            mode = 0o600 if name.endswith(".key") else 0o644
            files.write_whole(folder / name, content, mode=mode)
    except OSError as error:
        raise SettingsError(
            f"{folder} cannot be written ({error.strerror}); choose another folder"
        ) from None


@dataclass(frozen=True)
class _Authority:
    """Issues certificates.

    Args:
        key: Signs them.
        certificate: Its own.
    """

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls, days: int) -> Self:
        """An authority that has not been before."""
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(key, _authority(key, days))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The authority of a folder.

        Raises:
            SettingsError: its key or certificate is not there, or they do not belong together.
        """
        where = folder / AUTHORITY_KEY
        try:
            key = serialization.load_pem_private_key(files.read_regular(where), password=None)
        except OSError as error:
            raise SettingsError(
                f"{where} cannot be read ({error.strerror}); only the folder with this key, which"
                " 'bohb-certs DIR' makes, can issue certificates"
            ) from None
        except (ValueError, TypeError):
            raise SettingsError(f"{where} is no key; use the one that bohb-certs made") from None
        certificate = tls.certificate(folder / AUTHORITY)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or (
            key.public_key() != certificate.public_key()
        ):
            raise SettingsError(
                f"{where} is not the key of {AUTHORITY} beside it; use those made together"
            )
        return cls(key, certificate)

    @property
    def pem(self) -> bytes:
        """Its certificate as a file."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self, file: str, holder: Holder, names: list[x509.GeneralName], days: int
    ) -> dict[str, bytes]:
        """The files ``<file>.key`` and ``<file>.pem`` of a new certificate, by their names."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = self.certify(holder, key.public_key(), names, days)
        return {f"{file}.key": key_pem(key), f"{file}.pem": pem}

    def certify(
        self,
        holder: Holder,
        key: ec.EllipticCurvePublicKey,
        names: list[x509.GeneralName],
        days: int,
    ) -> bytes:
        """A new certificate for a public key, in PEM."""
        certificate = _certificate(holder, key, names, self, days)
        return certificate.public_bytes(serialization.Encoding.PEM)


def _check_name(name: str, flag: str = "--worker") -> None:
    if not is_own_name(name):
        raise SettingsError(
            f"{flag} {name!r} is no name for a worker; use letters, digits, - and _, and neither"
            " 'master' nor 'worker'"
        )


def _authority(key: ec.EllipticCurvePrivateKey, days: int) -> x509.Certificate:
    unique = f"{x509.random_serial_number():x}"[:8]
    name = _subject(f"bohb-seg authority {unique}")
    itself = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = _usage(key_cert_sign=True, crl_sign=True)
    return (
        _builder(name, name, key.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(itself, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(itself), critical=False
        )
        .sign(key, hashes.SHA256())
    )


def _certificate(
    holder: Holder,
    key: ec.EllipticCurvePublicKey,
    names: list[x509.GeneralName],
    authority: _Authority,
    days: int,
) -> x509.Certificate:
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    whose = [x509.UniformResourceIdentifier(each) for each in alternative_names(holder)]
    its, subject = authority.certificate, _subject(f"bohb-seg {holder.name}", holder.role)
    issuer = its.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _builder(subject, its.subject, key, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName([*names, *whose]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False
        )
        .sign(authority.key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
    )


def _subject(name: str, unit: str = "authority") -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _usage(**allowed: bool) -> x509.KeyUsage:
    uses = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment")
    more = ("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{use: allowed.get(use, False) for use in (*uses, *more)})


def _names(addresses: Iterable[str]) -> list[x509.GeneralName]:
    return [_name(address) for address in dict.fromkeys((*LOCAL, _own_name(), *addresses))]


def _name(address: str) -> x509.GeneralName:
    address = address.removeprefix("[").removesuffix("]")  # of IPv6, as links have them
    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        pass
    if not _HOST_NAME.fullmatch(address) or len(address) > 253:
        raise SettingsError(f"--address {address!r} is neither a host name nor an IP address")
    return x509.DNSName(address)


def _own_name() -> str:
    name = socket.gethostname()
    return name if _HOST_NAME.fullmatch(name) else "localhost"


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key as a file."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
