"""Certificates of a run: which are demanded, whose they are, how connections are encrypted.

Both sides show a certificate. It must be issued by our own authority and carry the role that is
expected of the peer, so that no worker can pose as the master. A worker's certificate may carry a
name of its own, too, so that no worker can pose as another (:mod:`bohb_seg.rpc.speakers`). Host
names are not checked: machines of a cluster change their addresses.

Like Pyro4's own switches, what is shown and demanded holds for the whole process.
"""

import contextlib
import os
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, final

import Pyro4
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from bohb_seg import files
from bohb_seg.errors import ServiceError, SettingsError
from bohb_seg.rpc.holders import Holder, Role, holder_in

AUTHORITY: Final = "ca.pem"
"""Name of the authority's certificate in every folder with certificates."""
REVOKED: Final = "revoked.txt"
"""Name of the file beside the master's certificate with the names of those that are refused, a line
each; there need not be one."""
_COPY = "copy all files again from the folder that bohb-certs made"
"""The remedy if files do not belong together."""


class CertificateOverError(ServiceError, Pyro4.errors.SecurityError):  # type: ignore[misc]
    """The certificate that this process shows will be taken by no master any more: it may leave."""


@final
class _Revoked:
    """The names in a file, which is read again when it has changed.

    Args:
        file: The file; it need not be there.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._state: tuple[int, ...] = ()
        self._names: frozenset[str] = frozenset()

    def names(self) -> frozenset[str]:
        """The names; those that were there before if the file cannot be read now."""
        with contextlib.suppress(OSError):
            try:
                found = self._file.stat()
            except FileNotFoundError:
                return frozenset()
            state = found.st_mtime_ns, found.st_size, found.st_ino
            if state != self._state:
                text = files.read_regular(self._file).decode("ascii", errors="replace")
                self._names, self._state = frozenset(text.split()), state
        return self._names

    @property
    def is_known(self) -> bool:
        """Whether the file could be read, or is not there; a broken link is there."""
        return bool(self._state) or not os.path.lexists(self._file)


@dataclass(frozen=True)
class _Tls:
    """The certificates of this process, as contexts that show and demand them.

    Args:
        own: Whose certificate this process shows.
        until: End of that certificate's validity.
        authority: Must have issued the certificate of every peer.
        revoked: Certificates that are refused all the same.
        server: For connections that others open.
        client: For connections that we open.
    """

    own: Holder
    until: datetime
    authority: x509.Certificate
    revoked: _Revoked
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
    return min(certificate(folder / name).not_valid_after_utc for name in names)


def server_side(sock: socket.socket) -> socket.socket:
    """An accepted connection, to be encrypted if TLS is on; nothing is sent or awaited yet."""
    if _tls is None:
        return sock
    return _tls.server.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)


def client_side(sock: socket.socket) -> socket.socket:
    """A connection of ours, encrypted if TLS is on.

    Raises:
        OSError: the other side does not encrypt, or refuses our certificate.
    """
    return _tls.client.wrap_socket(sock) if _tls else sock


def own() -> Holder | None:
    """Holder of the certificate that this process shows; None if TLS is off."""
    return _tls.own if _tls else None


def refusal(holder: Holder | None) -> str:
    """Reason why a certificate does not count any more; "" if it does, or TLS is off."""
    is_revoked = _tls and holder and holder.name in _tls.revoked.names()
    return _revocation(holder) if holder and is_revoked else ""


def own_end(told: str) -> str:
    """Reason why our own certificate does not count any more; "" if it may.

    Args:
        told: Text of the master's refusal; "" if it says nothing.
    """
    if _tls is None:
        return ""
    if datetime.now(UTC) > _tls.until:
        return f"the certificate of {_tls.own.name} expired on {_tls.until:%Y-%m-%d}"
    revocation = _revocation(_tls.own)
    return revocation if revocation in told else ""


def _revocation(holder: Holder) -> str:
    return f"the certificate of {holder.name} was revoked"


def holder_of(sock: socket.socket) -> Holder | None:
    """Holder of the certificate that the peer shows; None if TLS is off.

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
        return holder_in(certificate)
    except (ValueError, TypeError, InvalidSignature):
        raise Pyro4.errors.SecurityError("the peer's certificate is not one of ours") from None


def _read(folder: Path, role: Role) -> _Tls:
    authority = certificate(folder / AUTHORITY)
    own = folder / f"{role}.pem"
    shown = certificate(own)
    holder = _check(own, shown, authority, role)
    revoked = _Revoked(folder / REVOKED)
    names = revoked.names()
    if not revoked.is_known:
        raise SettingsError(
            f"{folder / REVOKED} cannot be read, so nobody knows who is refused; mend or remove it"
        )
    if holder.name in names:
        raise SettingsError(
            f"{own} is refused, because {folder / REVOKED} names {holder.name}; use the certificate"
            " of another name, which 'bohb-certs DIR --worker NAME' makes"
        )
    contexts = [
        _context(protocol, folder, role)
        for protocol in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT)
    ]
    return _Tls(holder, shown.not_valid_after_utc, authority, revoked, *contexts)


def certificate(path: Path) -> x509.Certificate:
    """The certificate in a file, if it is valid now.

    Raises:
        SettingsError: it is not, or there is none.
    """
    try:
        found = x509.load_pem_x509_certificate(files.read_regular(path))
    except OSError as error:
        raise SettingsError(_unreadable(path, error)) from None
    except ValueError:
        raise SettingsError(f"{path} is no certificate; {_COPY}") from None
    now = datetime.now(UTC)
    if now > found.not_valid_after_utc:
        raise SettingsError(
            f"{path} expired on {found.not_valid_after_utc:%Y-%m-%d}; make new ones in"
            " another folder with bohb-certs"
        )
    if now < found.not_valid_before_utc:
        raise SettingsError(
            f"{path} is valid only from {found.not_valid_before_utc:%Y-%m-%d %H:%M} UTC;"
            " set this machine's clock right"
        )
    return found


def _check(
    path: Path, certificate: x509.Certificate, authority: x509.Certificate, role: Role
) -> Holder:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        raise SettingsError(
            f"{path} was not issued by the {AUTHORITY} beside it; {_COPY}"
        ) from None
    try:
        found = holder_in(certificate)
    except ValueError:
        raise SettingsError(f"{path} is for neither master nor worker; {_COPY}") from None
    if found.role != role:
        raise SettingsError(
            f"{path} is the certificate of a {found.role}, not of a {role}; {_COPY}"
        )
    return found


def welcome(folder: Path) -> ssl.SSLContext:
    """Context that shows the master's certificate to peers that have none yet.

    Raises:
        SettingsError: as :func:`demand`.
    """
    check(folder, "master")
    context = _context(ssl.PROTOCOL_TLS_SERVER, folder, "master")
    context.verify_mode = ssl.CERT_NONE
    return context


def _context(protocol: int, folder: Path, role: Role) -> ssl.SSLContext:
    own, key = folder / f"{role}.pem", folder / f"{role}.key"
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        files.read_regular(key)  # not a pipe, for which the library would wait
        context.load_verify_locations(folder / AUTHORITY)
        context.load_cert_chain(own, key, password="")  # never asks at the terminal
    except ssl.SSLError:
        raise SettingsError(f"{key} is not the key of {own.name} beside it; {_COPY}") from None
    except OSError as error:
        raise SettingsError(_unreadable(key, error)) from None
    return context


def _unreadable(path: Path, error: OSError) -> str:
    return f"{path} cannot be read ({error.strerror}); {_COPY}, or make one with bohb-certs"
