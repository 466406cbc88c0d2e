"""Certificates of a run: which are demanded, which role they carry, how connections are encrypted.

Both sides show a certificate. It must be issued by our own authority and carry the role that is
expected of the peer, so that no worker can pose as the master. Host names are not checked: machines
of a cluster change their addresses, the role is what matters.

Like Pyro4's own switches, what is shown and demanded holds for the whole process.
"""

import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, get_args

import Pyro4
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from bohb_seg.errors import SettingsError

Role = Literal["master", "worker"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

AUTHORITY: Final = "ca.pem"
"""Name of the authority's certificate in every folder with certificates."""
_COPY = "copy all files again from the folder that bohb-certs made"
"""The remedy if files do not belong together."""


@dataclass(frozen=True)
class _Tls:
    """The certificates of this process, as contexts that show and demand them.

    Args:
        authority: Must have issued the certificate of every peer.
        server: For connections that others open.
        client: For connections that we open.
    """

    authority: x509.Certificate
    server: ssl.SSLContext
    client: ssl.SSLContext


_tls: _Tls | None = None
"""None: TLS is off."""


def demand(folder: Path | None, role: Role) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    """Makes this process show the certificate of ``role``, and demand one of every peer.

    Args:
        folder: Made by ``bohb-certs``; None: TLS is off.
        role: Which of the folder's certificates is ours.

    Returns:
        The contexts of connections that others open, and of those that we open.

    Raises:
        SettingsError: a certificate or its key is missing, unreadable, expired or of another kind.
    """
    global _tls
    _tls = _read(folder, role) if folder else None
    return (_tls.server, _tls.client) if _tls else (None, None)


def check(folder: Path, role: Role) -> None:
    """Makes sure that the certificates in ``folder`` would do for ``role``.

    Raises:
        SettingsError: as :func:`demand`.
    """
    _read(folder, role)


def valid_until(folder: Path, role: Role) -> datetime:
    """Time at which the first of a role's certificates in ``folder`` expires.

    Raises:
        SettingsError: one of them is missing, unreadable or not valid now.
    """
    names = AUTHORITY, f"{role}.pem"
    return min(_certificate(folder / name).not_valid_after_utc for name in names)


def server_side(sock: socket.socket) -> socket.socket:
    """An accepted connection, to be encrypted if TLS is on; nothing is sent or awaited yet."""
    if _tls is None:
        return sock
    return _tls.server.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)


def role_of(sock: socket.socket) -> Role | None:
    """Role that the certificate of the peer carries; None if TLS is off.

    Raises:
        Pyro4.errors.SecurityError: it has no certificate of our authority with exactly one role.
    """
    if _tls is None:
        return None
    shown = sock.getpeercert(binary_form=True) if isinstance(sock, ssl.SSLSocket) else None
    if shown is None:
        raise Pyro4.errors.SecurityError("the peer shows no certificate")
    try:
        certificate = x509.load_der_x509_certificate(shown)
        certificate.verify_directly_issued_by(_tls.authority)
        return role_in(certificate)
    except (ValueError, TypeError, InvalidSignature):
        raise Pyro4.errors.SecurityError("the peer's certificate is not one of ours") from None


def role_in(certificate: x509.Certificate) -> Role:
    """Role that a certificate carries as an alternative name.

    Raises:
        ValueError: it has none, or several.
    """
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise ValueError("no alternative names") from None
    addresses = names.get_values_for_type(x509.UniformResourceIdentifier)
    (role,) = [role for role in ROLES if role_address(role) in addresses]
    return role


def role_address(role: Role) -> str:
    """Alternative name by which a certificate carries a role."""
    return f"urn:bohb-seg:{role}"


def _read(folder: Path, role: Role) -> _Tls:
    authority = _certificate(folder / AUTHORITY)
    own = folder / f"{role}.pem"
    _check(own, _certificate(own), authority, role)
    contexts = [
        _context(protocol, folder, role)
        for protocol in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT)
    ]
    return _Tls(authority, *contexts)


def _certificate(path: Path) -> x509.Certificate:
    """A certificate that is valid now."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise SettingsError(_unreadable(path, error)) from None
    except ValueError:
        raise SettingsError(f"{path} is no certificate; {_COPY}") from None
    now = datetime.now(UTC)
    if now > certificate.not_valid_after_utc:
        raise SettingsError(
            f"{path} expired on {certificate.not_valid_after_utc:%Y-%m-%d}; make new ones in"
            " another folder with bohb-certs"
        )
    if now < certificate.not_valid_before_utc:
        raise SettingsError(
            f"{path} is valid only from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC;"
            " set this machine's clock right"
        )
    return certificate


def _check(
    path: Path, certificate: x509.Certificate, authority: x509.Certificate, role: Role
) -> None:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        raise SettingsError(
            f"{path} was not issued by the {AUTHORITY} beside it; {_COPY}"
        ) from None
    try:
        found = role_in(certificate)
    except ValueError:
        raise SettingsError(f"{path} is for neither master nor worker; {_COPY}") from None
    if found != role:
        raise SettingsError(f"{path} is the certificate of a {found}, not of a {role}; {_COPY}")


def _context(protocol: int, folder: Path, role: Role) -> ssl.SSLContext:
    own, key = folder / f"{role}.pem", folder / f"{role}.key"
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        key.read_bytes()
        context.load_verify_locations(folder / AUTHORITY)
        context.load_cert_chain(own, key, password="")  # never asks at the terminal
    except ssl.SSLError:
        raise SettingsError(f"{key} is not the key of {own.name} beside it; {_COPY}") from None
    except OSError as error:
        raise SettingsError(_unreadable(key, error)) from None
    return context


def _unreadable(path: Path, error: OSError) -> str:
    return f"{path} cannot be read ({error.strerror}); {_COPY}, or make one with bohb-certs"
