"""The names of a run in the nameserver, which may be the master's own or another process."""

import contextlib
import itertools
import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final, final

import Pyro4

from bohb_seg import machine
from bohb_seg.errors import ServiceError
from bohb_seg.rpc import names, pyro, values
from bohb_seg.rpc import nameserver as ours

POLL: Final = 0.05
"""Seconds between two looks whether all workers have taken their names away."""

_log = logging.getLogger(__name__)


@final
class Registry:
    """Reads and changes the names of one run; every method is a remote call.

    Whatever a nameserver of others answers or raises becomes an error of the wire.

    Args:
        run_id: The run.
        address: Host and port of the nameserver.
    """

    def __init__(self, run_id: str, address: tuple[str, int]) -> None:
        self._run_id, self.address = run_id, address

    def refuse_second_master(self, resuming: bool) -> None:
        """Makes sure that no other master serves the run.

        Args:
            resuming: Whether a nameserver that does not answer is borne: it was there before, and
                will be back.

        Raises:
            ServiceError: another master does, or the nameserver does not answer.
        """
        dispatcher = names.dispatcher_name(self._run_id)
        try:
            with self._nameserver() as nameserver:
                other = _listed(nameserver, dispatcher).get(dispatcher)
        except pyro.TRANSIENT as error:
            if resuming:
                return
            where = machine.location(*self.address)
            raise ServiceError(
                f"nameserver {where} does not answer ({values.line(error)}); check --nameserver"
            ) from None
        if other is not None and _answers(other):
            raise ServiceError(
                f"a master already serves this run at {values.line(other).partition('@')[2]}; end"
                " it, or choose another --run-id"
            )

    def workers(self, dispatcher: str) -> Mapping[str, str]:
        """Names and addresses of the run's workers, as far as they are sound and not too many.

        Args:
            dispatcher: Address of the master's dispatcher. It is registered if it is missing,
                because the nameserver may have been restarted.

        Raises:
            pyro.TRANSIENT: the nameserver does not answer.
        """
        name = names.dispatcher_name(self._run_id)
        with self._nameserver() as nameserver:
            found = _listed(nameserver, names.prefix(self._run_id))
            if found.get(name) != dispatcher:
                nameserver.register(name, dispatcher)
        prefix = names.workers_prefix(self._run_id)
        workers = (
            pair for pair in found.items() if pair[0].startswith(prefix) and _is_sound(*pair)
        )
        return dict(itertools.islice(workers, ours.MAX_NAMES))

    def forget(self, name: str, uri: str) -> None:
        """Removes a name, unless it has another address by now or the nameserver is silent."""
        try:
            with self._nameserver() as nameserver:
                if _listed(nameserver, name).get(name) == uri:
                    nameserver.remove(name)
        except pyro.TRANSIENT as error:
            _log.debug("could not remove %s: %s", name, values.line(error))

    def wait_for_sign_off(self, seconds: float) -> None:
        """Waits until all workers have removed their names, at most so many seconds."""
        workers, until = names.workers_prefix(self._run_id), time.monotonic() + seconds
        with contextlib.suppress(*pyro.TRANSIENT), self._nameserver() as nameserver:
            while _listed(nameserver, workers) and time.monotonic() < until:
                time.sleep(POLL)

    @contextlib.contextmanager
    def _nameserver(self) -> Iterator[Any]:
        with pyro.nameserver(*self.address) as nameserver, pyro.bearing("the nameserver"):
            yield nameserver


def _listed(nameserver: Any, prefix: str) -> dict[str, str]:
    """Names that begin so, with their addresses."""
    found = nameserver.list(prefix=prefix)
    if not isinstance(found, dict):
        raise Pyro4.errors.ProtocolError("it lists no names; is it a nameserver?")
    return {name: uri for name, uri in found.items() if {type(name), type(uri)} == {str}}


def _is_sound(name: str, uri: str) -> bool:
    """Whether our own nameserver would keep the name; another may keep anything."""
    try:
        return names.is_worker(name) and ours.address(uri) == uri
    except ValueError:
        return False


def _answers(uri: str) -> bool:
    try:
        with pyro.proxy(uri) as other:
            other._pyroBind()
    except pyro.TRANSIENT:
        return False
    return True
