"""Makes a private authority with one certificate for the master and one for all workers.

What matters in a certificate is its role: each side demands the other's. Host names are in it only
for HpBandSter's own workers and masters, which check them as Pyro4's TLS does. ``ca.pem`` is
written last, so that an interrupted command can be repeated.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bohb_seg import files
from bohb_seg.errors import SettingsError
from bohb_seg.rpc import tls
from bohb_seg.rpc.tls import AUTHORITY, ROLES, Role

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
    names = [_name(address) for address in dict.fromkeys((*LOCAL, _own_name(), *addresses))]
    made = _files(names, days)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in made.items():
            mode = 0o644 if name.endswith(".pem") else 0o600
            files.write_whole(folder / name, content, mode=mode)
    except OSError as error:
        raise SettingsError(
            f"{folder} cannot be written ({error.strerror}); choose another folder"
        ) from None


def _files(names: list[x509.GeneralName], days: int) -> Mapping[str, bytes]:
    """All files by name, the authority's certificate last."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key, days)
    made = {AUTHORITY_KEY: _pem(authority_key)}
    for role in ROLES:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(role, key.public_key(), names, authority, authority_key, days)
        made[f"{role}.key"] = _pem(key)
        made[f"{role}.pem"] = certificate.public_bytes(serialization.Encoding.PEM)
    return {**made, AUTHORITY: authority.public_bytes(serialization.Encoding.PEM)}


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
    role: Role,
    key: ec.EllipticCurvePublicKey,
    names: list[x509.GeneralName],
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    days: int,
) -> x509.Certificate:
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    its_role = x509.UniformResourceIdentifier(tls.role_address(role))
    issuer = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _builder(_subject(f"bohb-seg {role}", role), authority.subject, key, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName([*names, its_role]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False
        )
        .sign(authority_key, hashes.SHA256())
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


def _name(address: str) -> x509.GeneralName:
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


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
