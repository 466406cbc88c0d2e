"""CITATION.cff keeps its schema and cites this version."""

import subprocess
import sys
import tomllib
from pathlib import Path

import yaml
from helpers.commands import ROOT

FILE = ROOT / "CITATION.cff"


def test_it_keeps_its_schema():
    tool = Path(sys.executable).with_name("check-jsonschema")
    command = [tool, "--builtin-schema", "vendor.citation-file-format", FILE]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_cites_this_project_and_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = yaml.safe_load(FILE.read_text())
    told = {cited[name] for name in ("title", "version", "license")}
    assert told == {project["name"], project["version"], project["license"]}
