"""What is known of this machine."""

import subprocess
import sys
from pathlib import Path

import pytest

from bohb_seg import machine


@pytest.mark.parametrize(
    ("allowed", "names"),
    [
        ("0,3", ("0", "3")),
        ("GPU-1a, GPU-2b", ("GPU-1a", "GPU-2b")),
        ("1,-1,2", ("1",)),
        ("", ()),
        ("-1", ()),
    ],
)
def test_only_gpus_that_were_granted_count(monkeypatch, allowed, names):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert machine.gpus() == names


def test_each_granted_gpu_gets_a_worker(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join("13579"))
    assert machine.local_workers() == 5


def test_without_gpus_two_processors_get_a_worker(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert machine.local_workers() == max(1, machine.processors() // 2)


def test_memory_is_the_machines_unless_the_process_may_take_less():
    """Compared with the kernel's own account."""
    limited = "import resource; resource.setrlimit(resource.RLIMIT_DATA, (3 << 30, 3 << 30));"
    asked = "from bohb_seg import machine; print(machine.memory_gb())"
    done = subprocess.run([sys.executable, "-c", limited + asked], capture_output=True, text=True)
    assert done.stdout == "3\n"
    total = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    assert 1 <= machine.memory_gb() <= round(total)


def test_a_tpu_is_known_by_its_chips_on_the_bus(monkeypatch, tmp_path):
    """Google's network card, which stands beside them on its machines, is none."""
    for slot, vendor, device in [
        ("a", "0x1ae0", "0x0063"),
        ("b", "0x1ae0", "0x0063"),
        ("c", "0x1ae0", "0x0042"),
        ("d", "0x8086", "0x0063"),
    ]:
        (tmp_path / slot).mkdir()
        (tmp_path / slot / "vendor").write_text(f"{vendor}\n")
        (tmp_path / slot / "device").write_text(f"{device}\n")
    monkeypatch.setattr(machine, "_PCI", tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")  # without a TPU that were two workers
    assert machine.tpu_chips() == 2
    assert machine.local_workers() == 1


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("fd00::1", False),
        ("", False),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("192.0.2.7", False),
        ("no such host", False),
    ],
)
def test_only_addresses_that_stay_here_are_loopback(host, loopback):
    assert machine.is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("host", "everywhere"),
    [
        *(("0.0.0.0", True), ("::", True), ("0", True), ("::0", True), ("", True)),
        *(("0:0:0:0:0:0:0:0", True), ("::ffff:0.0.0.0", True)),
        *(("127.0.0.1", False), ("::1", False), ("no such host", False), ("\udfff", False)),
    ],
)
def test_addresses_that_nobody_can_call(host, everywhere):
    assert machine.is_everywhere(host) is everywhere


@pytest.mark.parametrize(
    ("host", "text"),
    [("::1", "[::1]:9090"), ("10.0.0.1", "10.0.0.1:9090"), ("node-7", "node-7:9090")],
)
def test_host_and_port_in_one_text_and_back(host, text):
    assert machine.location(host, 9090) == text
    assert machine.split_location(text) == (host, 9090)


@pytest.mark.parametrize(
    "text",
    ["::1:9090", "9090", ":9090", "h", "h:", "h:x", "h:65536", "[h]:1", "[::1]", "h:1:2", "h :1"],
)
def test_what_is_no_host_and_port(text):
    with pytest.raises(ValueError, match="write HOST:PORT"):
        machine.split_location(text)


def test_an_address_may_have_the_brackets_of_a_link_but_no_zone():
    assert machine.bare_host("[fd00::1]") == machine.bare_host("fd00::1") == "fd00::1"
    with pytest.raises(ValueError, match="without a zone"):
        machine.bare_host("fe80::1%eth0")
