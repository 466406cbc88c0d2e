"""What may cross the wire, who may be at its other end, and how Pyro4 is set up for both.

* Only serpent is spoken, never pickle. Values are made plain before they are sent, because serpent
  silently turns what it does not know into dictionaries, and again when they have arrived.
* With TLS both sides show a certificate. It must be issued by our own authority and carry the role
  that is expected of the peer, so that no worker can pose as the master. Host names are not
  checked: machines of a cluster change their addresses, the role is what matters.
* Pyro4's switches hold for the whole process, and therefore so does ours.
"""

import ipaddress
import math
import resource
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, final, get_args

import Pyro4
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from Pyro4 import socketutil

from bohb_seg.errors import SettingsError

Role = Literal["master", "worker"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
AUTHORITY: Final = "ca.pem"
"""Name of the authority's certificate in every folder with certificates."""

CALL_TIMEOUT = 10.0
"""Seconds that any remote call may take. Every call here is answered at once by design (what takes
long is queued behind it), so this only has to outlast a busy machine and a slow network."""
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Largest message; learning curves of a thousand epochs are below one megabyte, and checkpoints
travel in pieces of one."""
TRANSIENT: Final = (Pyro4.errors.PyroError, OSError, SystemError)
"""What a remote call raises that may work when it is made again. SystemError is of either side's
parser, which serpent uses and threads confuse in Python 3.11 (python/cpython#106905)."""
MAX_OPEN_FILES = 65_536
"""Far above what 256 workers need. Not simply the hard limit: it may be a thousand million, and
some programs that are started from here walk through all descriptors there could be."""
MAX_DEPTH = 32
"""Lists in lists that are kept; deeper ones become ``"..."``."""
MAX_INTEGER_BITS = 1023
"""Larger integers are infinite to everybody who computes with floats."""


@dataclass(frozen=True)
class _Tls:
    """What this process shows and what it demands."""

    authority: x509.Certificate
    server: ssl.SSLContext
    client: ssl.SSLContext


_tls: _Tls | None = None


def set_up_pyro(tls: Path | None = None, role: Role = "master") -> None:
    """Sets Pyro4's process-wide switches; to be called before the first daemon or proxy.

    Args:
        tls: Folder made by ``bohb-certs``; None speaks plain TCP.
        role: Which of its certificates is ours.

    Raises:
        SettingsError: a certificate or its key is missing, unreadable, expired or of another kind.
    """
    global _tls
    _tls = _read(tls, role) if tls else None
    config = Pyro4.config
    config.SERIALIZER = "serpent"
    config.SERIALIZERS_ACCEPTED = {"serpent"}
    config.SERVERTYPE = "multiplex"
    config.MAX_MESSAGE_SIZE = MAX_MESSAGE_BYTES
    config.SOCK_NODELAY = True
    config.SOCK_REUSE = True
    config.SSL = config.SSL_REQUIRECLIENTCERT = _tls is not None
    if tls:
        config.SSL_CACERTS = str(tls / AUTHORITY)
        config.SSL_SERVERCERT = config.SSL_CLIENTCERT = str(tls / f"{role}.pem")
        config.SSL_SERVERKEY = config.SSL_CLIENTKEY = str(tls / f"{role}.key")
    # Pyro4 keeps its contexts under these names. Those it would make itself also trust every
    # public authority and check host names.
    contexts = {"__ssl_server_context": _tls and _tls.server}
    vars(socketutil).update(contexts, __ssl_client_context=_tls and _tls.client)
    _raise_file_limit()


def check(folder: Path, role: Role) -> None:
    """Looks whether the certificates in ``folder`` would do for ``role``.

    Raises:
        SettingsError: as :func:`set_up_pyro`.
    """
    _read(folder, role)


def valid_until(folder: Path, role: Role) -> datetime:
    """When the first of a role's certificates in ``folder`` expires.

    Raises:
        SettingsError: one of them is missing, unreadable or not valid now.
    """
    names = AUTHORITY, f"{role}.pem"
    return min(_certificate(folder / name).not_valid_after_utc for name in names)


@final
class Proxy(Pyro4.Proxy):  # type: ignore[misc]
    """A Pyro4 proxy that talks only to a peer of the role it expects."""

    def __init__(self, uri: str, of: Role = "master") -> None:
        object.__setattr__(self, "_of", of)  # Pyro4 takes other assignments for remote ones
        super().__init__(uri)

    def _pyroValidateHandshake(self, response: object) -> None:  # noqa: N802 - Pyro4's hook
        try:
            role = role_of(self._pyroConnection.sock)
            if role is not None and role != self._of:
                raise Pyro4.errors.SecurityError(
                    f"{self._pyroUri} shows the certificate of a {role}, not of the {self._of}"
                )
        except Pyro4.errors.SecurityError:
            self._pyroRelease()  # else the next call would use this connection
            raise


def proxy(uri: str, timeout: float = CALL_TIMEOUT, of: Role = "master") -> Any:
    """A proxy whose every call ends within ``timeout`` seconds.

    With TLS its calls raise Pyro4's ``SecurityError`` if the peer's role is not ``of``.
    """
    remote = Proxy(uri, of)
    remote._pyroTimeout = timeout
    return remote


def nameserver(host: str, port: int) -> Any:
    """A proxy of the Pyro4 nameserver at ``host:port``, which the master runs."""
    return proxy(f"PYRO:Pyro.NameServer@{host}:{port}")


def server_side(sock: socket.socket) -> socket.socket:
    """An accepted connection, to be encrypted if TLS is on; nothing is sent or awaited yet."""
    if _tls is None:
        return sock
    return _tls.server.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)


def role_of(sock: socket.socket) -> Role | None:
    """What the peer's certificate says it is; None if TLS is off.

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
    """The role a certificate carries as an alternative name.

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
    """How a certificate's alternative names express a role."""
    return f"urn:bohb-seg:{role}"


def is_loopback(host: str) -> bool:
    """Whether every address that ``host`` stands for stays on this machine."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(address[4][0]).is_loopback for address in found)


def text(value: object, limit: int = 300) -> str:
    """``value``, if it is text of at most ``limit`` characters that can be written to a file.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, str) or len(value) > limit or _writable(value) != value:
        raise ValueError(f"expected a text of at most {limit} characters")
    return str(value)


def plain(value: object, depth: int = MAX_DEPTH) -> Any:
    """Turns a value into plain Python: None, bool, int, float, str, list and dict.

    NumPy scalars and arrays become numbers and lists, NaN, infinity and integers beyond every
    float become None, tuples and sets become lists, everything else its text. Containers deeper
    than ``depth`` become ``"..."``. The result can be written as JSON.
    """
    if isinstance(value, str):
        return _writable(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if value.bit_length() <= MAX_INTEGER_BITS else None
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping | list | tuple | set | frozenset) and depth == 0:
        return "..."
    if isinstance(value, Mapping):
        return {_as_text(key): plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, depth - 1) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist(), depth)
    return _as_text(value)


def _as_text(value: object) -> str:
    try:
        return _writable(str(value))
    except ValueError:  # Python does not spell out integers of many thousand digits
        return "..."


def _writable(value: str) -> str:
    """Replaces halves of surrogate pairs, which no file can hold but a message can."""
    return str(value) if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def _raise_file_limit() -> None:
    """Two hundred workers with three connections each exceed the usual 1024 descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


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


_COPY = "copy all files again from the folder that bohb-certs made"


def _unreadable(path: Path, error: OSError) -> str:
    return f"{path} cannot be read ({error.strerror}); {_COPY}, or make one with bohb-certs"
