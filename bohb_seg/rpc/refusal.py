"""Why the master takes our certificate no more, told by the master alone.

A revoked worker hears so instead of an introduction, when it does not know yet who is speaking.
Another worker might say it, too. So it is asked once more, by whoever first looks at the
certificate of the other side.
"""

import socket

import Pyro4
from Pyro4 import message, socketutil, util

from bohb_seg.rpc import tls

_NEWS = message.MSG_CONNECTOK, message.MSG_CONNECTFAIL


def told_by_the_master(host: str, port: int, timeout: float) -> str:
    """Introduces this process to the master once more.

    Args:
        host: Host of the master.
        port: Its port.
        timeout: Seconds that the connection, and each step of the introduction, may take.

    Returns:
        The reason for which the master refuses the introduction; "" if it does not, if it does not
        answer, or if it is not the master who answers.
    """
    try:
        plain = socket.create_connection((host, port), timeout)
        with plain, tls.client_side(plain) as peer:
            holder = tls.holder_of(peer)
            return _asked(peer) if holder is not None and holder.role == "master" else ""
    except (OSError, Pyro4.errors.PyroError, ValueError, LookupError, TypeError):
        return ""


def _asked(peer: socket.socket) -> str:
    connection = socketutil.SocketConnection(peer)
    serializer = util.get_serializer(Pyro4.config.SERIALIZER)
    data, _ = serializer.serializeData({"handshake": "hello"})
    question = message.Message(message.MSG_CONNECT, data, serializer.serializer_id, 0, 0)
    connection.send(question.to_bytes())
    answer = message.Message.recv(connection, _NEWS)
    if answer.type != message.MSG_CONNECTFAIL:
        return ""
    return str(util.get_serializer_by_id(answer.serializer_id).deserializeData(answer.data))
