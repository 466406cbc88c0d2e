"""What can be said of docker/ and deploy/ by reading: linters, and the commands their READMEs tell.

Files are found by pattern, so that a new one is looked at without being named here.
"""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from deploy.kubernetes.manifests import tool
from helpers.commands import ROOT
from helpers.pages import dead_links, lines, misunderstood

FOLDERS = sorted(path for path in (ROOT / "deploy").iterdir() if path.is_dir())
PAGES = [ROOT / "docker" / "README.md", *(folder / "README.md" for folder in FOLDERS)]
PAGE = 75
"""Lines of a README of one page, of at most 100 characters."""
PARTS = (r"assum|need", r"start|command", r"works?\b", r"stop")
"""What each of these READMEs tells; the words stand in a heading, in bold or first in
a paragraph."""


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
class TestPage:
    def test_commands_understand_what_the_page_tells(self, page):
        told = list(lines(page))
        assert told, "no command of ours in a code block"
        assert misunderstood(told) == []

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
        assert dead_links(page) == []


def test_versions_in_scripts_are_those_of_the_locks():
    script = (ROOT / "deploy/tpu-vm/worker.sh").read_text()
    for name, lock in (("uv", "requirements-dev.lock"), ("jax", "requirements-jax.lock")):
        locked = re.search(rf"^{name}==(\S+)", (ROOT / lock).read_text(), re.MULTILINE)
        assert re.findall(rf"\b{name}(?:\[\w+\])?==([\d.]+)", script) == [locked[1]]
