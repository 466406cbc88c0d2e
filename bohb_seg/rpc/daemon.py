"""A Pyro4 daemon that no peer can stall.

Pyro4's own servers wait for a new peer in the loop that serves all others, or give every peer one
of forty threads: one silent connection, or forty-five, stop them. This one has a server of its own,
with a thread for each connection (:mod:`bohb_seg.rpc.server`), and reads only whole messages
(:mod:`bohb_seg.rpc.connection`).
"""

import threading
from collections.abc import Callable, Collection
from typing import final

import Pyro4

from bohb_seg.rpc.connection import Connection
from bohb_seg.rpc.holders import Role
from bohb_seg.rpc.server import Server
from bohb_seg.rpc.steady_thread import SteadyThread


def _ignore(connection: Connection) -> None:
    """Does nothing."""


@final
class Daemon(Pyro4.Daemon):  # type: ignore[misc]
    """Serves remote objects as Pyro4's own daemon does.

    Args:
        host: Address to serve on.
        port: Port to serve on; 0 takes any free one.
        admits: Roles whose certificates are accepted; without TLS everybody is.
        lost: Told of every introduced connection that has ended, unless the daemon itself ends.
            During a call its connection is ``Pyro4.current_context.client``.

    Raises:
        OSError: the address cannot be had.
    """

    def __init__(
        self,
        host: str,
        port: int = 0,
        *,
        admits: Collection[Role],
        lost: Callable[[Connection], None] = _ignore,
    ) -> None:
        self._server = Server(frozenset(admits))
        self._lost = lost
        super().__init__(host, port)

    @property
    def transportServer(self) -> Server:  # noqa: N802 - Pyro4's name
        """The server that carries the messages. Pyro4 assigns one of its own, which is not used."""
        return self._server

    @transportServer.setter
    def transportServer(self, unused: object) -> None:  # noqa: N802
        pass

    def requestLoop(self, loopCondition: object = None) -> None:  # noqa: N802, N803
        """Serves until :meth:`shutdown`, which may also come first."""
        self._server.loop()

    def shutdown(self) -> None:
        """Ends the service and all connections; calls in progress get a moment to be answered."""
        self._server.close()

    def close(self) -> None:
        """The same as :meth:`shutdown`."""
        self._server.close()

    def clientDisconnect(self, conn: Connection) -> None:  # noqa: N802 - Pyro4's hook
        """Tells the owner."""
        self._lost(conn)


def serve_in_background(daemon: Daemon, name: str) -> threading.Thread:
    """Runs a daemon's loop in a thread of its own, which ends with :meth:`Daemon.shutdown`."""
    thread = SteadyThread(daemon.requestLoop, name)
    thread.start()
    return thread
