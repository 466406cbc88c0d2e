"""What can be said of docker/ and deploy/ by reading: linters, and the commands their READMEs tell.

Files are found by pattern, so that a new one is looked at without being named here.
"""

import itertools
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
import yaml
from deploy.kubernetes.manifests import tool
from helpers.commands import ROOT

from bohb_seg.commands import certs, master, worker
from bohb_seg.commands import data as data
from bohb_seg.commands import report as report
from bohb_seg.errors import SettingsError
from bohb_seg.settings import SearchSettings, WorkerSettings, merge

FOLDERS = sorted(path for path in (ROOT / "deploy").iterdir() if path.is_dir())
PAGES = [ROOT / "docker" / "README.md", *(folder / "README.md" for folder in FOLDERS)]
PAGE = 75
"""Lines of a README of one page, of at most 100 characters."""
PARTS = (r"assum|need", r"start|command", r"works?\b", r"stop")
"""What each of these READMEs tells; the words stand in a heading, in bold or first in
a paragraph."""
COMMANDS = {
    "bohb-master": master.command,
    "bohb-worker": worker.command,
    "bohb-report": report.report,
    "bohb-data": data.command,
    "bohb-certs": certs.command,
}
SETTINGS = {"bohb-master": SearchSettings, "bohb-worker": WorkerSettings}
STARTERS = {
    "worker.sh": "bohb-worker",
    "workers.sbatch": "bohb-worker",
    "master.sbatch": "bohb-master",
}
"""Files that hand the words after their name on to these commands."""
SERVICES = {
    f"{part}{kind}": f"bohb-{part}" for part in ("master", "worker") for kind in ("", "-gpu")
}
"""Services of compose that do, after `docker compose run`."""
ENDS = {"|", "||", "&&", "&", ";", ">", ">>", "<", ")"}
"""Words that end a command."""
NAMING = {"kubectl", "systemctl", "journalctl"}
"""Commands whose own words may be names of ours that start nothing."""


def found(*patterns: str) -> list[Path]:
    """Files of the repository; there must be some for each pattern."""
    files = {pattern: sorted(ROOT.glob(pattern)) for pattern in patterns}
    assert all(files.values()), files
    return [file for each in files.values() for file in each]


def shell_scripts() -> list[Path]:
    """All that begin with a line that names a shell."""
    places = [path for name in ("docker", "deploy", ".ci") for path in (ROOT / name).rglob("*")]
    files = [path for path in places if path.is_file()]
    return [path for path in files if re.match(rb"#!.*\b(ba|da|)sh\b", path.read_bytes()[:100])]


def clean(*command: object) -> None:
    """Runs a linter; it must have nothing to say."""
    done = subprocess.run(
        [tool(str(command[0])), *map(str, command[1:])],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


# --- linters ----------------------------------------------------------------------------------


def test_dockerfiles_are_clean():
    clean("hadolint", *found("docker/*Dockerfile*"))


def test_shell_scripts_are_clean():
    scripts = shell_scripts()
    assert set(scripts) >= set(found(".ci/run", "deploy/**/*.sh", "deploy/**/*.sbatch"))
    clean("shellcheck", *scripts)


def test_compose_files_keep_their_schema():
    files = found("docker/compose*.yaml")
    clean("check-jsonschema", "--quiet", "--builtin-schema", "vendor.compose-spec", *files)


def test_yaml_has_no_key_twice():
    """The last one would win, without a word."""

    class Strict(yaml.SafeLoader):
        def construct_mapping(self, node, deep=False):
            keys = [key.value for key, _ in node.value if key.value != "<<"]
            assert len(keys) == len(set(keys)), f"{node.start_mark}: {keys}"
            return super().construct_mapping(node, deep)

    for file in found("docker/*.yaml", "deploy/**/*.yaml"):
        list(yaml.load_all(file.read_text(), Strict))


# --- the pages --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A command line of a page, and the words after the command's name."""

    command: str
    words: tuple[str, ...]


def code(page: Path) -> list[str]:
    """The lines of a page's code blocks, continued ones joined."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    return "".join(blocks).replace("\\\n", " ").splitlines()


def lines(page: Path) -> Iterator[Line]:
    """The command lines of our commands in a page's code blocks, also behind srun and the like."""
    for text in code(page):
        for words in _parts(text):
            names = [_command(words[: place + 1]) for place in range(len(words))]
            first = next((place for place, name in enumerate(names) if name), None)
            if first is not None:
                yield Line(str(names[first]), tuple(words[first + 1 :]))


def _parts(text: str) -> Iterator[list[str]]:
    """The words of each command of a line; of those that name objects, what follows ``--``."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    for ends, words in itertools.groupby(lexer, ENDS.__contains__):
        part = list(words)
        if part[0] in NAMING and not ends:
            part = part[part.index("--") + 1 :] if "--" in part else []
        yield [] if ends else part


def _command(words: list[str]) -> str | None:
    """The command of ours that the last word stands for."""
    name = words[-1].rpartition("/")[2] if "=" not in words[-1] else ""
    if "compose" in words and "run" in words:
        name = SERVICES.get(name, name)
    name = STARTERS.get(name, name)
    return name if name in COMMANDS else None


def understand(name: str, words: tuple[str, ...]) -> None:
    """Does with a command line what its command does before anything else.

    Raises:
        click.ClickException: an unknown flag, or an argument too few or too many.
        SettingsError: a value that cannot be.
    """
    command = COMMANDS[name]
    if isinstance(command, click.Group):
        _, command, words = command.resolve_command(click.Context(command), list(words))
    try:
        flags = command.make_context(name, list(words)).params
    except click.exceptions.Exit:  # of --help and --version
        return
    if name in SETTINGS:
        flags.pop("config")
        merge(SETTINGS[name], flags, environment={})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
class TestPage:
    def test_commands_understand_what_the_page_tells(self, page):
        told = list(lines(page))
        assert told, "no command of ours in a code block"
        for line in told:
            try:
                understand(line.command, line.words)
            except (click.ClickException, SettingsError) as error:
                raise AssertionError(f"{line}: {error}") from None

    def test_the_check_comes_first(self, page):
        workers = [line for line in lines(page) if line.command == "bohb-worker"]
        assert workers
        assert "--check" in workers[0].words

    def test_it_has_its_parts_in_one_page(self, page):
        text = page.read_text()
        marked = " ".join(re.findall(r"^#+ .*$|\*\*.+?\*\*|(?<=\n\n)\w+", text, re.M)).lower()
        assert [part for part in PARTS if not re.search(part, marked)] == []
        assert len(text.splitlines()) <= PAGE

    def test_links_lead_somewhere(self, page):
        links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
        local = [link for link in links if not re.match(r"\w+:", link)]
        assert [link for link in local if not (page.parent / link).exists()] == []


def test_versions_in_scripts_are_those_of_the_locks():
    script = (ROOT / "deploy/tpu-vm/worker.sh").read_text()
    for name, lock in (("uv", "requirements-dev.lock"), ("jax", "requirements-jax.lock")):
        locked = re.search(rf"^{name}==(\S+)", (ROOT / lock).read_text(), re.MULTILINE)
        assert re.findall(rf"\b{name}(?:\[\w+\])?==([\d.]+)", script) == [locked[1]]
