"""Pyro4's set-up for both halves: serializer, limits, TLS, and proxies that know their peer.

* Only serpent is spoken, never pickle. Values are made plain (:mod:`bohb_seg.rpc.values`) before
  they are sent, because serpent silently turns what it does not know into dictionaries, and again
  when they have arrived.
* Pyro4's switches hold for the whole process, and so do ours.
"""

import resource
from pathlib import Path
from typing import Any, Final, final

import Pyro4
from Pyro4 import socketutil

from bohb_seg import machine
from bohb_seg.rpc.names import NAMESERVER
from bohb_seg.rpc.tls import AUTHORITY, Role, demand, role_of

CALL_TIMEOUT: Final = 10.0
"""Seconds that any remote call may take. Every call is answered at once by design (work that takes
long is queued behind it), so this only has to outlast a busy machine and a slow network."""
MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""Largest message; learning curves of a thousand epochs are below one megabyte, and checkpoints
travel in pieces of one."""
TRANSIENT: Final = (Pyro4.errors.PyroError, OSError, SystemError)
"""Errors of a remote call that may work when it is made again. SystemError comes from Python's own
parser, which serpent uses on both sides and threads confuse in 3.11 (python/cpython#106905)."""
MAX_OPEN_FILES: Final = 65_536
"""Descriptors; far more than 256 workers need. Not simply the hard limit, which may be a thousand
million: some programs that are started from here walk through all descriptors there could be."""


def set_up_pyro(tls: Path | None = None, role: Role = "master") -> None:
    """Sets Pyro4's process-wide switches; to be called before the first daemon or proxy.

    Args:
        tls: Folder made by ``bohb-certs``; None speaks plain TCP.
        role: Which of its certificates is ours.

    Raises:
        SettingsError: a certificate or its key is missing, unreadable, expired or of another kind.
    """
    server, client = demand(tls, role)
    config = Pyro4.config
    config.SERIALIZER = "serpent"
    config.SERIALIZERS_ACCEPTED = {"serpent"}
    config.SERVERTYPE = "multiplex"
    config.MAX_MESSAGE_SIZE = MAX_MESSAGE_BYTES
    config.SOCK_NODELAY = True
    config.SOCK_REUSE = True
    config.SSL = config.SSL_REQUIRECLIENTCERT = tls is not None
    if tls:
        config.SSL_CACERTS = str(tls / AUTHORITY)
        config.SSL_SERVERCERT = config.SSL_CLIENTCERT = str(tls / f"{role}.pem")
        config.SSL_SERVERKEY = config.SSL_CLIENTKEY = str(tls / f"{role}.key")
    # Pyro4 keeps its contexts under these names. Those it would make itself also trust every
    # public authority and check host names.
    contexts = {"__ssl_server_context": server, "__ssl_client_context": client}
    vars(socketutil).update(contexts)
    _raise_file_limit()


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

    Args:
        uri: Address of the object.
        timeout: Seconds.
        of: Role that the peer must have; with TLS, calls raise Pyro4's ``SecurityError`` if it has
            another.
    """
    remote = Proxy(uri, of)
    remote._pyroTimeout = timeout
    return remote


def nameserver(host: str, port: int) -> Any:
    """A proxy of the Pyro4 nameserver at this address, which the master runs."""
    return proxy(f"PYRO:{NAMESERVER}@{machine.location(host, port)}")


def _raise_file_limit() -> None:
    """Two hundred workers with three connections each exceed the usual 1024 descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
