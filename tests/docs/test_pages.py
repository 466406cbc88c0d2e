"""The README and the manual tell only what the commands understand."""

import re
import tomllib

import pytest
from helpers.commands import ROOT
from helpers.pages import (
    COMMANDS,
    dead_links,
    lines,
    misunderstood,
    said_in_passing,
    unknown_flags,
)

import bohb_seg
from bohb_seg import plugins

ROOT_PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
MANUAL = sorted((ROOT / "docs").rglob("*.md"))
MEASURED = [*sorted(ROOT.glob("benchmarks/**/README.md")), ROOT / "results/README.md"]
PAGES = [*ROOT_PAGES, *MANUAL, *MEASURED, ROOT / "examples/README.md"]
REFERENCE = ROOT / "docs/reference"
OTHERS_FLAGS = {"--no-deps", "--help", "--version"}
"""Flags of pip, and those that every command has, told in sentences."""


def name(page):
    return str(page.relative_to(ROOT))


def scripts():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return set(project["scripts"])


def test_there_are_pages_with_commands():
    told = [line for page in PAGES for line in lines(page)]
    assert len(MANUAL) >= 20
    assert {line.command for line in told} == set(COMMANDS)


@pytest.mark.parametrize("page", [*ROOT_PAGES, *MANUAL], ids=name)
def test_flags_told_in_sentences_are_known(page):
    assert set(unknown_flags(page)) <= OTHERS_FLAGS


@pytest.mark.parametrize("page", PAGES, ids=name)
class TestPage:
    def test_commands_understand_what_it_tells(self, page):
        assert misunderstood([*lines(page), *said_in_passing(page)]) == []

    def test_its_links_lead_somewhere(self, page):
        assert dead_links(page) == []

    def test_it_names_no_place_outside_the_repository(self, page):
        assert re.findall(r"(?<!\.)\.\./shared|/root/|/home/", page.read_text()) == []


def test_the_reference_has_every_command():
    assert set(COMMANDS) == scripts()
    told = re.findall(r"^```\{flags\} (\S+)", (REFERENCE / "commands.md").read_text(), re.M)
    assert set(told) == scripts()


def test_the_reference_has_every_kind_of_plug_in():
    told = re.findall(r"^```\{plugins\} (\S+)", (REFERENCE / "plugins.md").read_text(), re.M)
    assert sorted(told) == sorted(plugins.KINDS)


def test_the_reference_has_every_public_name():
    page = (REFERENCE / "api.md").read_text()
    documented = set(re.findall(r"(?:auto\w+|py:class):: (\S+)", page))
    homes = {f"{home}.{name}" for name, home in bohb_seg._HOMES.items()}
    missing = {each for each in homes if not {each, each.rpartition(".")[0]} & documented}
    assert missing == set()
