"""What may cross the wire, and how Pyro4 is set up for it.

Only serpent is spoken, never pickle. A message is bounded in size. Values are made plain before
they are sent, because serpent silently turns what it does not know into dictionaries.
"""

import ipaddress
import math
import socket
from collections.abc import Mapping
from typing import Any

import Pyro4

CALL_TIMEOUT = 10.0
"""Seconds that any remote call may take. Every call here is answered at once by design (what takes
long is queued behind it), so this only has to outlast a busy machine and a slow network."""

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Largest message; learning curves of a thousand epochs are below one megabyte."""


def set_up_pyro() -> None:
    """Sets Pyro4's process-wide switches; to be called before the first daemon or proxy.

    The multiplexing server keeps no thread per connection, so hundreds of workers (or silent
    strangers) cannot exhaust a pool as they do with Pyro4's default of 40 threads.
    """
    Pyro4.config.SERIALIZER = "serpent"
    Pyro4.config.SERIALIZERS_ACCEPTED = {"serpent"}
    Pyro4.config.SERVERTYPE = "multiplex"
    Pyro4.config.MAX_MESSAGE_SIZE = MAX_MESSAGE_BYTES
    Pyro4.config.SOCK_NODELAY = True
    Pyro4.config.SOCK_REUSE = True


def proxy(uri: str, timeout: float = CALL_TIMEOUT) -> Any:
    """A Pyro4 proxy whose every call ends within ``timeout`` seconds."""
    remote = Pyro4.Proxy(uri)
    remote._pyroTimeout = timeout
    return remote


def nameserver(host: str, port: int) -> Any:
    """A proxy of the Pyro4 nameserver at ``host:port``."""
    return proxy(f"PYRO:Pyro.NameServer@{host}:{port}")


def is_loopback(host: str) -> bool:
    """Whether every address that ``host`` stands for stays on this machine."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(address[4][0]).is_loopback for address in found)


def plain(value: object) -> Any:
    """Turns a value into plain Python: None, bool, int, float, str, list and dict.

    NumPy scalars and arrays become numbers and lists, NaN and infinity become None, tuples and
    sets become lists, everything else its text.
    """
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return str(value)
