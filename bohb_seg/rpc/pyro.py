"""Pyro4's set-up for both halves: serializer, limits, TLS, and proxies that know their peer.

* Only serpent is spoken, never pickle. Values are made plain (:mod:`bohb_seg.rpc.values`) before
  they are sent, because serpent silently turns what it does not know into dictionaries, and again
  when they have arrived.
* Pyro4's switches hold for the whole process, and so do ours.
"""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, final

import Pyro4
from Pyro4 import socketutil

from bohb_seg import machine
from bohb_seg.errors import BohbSegError
from bohb_seg.rpc import refusal, serializer, speakers, tls, values
from bohb_seg.rpc.holders import Holder, Role
from bohb_seg.rpc.names import NAMESERVER
from bohb_seg.rpc.tls import AUTHORITY

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


def set_up_pyro(folder: Path | None = None, role: Role = "master") -> None:
    """Sets Pyro4's process-wide switches; to be called before the first daemon or proxy.

    Args:
        folder: Made by ``bohb-certs``; None speaks plain TCP.
        role: Which of its certificates is ours.

    Raises:
        SettingsError: a certificate or its key is missing, unreadable, expired or of another kind.
    """
    server, client = tls.demand(folder, role)
    serializer.install()
    config = Pyro4.config
    config.SERIALIZER = "serpent"
    config.SERIALIZERS_ACCEPTED = {"serpent"}
    config.SERVERTYPE = "multiplex"
    config.MAX_MESSAGE_SIZE = MAX_MESSAGE_BYTES
    config.SOCK_NODELAY = True
    config.SOCK_REUSE = True
    config.ONEWAY_THREADED = False  # else a peer can have as many threads as it likes
    config.SSL = config.SSL_REQUIRECLIENTCERT = folder is not None
    if folder:
        config.SSL_CACERTS = str(folder / AUTHORITY)
        config.SSL_SERVERCERT = config.SSL_CLIENTCERT = str(folder / f"{role}.pem")
        config.SSL_SERVERKEY = config.SSL_CLIENTKEY = str(folder / f"{role}.key")
    # Pyro4 keeps its contexts under these names. Those it would make itself also trust every
    # public authority and check host names.
    contexts = {"__ssl_server_context": server, "__ssl_client_context": client}
    vars(socketutil).update(contexts)
    _raise_file_limit()


@final
class Proxy(Pyro4.Proxy):  # type: ignore[misc]
    """A Pyro4 proxy that talks only to the peer it expects."""

    def __init__(self, uri: str, of: Role = "master", worker: str = "") -> None:
        # Pyro4 takes other assignments for remote ones.
        object.__setattr__(self, "_of", of)
        object.__setattr__(self, "_worker", worker)
        object.__setattr__(self, "_holder", None)
        super().__init__(uri)

    def _pyroValidateHandshake(self, response: object) -> None:  # noqa: N802 - Pyro4's hook
        try:
            holder = tls.holder_of(self._pyroConnection.sock)
            if holder is not None and holder.role != self._of:
                raise Pyro4.errors.SecurityError(
                    f"{self._pyroUri} shows the certificate of a {holder.role}, not of the"
                    f" {self._of}"
                )
            self._check(holder)
        except Pyro4.errors.SecurityError:
            self._pyroRelease()  # else the next call would use this connection
            raise
        object.__setattr__(self, "_holder", holder)

    def _pyroInvoke(self, *arguments: Any, **keywords: Any) -> Any:  # noqa: N802 - Pyro4's
        if self._pyroConnection is None:
            self._pyroBind()
        elif reason := tls.refusal(self._holder):
            self._pyroRelease()
            raise Pyro4.errors.SecurityError(reason)
        return super()._pyroInvoke(*arguments, **keywords)

    def _pyroBind(self) -> Any:  # noqa: N802 - Pyro4's
        with self._sound_introduction():
            return super()._pyroBind()

    def _pyroReconnect(self, *arguments: Any, **keywords: Any) -> Any:  # noqa: N802 - Pyro4's
        with self._sound_introduction():
            return super()._pyroReconnect(*arguments, **keywords)

    def _pyroGetMetadata(self, *arguments: Any, **keywords: Any) -> Any:  # noqa: N802 - Pyro4's
        with self._sound_introduction():  # the first use of a method connects here
            return super()._pyroGetMetadata(*arguments, **keywords)

    @contextlib.contextmanager
    def _sound_introduction(self) -> Iterator[None]:
        """Makes an error of the wire of whatever a peer says in place of its introduction."""
        try:
            yield
        except tls.CertificateOverError:
            raise
        except Pyro4.errors.CommunicationError as error:
            self._end_if_in_vain(str(error))
            raise
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            self._pyroRelease()
            raise Pyro4.errors.ProtocolError(f"no introduction: {error!r}") from None

    def _end_if_in_vain(self, said: str) -> None:
        """Raises if a master says of a worker's certificate what holds for ever.

        Raises:
            CertificateOverError: the certificate expired, or was revoked.
        """
        own, place = tls.own(), self._pyroUri
        if own is None or (own.role, self._of) != ("worker", "master"):
            return
        end = tls.own_end(said)
        if end and not tls.own_end(""):  # somebody says so: perhaps another worker
            timeout = self._pyroTimeout or CALL_TIMEOUT
            end = tls.own_end(refusal.told_by_the_master(place.host, place.port, timeout))
        if end:
            raise tls.CertificateOverError(
                f"{end}, so no master takes this worker any more; start it with another"
                " certificate, which 'bohb-certs DIR --worker NAME' makes"
            )

    def _check(self, holder: Holder | None) -> None:
        if reason := tls.refusal(holder):
            raise Pyro4.errors.SecurityError(reason)
        if self._worker and not speakers.may_speak(holder, self._worker):
            raise Pyro4.errors.SecurityError(
                f"{self._pyroUri} shows the certificate of another worker than {self._worker}"
            )


def proxy(uri: str, timeout: float = CALL_TIMEOUT, of: Role = "master", worker: str = "") -> Any:
    """A proxy whose every call ends within ``timeout`` seconds.

    Args:
        uri: Address of the object.
        timeout: Seconds.
        of: Role that the peer must have; with TLS, calls raise Pyro4's ``SecurityError`` if it has
            another.
        worker: Name of the worker that the peer must be, in the same way; "" asks for none.
    """
    remote = Proxy(uri, of, worker)
    remote._pyroTimeout = timeout
    return remote


def nameserver(host: str, port: int) -> Any:
    """A proxy of the Pyro4 nameserver at this address, which the master runs."""
    return proxy(f"PYRO:{NAMESERVER}@{machine.location(host, port)}")


@contextlib.contextmanager
def bearing(whom: str) -> Iterator[None]:
    """Makes an error of the wire of whatever a stranger's answer leads to, or that it raised.

    Args:
        whom: The stranger, for the error.

    Raises:
        TRANSIENT: as it is, or in place of any other error that is none of ours.
    """
    try:
        yield
    except (*TRANSIENT, BohbSegError):
        raise
    except Exception as error:
        raise Pyro4.errors.ProtocolError(f"{whom} says {values.line(repr(error))}") from None


def _raise_file_limit() -> None:
    """Two hundred workers with three connections each exceed the usual 1024 descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
