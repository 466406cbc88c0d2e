"""A Debian with nothing in it, for what must work on a machine that has nothing yet.

:func:`root` unpacks one; what is made of it - booted, imported into Docker, entered by ``chroot`` -
is the test's business. Where packages come from and through which proxies and authorities is read
from this machine's own settings of apt and pip each time, and written into every root, so that
``apt-get`` and ``pip`` work in it as they do here.
"""

import fcntl
import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

CACHE = Path("~/.cache/bohb-seg/tests").expanduser()
AUTHORITIES = Path("/usr/local/share/authorities.pem")
"""In a root: what this machine trusts. No package owns it, so none overwrites it."""
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
"""The same where Debian's programs look for it; installing ca-certificates writes it anew."""
ANSWERS_WITHIN = 20.0
"""Seconds after which a mirror counts as unreachable."""


@functools.cache
def why_not() -> str:
    """Why no Debian root can be made here; "" if one can."""
    if os.geteuid():
        return "making a Debian root needs root"
    if missing := [tool for tool in ("apt-get", "debootstrap") if shutil.which(tool) is None]:
        return f"{' and '.join(missing)} not installed"
    release = platform.freedesktop_os_release()
    if release.get("ID") != "debian" or not (found := mirror()):
        return f"apt has no Debian mirror for {release.get('VERSION_CODENAME', 'this system')}"
    try:
        with urllib.request.urlopen(f"{found}dists/{_suite()}/Release", timeout=ANSWERS_WITHIN):
            return ""
    except (OSError, urllib.error.URLError) as error:
        return f"the mirror {found} cannot be reached ({error})"


def root(into: Path, packages: Sequence[str] = ()) -> Path:
    """Unpacks a minimal Debian of this machine's own suite; quick but for the first time.

    Args:
        into: Is created, and becomes the root of the new system.
        packages: To be installed in it beside the essential ones, with what they depend on.

    Returns:
        ``into``.

    Raises:
        subprocess.CalledProcessError: debootstrap failed; it has said why.
    """
    into.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-xf", _tarball(tuple(sorted(packages))), "-C", into], check=True)
    for path, text in _settings().items():
        file = into / path.relative_to("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return into


def inside(root: Path, *command: str, folders: Mapping[Path, str] | None = None) -> str:
    """Runs a command in a root, as its own root user, with this machine's network.

    Args:
        root: Made by :func:`root`.
        command: What to run.
        folders: Folders of this machine, and where they are seen.

    Returns:
        What it said.

    Raises:
        AssertionError: its status was not 0; tells what it said.
    """
    binds = [f"--bind={here}:{there}" for here, there in (folders or {}).items()]
    nspawn = ["systemd-nspawn", "--quiet", "--as-pid2", "--pipe", "--register=no", "--keep-unit"]
    done = subprocess.run(
        [*nspawn, f"--directory={root}", *binds, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}: status {done.returncode}\n{done.stdout}"
    return done.stdout


def python(root: Path) -> tuple[int, int]:
    """The version of the Python that was installed in a root."""
    major, minor = (root / "usr/bin/python3").readlink().name.removeprefix("python").split(".")
    return int(major), int(minor)


def remove(root: Path) -> None:
    """Removes a root; what may still be mounted in it is spared."""
    subprocess.run(["rm", "-rf", "--one-file-system", root], check=True)


def _tarball(packages: Sequence[str]) -> Path:
    """A root as a tar file; made once, whoever else may want it at the same time."""
    digest = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:12]
    tarball = CACHE / f"{_suite()}-{platform.machine()}-{digest}.tar"
    CACHE.mkdir(parents=True, exist_ok=True)
    with tarball.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tarball.exists():
            with _bootstrapped(packages) as folder:
                partial = tarball.with_suffix(".partial")
                subprocess.run(["tar", "-cf", partial, "-C", folder, "."], check=True)
                partial.rename(tarball)
    return tarball


@contextmanager
def _bootstrapped(packages: Sequence[str]) -> Iterator[Path]:
    """A root that debootstrap has made, without the files that only apt wants to have again."""
    with tempfile.TemporaryDirectory(prefix="debian-", dir=CACHE) as name:
        folder = Path(name)
        folder.chmod(0o755)
        include = [f"--include={','.join(packages)}"] if packages else []
        command = ["debootstrap", "--variant=minbase", *include, _suite(), name, mirror()]
        try:
            subprocess.run(command, check=True, env={**os.environ, **_proxies()})
        finally:  # what debootstrap mounts there while it works, should it have been ended
            for mount in ("proc", "sys"):
                subprocess.run(["umount", "--lazy", folder / mount], capture_output=True)
        for used in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(folder / used)
            (folder / used / "partial").mkdir(parents=True)
        yield folder


def _settings() -> Mapping[Path, str]:
    """Files of a root that hold for this machine only."""
    sources = "".join(f"deb {uri} {suite} {part}\n" for uri, suite, part in _sources())
    proxies = "".join(f'Acquire::{name} "{value}";\n' for name, value in _apt_settings().items())
    found = {
        Path("/etc/apt/sources.list"): sources,
        Path("/etc/apt/apt.conf.d/99machine"): proxies,
        Path("/etc/resolv.conf"): Path("/etc/resolv.conf").read_text(),
        Path("/etc/hostname"): "debian\n",
    }
    pip = _pip_settings()
    here = Path(os.environ.get("PIP_CERT") or pip.get("cert") or BUNDLE)
    if here.exists():
        found[AUTHORITIES] = found[BUNDLE] = here.read_text()
        pip = {**pip, "cert": str(AUTHORITIES)}
    lines = "".join(f"{name} = {value}\n" for name, value in pip.items())
    return {**found, Path("/etc/pip.conf"): f"[global]\n{lines}"}


def _suite() -> str:
    return platform.freedesktop_os_release()["VERSION_CODENAME"]


def mirror() -> str:
    return next((uri for uri, suite, _ in _sources() if suite == _suite()), "")


@functools.cache
def _sources() -> Sequence[tuple[str, str, str]]:
    """Address, suite and component of what apt installs Debian's own packages from."""
    form = "--format=$(REPO_URI) $(RELEASE) $(COMPONENT)"
    command = ["apt-get", "indextargets", "--no-release-info", form, "Created-By: Packages"]
    known = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    suites = [f"{_suite()}{part}" for part in ("", "-updates", "-security")]
    found = [tuple(line.split()) for line in dict.fromkeys(known.splitlines())]
    return [(uri, suite, part) for uri, suite, part in found if suite in suites and part == "main"]


@functools.cache
def _apt_settings() -> Mapping[str, str]:
    """How apt reaches the mirror: proxies, authorities and the like."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    ours = r'^Acquire::((?:https?::(?:Proxy|Verify-\w+)|Check-\S+)) "(.+)";$'
    settings = dict(re.findall(ours, dump, re.MULTILINE))
    for scheme in ("http", "https"):
        if proxy := os.environ.get(f"{scheme}_proxy"):
            settings.setdefault(f"{scheme}::Proxy", proxy)
    return settings


def _proxies() -> Mapping[str, str]:
    """The same for debootstrap, which knows nothing of apt's settings."""
    schemes = {scheme: _apt_settings().get(f"{scheme}::Proxy") for scheme in ("http", "https")}
    return {f"{scheme}_proxy": proxy for scheme, proxy in schemes.items() if proxy}


@functools.cache
def _pip_settings() -> Mapping[str, str]:
    """Which index pip asks and how it reaches it; no folders of this machine."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    known = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return dict(re.findall(r"^(?:global|:env:)\.(index-url|proxy|cert)='(.+)'$", known, re.M))
