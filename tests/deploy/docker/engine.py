"""A Docker engine of the tests' own, with Compose and a stand-in for the base of our image.

Its images are kept between runs under the cache folder, so that only the first run builds them
from nothing. No image is pulled: the base is a bare Debian with this machine's Python in
``/usr/local``, as the official image has it. It listens on a socket in a temporary folder and
leaves the machine's firewall as it is.
"""

import configparser
import fcntl
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from helpers import debian

ROOT = Path(__file__).parents[3]
COMPOSE_FILE = ROOT / "docker" / "compose.yaml"
CACHE = debian.CACHE / "docker"
NETWORKS = "base=10.213.0.0/16,size=24"
"""Addresses of the networks that compose makes; apart from the engine's defaults and from those
that other tests use."""
KEEP = "10GB"
"""Of layers between two runs; one build makes some six."""
PATIENCE = 180.0
LIBRARIES = (
    *("ca-certificates", "libbz2-1.0", "libexpat1", "libffi8", "liblzma5", "libncursesw6"),
    *("libreadline8", "libsqlite3-0", "libssl3", "libuuid1", "zlib1g"),
)
"""What Python's own modules are linked with."""
HOST_NETWORK = """
services:
  certs: { build: { network: host } }
"""
"""For building only: without a firewall of its own the engine gives builds no way out."""


def why_not() -> str:
    """Why no engine can be started here; "" if one can."""
    if reason := debian.why_not():
        return reason
    needed = ("docker", "dockerd", "containerd", "runc", "docker-init")
    if missing := [tool for tool in needed if shutil.which(tool) is None]:
        return f"{', '.join(missing)} not installed (docker.io)"
    if sys.base_prefix == "/usr":
        return "the stand-in for the base image needs a Python that is not the system's own"
    return ""


@dataclass(frozen=True)
class Engine:
    """A running engine.

    Args:
        socket: Where it listens.
        config: Folder with Compose as a plug-in of the client.
    """

    socket: Path
    config: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """What the client needs to find both."""
        here = {"DOCKER_HOST": f"unix://{self.socket}", "DOCKER_CONFIG": str(self.config)}
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("BOHB_", "COMPOSE_"))}
        return {**kept, **here}

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Runs a docker command."""
        return subprocess.run(
            ["docker", *map(str, arguments)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=1000,
        )

    def docker(self, *arguments: object, check: bool = True) -> str:
        """What a docker command prints; what it complains of is in the assertion."""
        done = self.run(*arguments)
        assert not (check and done.returncode), f"docker {arguments}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def build(self) -> None:
        """Builds the image as it is shipped, of the stand-in."""
        self._make_base(_base_name())
        override = self.config / "host-network.yaml"
        override.write_text(HOST_NETWORK)
        self.docker("compose", "-f", COMPOSE_FILE, "-f", override, "build", "--quiet", "certs")

    def _make_base(self, name: str) -> None:
        made_of = f"Python {platform.python_version()} on {platform.freedesktop_os_release()['ID']}"
        label = "{{index .Config.Labels 'made-of'}}".replace("'", '"')
        if self.docker("image", "inspect", "-f", label, name, check=False) == made_of:
            return
        with tempfile.TemporaryDirectory(prefix="base-", dir=CACHE) as folder:
            root = debian.root(Path(folder))
            root.chmod(0o755)
            _add_libraries(root)
            _add_python(root / "usr/local")
            settings = [f"ENV {name}={value}" for name, value in _settings(root).items()]
            changes = [f'LABEL made-of="{made_of}"', 'CMD ["python3"]', *settings]
            flags = [word for change in changes for word in ("--change", change)]
            tar = subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE)
            subprocess.run(
                ["docker", "import", *flags, "-", name],
                *(),
                env=self.environment,
                stdin=tar.stdout,
                stdout=subprocess.DEVNULL,
                check=True,
            )
            assert tar.wait() == 0


@contextmanager
def engine() -> Iterator[Engine]:
    """Starts one and ends it, with all that ran in it; two test runs take turns."""
    CACHE.mkdir(parents=True, exist_ok=True)
    # In /tmp, because the path of a socket must be short.
    with (
        (CACHE / "lock").open("w") as lock,
        tempfile.TemporaryDirectory(prefix="engine-", dir="/tmp") as name,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = Path(name)
        started = Engine(folder / "socket", _with_compose(folder / "client"))
        log = folder / "log"
        with log.open("wb") as stream:
            process = subprocess.Popen(_command(folder), stdout=stream, stderr=stream)
        try:
            _wait_for(started, process, log)
            _clear(started)
            yield started
            _clear(started)
            started.docker("image", "prune", "--force")
            started.docker("builder", "prune", "--force", "--keep-storage", KEEP)
        finally:
            process.terminate()  # ends what still runs in it
            process.wait(PATIENCE)


def _command(folder: Path) -> Sequence[str | Path]:
    return (
        *("setpriv", "--pdeathsig", "TERM"),  # not even a killed test run leaves it behind
        *("dockerd", "--host", f"unix://{folder / 'socket'}", "--pidfile", folder / "pid"),
        *("--data-root", CACHE / "data", "--exec-root", folder / "exec"),
        *("--iptables=false", "--bridge=none", "--default-address-pool", NETWORKS),
    )


def _wait_for(started: Engine, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while started.run("ps").returncode:
        in_vain = process.poll() is not None or time.monotonic() > deadline
        assert not in_vain, f"the engine did not start\n{log.read_text()[-3000:]}"
        time.sleep(0.1)


def _clear(started: Engine) -> None:
    """Removes what an earlier run may have left, and keeps the images."""
    for kind, flags, how in (
        ("container", ("--all",), ("--force", "--volumes")),
        ("network", ("--filter", "type=custom"), ()),
        ("volume", (), ("--force",)),
    ):
        if names := started.docker(kind, "ls", "--quiet", *flags):
            started.docker(kind, "rm", *how, *names.split())


def _base_name() -> str:
    text = (ROOT / "docker" / "Dockerfile").read_text()
    found = re.search(r"^ARG BASE=(\S+)$", text, re.MULTILINE)
    assert found
    return found[1]


def _add_libraries(root: Path) -> None:
    """Quicker than having a root made with them."""
    for words in (("update",), ("install", "-y", "--no-install-recommends", *LIBRARIES)):
        subprocess.run(
            ["chroot", root, "apt-get", "-qq", *words], stdout=subprocess.DEVNULL, check=True
        )
    shutil.rmtree(root / "var/lib/apt/lists")


def _add_python(into: Path) -> None:
    """This machine's Python without what was installed in it."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    home = Path(sys.base_prefix)
    shared = sorted(home.glob("lib/libpython*.so*"))
    files = [*shared, home / "bin" / version, home / "lib" / version, home / "include" / version]
    unwanted = [f"--exclude={name}" for name in ("site-packages/*", "__pycache__", "test", "*.a")]
    names = [file.relative_to(home) for file in files]
    pack = ["tar", "-C", home, *unwanted, "-c", *names]
    with subprocess.Popen(pack, stdout=subprocess.PIPE) as packed:
        subprocess.run(["tar", "-C", into, "-x"], stdin=packed.stdout, check=True)
    (into / "bin" / "python3").symlink_to(version)
    subprocess.run(["chroot", into.parents[1], "ldconfig"], check=True)  # finds libpython there


def _settings(root: Path) -> Mapping[str, str]:
    """For uv, which does not read pip's settings."""
    pip = configparser.ConfigParser()
    pip.read(root / "etc/pip.conf")
    names = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE", "proxy": "ALL_PROXY"}
    known = dict(pip["global"]) if "global" in pip else {}
    return {names[name]: value for name, value in known.items() if name in names}


def _with_compose(config: Path) -> Path:
    """A client's folder with Compose in it, if the machine has none."""
    plugins = config / "cli-plugins"
    plugins.mkdir(parents=True)
    has = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if has.returncode:
        shutil.copy(_compose(), plugins / "docker-compose")
    else:
        shutil.copytree(Path("~/.docker").expanduser(), config, dirs_exist_ok=True)
    return config


def _compose() -> Path:
    """The plug-in out of the first Debian that has it; bookworm does not."""
    kept = CACHE / "docker-compose"
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=CACHE) as name:
            folder = Path(name)
            folder.chmod(0o755)
            (folder / "lists" / "partial").mkdir(parents=True)
            sources = folder / "sources.list"
            sources.write_text(f"deb {debian.mirror()} trixie main\n")
            places = {
                *("Dir::Etc::sourceparts=-", f"Dir::Etc::sourcelist={sources}"),
                *(f"Dir::State::lists={folder}/lists", f"Dir::Cache={folder}"),
            }
            apt = ["apt-get", "-qq", *(word for place in places for word in ("-o", place))]
            subprocess.run([*apt, "update"], check=True)
            subprocess.run([*apt, "download", "docker-compose"], check=True, cwd=folder)
            (package,) = folder.glob("docker-compose_*.deb")
            subprocess.run(["dpkg", "-x", package, folder], check=True)
            shutil.move(folder / "usr/libexec/docker/cli-plugins/docker-compose", kept)
    return kept
