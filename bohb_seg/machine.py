"""Facts about this machine, found without importing anything heavy."""

import ipaddress
import itertools
import os
import re
import resource
import socket
import sys
from pathlib import Path

_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Where a container finds its memory limit, in bytes: version 2 and version 1."""
_LOCATION = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)\]|(?P<host>[^\s:\[\]]+)):(?P<port>[0-9]{1,5})"
)
_PCI = Path("/sys/bus/pci/devices")
_GOOGLE = "0x1ae0"
_TPU_CHIPS = frozenset({"0x0027", "0x0056", "0x005e", "0x0062", "0x0063", "0x006f", "0x0076"})
"""PCI device ids of TPU v2 to 7x, those of ``jax._src.hardware_utils``."""


def processors() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0))


def processor() -> str:
    """The processor's model."""
    return _cpuinfo("model name") or "unknown processor"


def processor_flags() -> frozenset[str]:
    """Abilities of the processor, in Linux' words."""
    return frozenset(_cpuinfo("flags").split())


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MB.

    By Linux' own status where there is one: ``ru_maxrss`` begins with what the process had that
    started this one.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line) / 1024


def memory_gb() -> int:
    """Memory that this process may take, rounded: the machine's, or a container's or its limit."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS):
        limits += [limit for limit in resource.getrlimit(kind)[:1] if limit > 0]
    limits += map(int, filter(str.isdigit, map(_content, _CGROUP_LIMITS)))
    return round(min(limits) / 2**30)


def gpus() -> tuple[str, ...]:
    """The NVIDIA GPUs that this process may use, by what CUDA_VISIBLE_DEVICES calls them."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        # CUDA itself stops at the first that is none, for which -1 is commonly written.
        names = (name.strip() for name in allowed.split(","))
        return tuple(itertools.takewhile(lambda name: name not in ("", "-1"), names))
    files = (re.fullmatch(r"nvidia(\d+)", file.name) for file in Path("/dev").glob("nvidia*"))
    return tuple(str(index) for index in range(sum(map(bool, files))))


def tpu_chips() -> int:
    """TPU chips of this machine, found on its PCI bus."""
    devices = (file.parent for file in _PCI.glob("*/vendor") if _content(file) == _GOOGLE)
    return sum(_content(device / "device") in _TPU_CHIPS for device in devices)


def local_workers() -> int:
    """Number of workers for this machine: one per GPU, one for a TPU, or one per 2 processors."""
    if tpu_chips():
        return 1
    return len(gpus()) or max(1, processors() // 2)


def tied(module: str, *words: object) -> list[str]:
    """Command of a child that runs a module, and that ends with this process even by ``kill -9``.

    To be started by a thread that lives as long as the child should.

    Args:
        module: Name of the module.
        words: Its arguments.
    """
    child = (sys.executable, "-m", "bohb_seg.commands.child", os.getpid(), module)
    return list(map(str, (*child, *words)))


def is_loopback(host: str) -> bool:
    """Whether every address that ``host`` stands for stays on this machine."""
    found = _addresses(host)
    return bool(found) and all(address.is_loopback for address in found)


def is_everywhere(host: str) -> bool:
    """Whether ``host`` means every address of this machine, so that nobody can call it."""
    return not host or any(address.is_unspecified for address in _addresses(host))


def bare_host(text: str) -> str:
    """Name or address of a machine, without the brackets that IPv6 addresses have in links.

    Raises:
        ValueError: it has a zone, which only this machine understands.
    """
    if "%" in text:
        raise ValueError("give an address without a zone (%), which other machines do not know")
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text


def location(host: str, port: int) -> str:
    """``host:port`` in one text; an IPv6 address stands in brackets, as in links."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_location(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT`` or ``[IPV6]:PORT``.

    Raises:
        ValueError: it is neither.
    """
    match = _LOCATION.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise ValueError("write HOST:PORT, or [ADDRESS]:PORT for an IPv6 address")
    return match["v6"] or match["host"], int(match["port"])


def checked_location(text: str) -> str:
    """The same text, if :func:`split_location` understands it."""
    split_location(text)
    return text


def _addresses(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Addresses that a host stands for; those of IPv4 in the clothes of IPv6 are taken out."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    addresses = [ipaddress.ip_address(address[4][0]) for address in found]
    return [getattr(address, "ipv4_mapped", None) or address for address in addresses]


def _cpuinfo(field: str) -> str:
    """The first value of a field of Linux' /proc/cpuinfo; empty on other systems."""
    lines = _content(Path("/proc/cpuinfo")).splitlines()
    found = (line.partition(":")[2].strip() for line in lines if line.startswith(field))
    return next(found, "")


def _content(file: Path) -> str:
    """Text of a file of the system; empty if there is none."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
