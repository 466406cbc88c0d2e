"""The nameserver of a run: Pyro4's own, with limits on who may change which name."""

import time
from typing import Final, final

import Pyro4
import Pyro4.naming

from bohb_seg.rpc import names, speakers, values

MAX_NAMES: Final = 1024
"""Names that are kept; four times 256 workers. Each worker takes a thread of the master."""
MAX_OF_ONE: Final = 64
"""Names of the workers that share one certificate of their own; a machine with 16 GPUs has 16."""
IN_A_ROW: Final = 128
"""Names that the holder of such a certificate may register at once, then one a second. Each that
comes and goes leaves some lines in the journal, which would fill the disk."""
NAME_LENGTH: Final = 300
"""Characters of a name or an address."""
_Refused = Pyro4.errors.SecurityError


@final
@Pyro4.expose
class NameServer(Pyro4.naming.NameServer):  # type: ignore[misc]
    """Pyro4's nameserver, to be registered in a daemon as :data:`bohb_seg.rpc.names.NAMESERVER`.

    With TLS a worker may list and look up everything, but register and remove only names of
    workers for which it speaks (:mod:`bohb_seg.rpc.speakers`). Nobody may remove many at once, list
    by a regular expression (a bad one runs for ever) or attach metadata. Calls from this process
    are not restricted.
    """

    def __init__(self) -> None:
        super().__init__()
        self._used: dict[str, tuple[float, float]] = {}  # by owner: names in a row, and when

    def register(
        self, name: object, uri: object, safe: bool = False, metadata: object = None
    ) -> None:
        """Gives an object's address a name."""
        _permit(name)
        if metadata:
            raise _Refused("metadata is not kept here")
        name, uri = values.word(name, NAME_LENGTH), address(uri)
        with self.lock:
            if name not in self.storage:
                self._demand_room(name)
                self._demand_rest(speakers.owner(name))
            super().register(name, uri, bool(safe))

    def _demand_room(self, name: str) -> None:
        if len(self.storage) >= MAX_NAMES:
            raise Pyro4.errors.NamingError(f"there are {MAX_NAMES} names already")
        owner = speakers.owner(name)
        if owner and sum(speakers.owner(each) == owner for each in self.storage) >= MAX_OF_ONE:
            raise Pyro4.errors.NamingError(f"{owner} has {MAX_OF_ONE} names already")

    def _demand_rest(self, owner: str) -> None:
        if not owner:
            return
        now = time.monotonic()
        used, then = self._used.get(owner, (0.0, now))
        used = max(0.0, used - (now - then)) + 1
        if used > IN_A_ROW:
            raise Pyro4.errors.NamingError(f"{owner} registers too many names; try again later")
        self._used[owner] = used, now

    def remove(self, name: object = None, prefix: object = None, regex: object = None) -> int:
        """Removes a name; returns how many were removed."""
        _permit(name)
        if _is_remote() and (prefix or regex):
            raise _Refused("names are removed one by one")
        with self.lock:
            return int(super().remove(name, prefix, regex))

    def lookup(self, name: object, return_metadata: bool = False) -> object:
        """The address behind a name."""
        name = values.word(name, NAME_LENGTH)
        with self.lock:
            return super().lookup(name, return_metadata)

    def list(
        self,
        prefix: object = None,
        regex: object = None,
        metadata_all: object = None,
        metadata_any: object = None,
        return_metadata: bool = False,
    ) -> object:
        """Names that begin with ``prefix``, with their addresses."""
        if _is_remote() and regex:
            raise _Refused("names are not listed by regular expressions")
        with self.lock:
            return super().list(prefix, regex, metadata_all, metadata_any, return_metadata)

    def set_metadata(self, name: object, metadata: object) -> None:
        """Refused."""
        raise _Refused("metadata is not kept here")


def _is_remote() -> bool:
    return Pyro4.current_context.client is not None


def _permit(name: object) -> None:
    holder = speakers.caller()
    if holder is None or holder.role != "worker" or name is None:
        return
    if not names.is_worker(values.word(name, NAME_LENGTH)):
        raise _Refused("a worker may register and remove workers only")
    speakers.demand(name)


def address(uri: object) -> str:
    """An object's address as text.

    Raises:
        ValueError: it does not name an object, a host and a port.
    """
    try:
        parsed = Pyro4.URI(values.word(str(uri), NAME_LENGTH))
    except Pyro4.errors.PyroError as error:
        raise ValueError(f"no address of an object: {error}") from None
    if parsed.protocol != "PYRO" or not parsed.host or not 0 < parsed.port < 65536:
        raise ValueError("no address of an object on a host and port")
    return str(parsed)
