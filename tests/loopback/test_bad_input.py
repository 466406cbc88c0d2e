"""Bad input: one sentence, exit status 2, nothing written, never a traceback."""

import socket
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.commands import TOY, only_sentence, refused, run

pytestmark = pytest.mark.loopback

LAND, WATER, UNKNOWN = (0x84, 0x29, 0xF6), (0xE2, 0xA9, 0x29), (1, 2, 3)


def write(file: Path, rgb: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(file), rgb[..., ::-1])


def scene(folder: Path, tiles: int = 4, size: int = 32) -> Path:
    """A small data set without a fault."""
    for tile in range(tiles):
        mask = np.full((size, size, 3), LAND, np.uint8)
        mask[: size // 2] = WATER
        write(folder / f"Tile {tile}/images/a.png", np.full((size, size, 3), tile, np.uint8))
        write(folder / f"Tile {tile}/masks/a.png", mask)
    return folder


def no_masks(data: Path) -> None:
    for mask in data.glob("*/masks/*"):
        mask.unlink()


def unpaired(data: Path) -> None:
    (data / "Tile 0/masks/a.png").unlink()


def other_size(data: Path) -> None:
    write(data / "Tile 0/masks/a.png", np.full((8, 8, 3), LAND, np.uint8))


def unreadable(data: Path) -> None:
    (data / "Tile 0/images/a.png").write_bytes(b"no image at all")


def unknown_colours(data: Path) -> None:
    for mask in data.glob("*/masks/*"):
        image = cv2.imread(str(mask))
        image[:10] = UNKNOWN
        cv2.imwrite(str(mask), image)


def one_class(data: Path) -> None:
    for mask in data.glob("*/masks/*"):
        write(mask, np.full((32, 32, 3), LAND, np.uint8))


def two_tiles(data: Path) -> None:
    for tile in (2, 3):
        for file in data.glob(f"Tile {tile}/*/a.png"):
            file.unlink()


def holds(sentence: str, words: tuple[str, ...]) -> None:
    for word in words:
        assert word in sentence, sentence


@pytest.mark.parametrize("command", ["bohb_seg.commands.data", "bohb_seg.commands.master"])
@pytest.mark.parametrize(
    ("spoil", "patch_size", "words"),
    [
        (no_masks, 16, ("masks",)),
        (unpaired, 16, ("Tile 0/images/a.png",)),
        (other_size, 16, ("Tile 0", "32", "8")),
        (unreadable, 16, ("Tile 0/images/a.png", "read")),
        (unknown_colours, 16, ("31", "%", "bohb-data classes")),
        (one_class, 16, ("only the class",)),
        (two_tiles, 16, ("split",)),
    ],
)
def test_bad_data(tmp_path, monkeypatch, command, spoil, patch_size, words):
    monkeypatch.chdir(tmp_path)
    data = scene(tmp_path / "data")
    spoil(data)
    verb = ("check",) if command.endswith(".data") else ()
    holds(refused(command, *verb, "--data", data, "--patch-size", patch_size), words)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--data", "nowhere"), ("nowhere", "synthetic")),
        (("--min-budget", 9, "--max-budget", 3), ("--min-budget 9", "--max-budget 3")),
        (("--eta", 1), ("--eta 1", "greater than or equal to 2")),
        (("--space", "no-such"), ("no-such", "milestone3-bohb", "default")),
        (("--space", "absent.json"), ("absent.json",)),
        (("--optimizer", "no-such"), ("no-such", "bohb, bohb-kde, hyperband, random")),
        (("--model", "no-such"), ("no-such", "unet")),
        (("--worker", "no-such"), ("no-such", "segmentation, toy")),
        (("--config", "broken.yaml"), ("broken.yaml", "line 2")),
        (("--config", "unknown.yaml"), ("unknown.yaml", "'etta'", "eta")),
        (("--resume", "--run-dir", "nothing"), ("nothing", "--run-dir")),
        (("--run-dir", "used"), ("used", "--resume")),
        ((*TOY, "--run-dir", "file"), ("file",)),
        (("--host", "0.0.0.0"), ("0.0.0.0", "no address that workers could call")),
        (("--host", "::"), ("::", "no address that workers could call")),
        (("--host", "fd00::7"), ("fd00::7", "--tls", "--insecure")),
        (("--host", "fe80::7%eth0"), ("--host fe80::7%eth0", "without a zone")),
        (("--nameserver", "::1:9090"), ("--nameserver ::1:9090", "[address]:port")),
        (("--nameserver", "[fd00::7]:9090"), ("--tls", "--insecure")),
        (("--host", "192.0.2.1"), ("192.0.2.1", "bohb-certs", "--tls", "--insecure")),
        (("--tls", "no-such-folder"), ("no-such-folder", "bohb-certs")),
        (("--no-such-flag",), ("--no-such-flag",)),
        (("--n-iterations", "many"), ("--n-iterations many", "integer")),
        (("--max-epochs", 1), ("--max-epochs 1", "--min-budget 2")),
        (("--warm-start", "nowhere"), ("--warm-start nowhere", "no such directory")),
        (("--warm-start", "begun"), ("--warm-start begun", "not begun")),
        (("--baseline", "nowhere"), ("--baseline nowhere", "milestone3")),
        (("--recipe", "begun"), ("--recipe begun", "not begun")),
    ],
)
def test_bad_settings(tmp_path, monkeypatch, flags, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.yaml").write_text("eta: 3\nspace: : x\n")
    (tmp_path / "unknown.yaml").write_text("etta: 3\n")
    (tmp_path / "file").write_text("")
    for name, journal in (("used", "{}\n"), ("begun", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "events.jsonl").write_text(journal)
    holds(refused("bohb_seg.commands.master", *flags, "--port", 0), words)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--device", "toaster"), ("--device toaster",)),
        (("--bind", "fe80::7%2"), ("--bind fe80::7%2", "without a zone")),
        (("--worker", "missing.py"), ("missing.py", "check the path")),
        (("--worker", "no-such"), ("no-such", "segmentation, toy")),
    ],
)
def test_bad_worker_settings(flags, words):
    holds(refused("bohb_seg.commands.worker", *flags), words)


def test_a_report_of_nothing(tmp_path):
    holds(refused("bohb_seg.commands.report", tmp_path), (str(tmp_path),))


def test_a_used_port(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("bohb_seg.commands.master", *TOY, "--port", port, folder=tmp_path)
    holds(only_sentence(done.returncode, done.stderr), (f"127.0.0.1:{port}", "--port"))
    assert not (tmp_path / "results").exists()


def test_a_run_that_cannot_be_resumed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = (*TOY, "--run-dir", "run", "--port", 0, "--local-workers", 1, "--n-iterations", 1)
    assert run("bohb_seg.commands.master", *flags, folder=tmp_path).returncode == 0
    again = ("bohb_seg.commands.master", "--resume", "--run-dir", "run", "--port", 0)
    holds(refused(*again, "--eta", 4), ("--eta 4", "3"))
    journal = tmp_path / "run/events.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([*lines[:4], "{}\n", *lines[5:]]))
    holds(refused(*again), ("events.jsonl, line 5", "restore", "--repair"))
    done = run("bohb_seg.commands.master", "--repair", "--run-dir", "run", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "line 5 is dropped" in done.stderr
    done = run(*again, "--local-workers", 1, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    journal.write_text("")
    before = (tmp_path / "run/results.json").read_text()
    words = ("results.json", "journal events.jsonl is missing or empty", "restore", "--run-dir")
    new = ("bohb_seg.commands.master", *TOY, "--run-dir", "run", "--port", 0)
    for words_of_master in (again, (*again, "--restartable"), new, (*new, "--restartable")):
        holds(refused(*words_of_master), words)
    assert (tmp_path / "run/results.json").read_text() == before
