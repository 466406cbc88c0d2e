"""The words of two machines that do not know each other yet: a line of JSON each, bounded.

Who writes to us is a stranger, so a line has few bytes, a short time, and holds texts only.
"""

import json
import socket
import time
from collections.abc import Mapping
from typing import Final

LINE_BYTES: Final = 16_384
"""Length of a line; certificates and requests have one thousand."""
WHOLE_TIME: Final = 10.0
"""Seconds that a whole conversation may take."""


def say(peer: socket.socket, **words: str) -> None:
    """Sends a line.

    Raises:
        OSError: it cannot be sent.
    """
    peer.sendall(json.dumps(words).encode("ascii") + b"\n")


def hear(peer: socket.socket, until: float) -> Mapping[str, str]:
    """Waits for a line.

    Args:
        peer: The connection.
        until: Monotonic seconds at which the line must be whole.

    Returns:
        The texts by their names; {} at the end of the conversation.

    Raises:
        ValueError: it is no such line.
        OSError: the connection is broken, or the time is over.
    """
    heard = bytearray()
    while not heard.endswith(b"\n"):
        peer.settimeout(max(0.001, until - time.monotonic()))
        more = peer.recv(LINE_BYTES)
        heard += more
        if not more and not heard:
            return {}
        if not more or len(heard) > LINE_BYTES:
            raise ValueError("no line of this protocol")
    try:
        found = json.loads(heard)
    except RecursionError:
        raise ValueError("no line of this protocol") from None
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise ValueError("no line of this protocol")
    return found
