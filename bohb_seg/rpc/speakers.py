"""The right to speak for a worker: nobody but the holder of its certificate has it.

A worker with a certificate of its own has a name that says so::

    hpbandster.run_<run id>.worker.~<certificate>.<host>.<process id>.<id>

No host's name has a ``~``, so the mark cannot be had otherwise, and the name alone tells whose it
is: also after a restart of the master, and in a nameserver of others. Every name without the mark
may be used by whoever holds the certificate that workers share. HpBandSter's own workers cannot set
the mark; with a certificate of its own such a worker may use names that begin with its NAME.
"""

import re

import Pyro4

from bohb_seg.rpc import names, values
from bohb_seg.rpc.holders import Holder

_MARK = re.compile(r"~([^.]+)\..+")


def marked(worker: str, holder: Holder | None) -> str:
    """Name that a worker of this name takes if it shows the certificate of this holder."""
    if holder is None or not holder.is_personal:
        return worker
    rest = names.worker_name(worker)
    return f"{worker.removesuffix(rest)}~{holder.name}.{rest}"


def owner(worker: str) -> str:
    """Name of the certificate that the worker's name is bound to; "" if to none."""
    match = _MARK.fullmatch(names.worker_name(worker))
    return match[1] if match else ""


def may_speak(holder: Holder | None, worker: str) -> bool:
    """Whether a peer may act as this worker.

    Args:
        holder: Holder of its certificate; None if TLS is off: then everybody may.
        worker: Name of the worker.
    """
    if holder is None or holder.role == "master":
        return True
    rest = names.worker_name(worker)
    if rest.startswith("~"):
        return owner(worker) == holder.name
    return holder.name in (holder.role, rest.partition(".")[0])


def caller() -> Holder | None:
    """Holder of the certificate of whoever makes the present remote call.

    None if TLS is off or the call comes from this process.
    """
    return getattr(Pyro4.current_context.client, "holder", None)


def party() -> str:
    """Certificate or machine of whoever makes the present remote call; "" if it cannot be told."""
    return str(getattr(Pyro4.current_context.client, "party", ""))


def demand(worker: object) -> str:
    """Makes sure that the present remote call comes from this worker; returns the worker's name.

    Raises:
        Pyro4.errors.SecurityError: it comes from another.
    """
    name, holder = str(worker), caller()
    if holder is not None and not may_speak(holder, name):
        raise Pyro4.errors.SecurityError(
            f"the certificate of {holder.name} does not speak for {values.line(name, 100)}"
        )
    return name
