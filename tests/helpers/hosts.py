"""Hosts of our own on this machine: network namespaces joined by a bridge, whose links can be cut.

The bridge lies in a namespace too, so that nothing outside is touched and everything is gone when
the namespaces are. A cut is silent, as when a cable is pulled: packets are dropped by a rule of
nftables at the bridge, nobody is told. Needs root, ``ip`` and ``nft``.
"""

import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.cluster import Place

_numbers = itertools.count()


def missing() -> str:
    """Why there can be no such hosts here; "" if there can."""
    if os.geteuid():
        return "network namespaces need root"
    if absent := [tool for tool in ("ip", "nft") if shutil.which(tool) is None]:
        return f"{' and '.join(absent)} not installed"
    try:
        with hosts(1) as network:
            network.cut(0)
    except subprocess.CalledProcessError as error:
        return f"no network namespaces here ({error.stderr.strip()})"
    return ""


class Network:
    """Some hosts and the bridge between them.

    Args:
        name: Beginning of the names of all namespaces.
        count: Number of hosts, at most 250; their addresses are 10.99.0.1 and so on.
    """

    def __init__(self, name: str, count: int) -> None:
        self._hub, self._name = f"{name}-hub", name
        self.places = tuple(
            Place(f"10.99.0.{number + 1}", ("ip", "netns", "exec", f"{name}-{number}"))
            for number in range(count)
        )

    def build(self) -> None:
        """Makes the namespaces and plugs the cables in."""
        _run("ip", "netns", "add", self._hub)
        _run("ip", "-n", self._hub, "link", "add", "bridge", "type", "bridge")
        _run("ip", "-n", self._hub, "link", "set", "bridge", "up")
        for number, place in enumerate(self.places):
            self._plug_in(number, place)

    def cut(self, number: int) -> None:
        """Lets nothing get from or to this host any more; nobody is told."""
        table, port = f"cut{number}", f"port{number}"
        rules = "; ".join(f"{way}ifname {port} drop" for way in "io")
        chain = f"chain cable {{ type filter hook forward priority 0; {rules}; }}"
        self._nft(f"table bridge {table} {{ {chain}; }}")

    def heal(self, number: int) -> None:
        """Lets the host be reached again."""
        self._nft(f"delete table bridge cut{number}")

    def remove(self) -> None:
        """Removes all namespaces, and with them the devices in them."""
        for name in (self._hub, *(f"{self._name}-{n}" for n in range(len(self.places)))):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)

    def _plug_in(self, number: int, place: Place) -> None:
        host, port = f"{self._name}-{number}", f"port{number}"
        _run("ip", "netns", "add", host)
        cable = ("type", "veth", "peer", "name", "eth0", "netns", host)
        _run("ip", "-n", self._hub, "link", "add", port, *cable)
        _run("ip", "-n", self._hub, "link", "set", port, "master", "bridge", "up")
        _run("ip", "-n", host, "address", "add", f"{place.address}/24", "dev", "eth0")
        for device in ("eth0", "lo"):
            _run("ip", "-n", host, "link", "set", device, "up")

    def _nft(self, rule: str) -> None:
        _run("ip", "netns", "exec", self._hub, "nft", rule)


@contextmanager
def hosts(count: int) -> Iterator[Network]:
    """Yields so many hosts; they are removed whatever happens, at the latest by the next call."""
    _remove_orphans()
    network = Network(f"bohb{os.getpid()}x{next(_numbers)}", count)
    try:
        network.build()
        yield network
    finally:
        network.remove()


def renamed(place: Place, name: str, alone: bool = False) -> Place:
    """Returns the same host under another host name.

    Args:
        place: The host.
        name: The other host name.
        alone: Whether commands have process ids of their own, from 1 on, as in Docker.
    """
    kinds = ("--uts", *(("--pid", "--fork", "--kill-child", "--mount-proc") if alone else ()))
    rename = ("sh", "-c", 'hostname "$0" && exec "$@"', name)
    return Place(place.address, (*place.enter, "unshare", *kinds, *rename))


def _remove_orphans() -> None:
    """Removes the namespaces of processes that were killed."""
    for space in Path("/run/netns").glob("bohb*x*"):
        owner = re.match(r"bohb(\d+)x", space.name)
        if owner and not Path(f"/proc/{owner[1]}").exists():
            subprocess.run(["ip", "netns", "delete", space.name], check=False)


def _run(*words: str) -> None:
    subprocess.run(words, capture_output=True, text=True, check=True)
