"""What is in the image, and what is not."""

import json
import re
import tomllib
from importlib.metadata import requires

import pytest
from deploy.docker.engine import ROOT
from packaging.requirements import Requirement

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(1200)]  # the first builds the image

COMPILERS = ("cc", "gcc", "g++", "c++", "clang", "make", "ld")
TOOLS = ("pytest", "mypy", "playwright", "kubernetes_validate", "uv")


@pytest.fixture(scope="module")
def image(docker_engine):
    return json.loads(docker_engine.docker("image", "inspect", "bohb-seg:cpu"))[0]


def test_it_says_who_it_is_and_runs_as_nobody(image, capsys):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    labels = {name.rpartition(".")[2]: text for name, text in image["Config"]["Labels"].items()}

    assert image["Config"]["User"] == "10001:10001"
    assert image["Config"]["Healthcheck"]["Test"][1:] == [
        *("bohb-worker", "--check", "--only", "nameserver"),
    ]
    assert labels["title"] == project["name"]
    assert labels["version"] == project["version"]
    assert labels["licenses"] == project["license"]
    with capsys.disabled():
        print(f"\nimage bohb-seg:cpu: {image['Size'] / 1e9:.2f} GB with its base")


def test_neither_a_compiler_nor_tools_of_developers_are_in_it(docker_engine):
    looks = (
        "import importlib.util, shutil\n"
        f"print([t for t in {COMPILERS} if shutil.which(t)])\n"
        f"print([t for t in {TOOLS} if importlib.util.find_spec(t) or shutil.which(t)])\n"
        "import tensorflow\n"
    )

    said = docker_engine.docker(
        *("run", "--rm", "--network=none", "--read-only", "--tmpfs=/tmp"),
        *("bohb-seg:cpu", "python", "-c", looks),
    )

    assert said.splitlines()[:2] == ["[]", "[]"]


def test_the_gpu_image_gets_all_that_tensorflow_asks_for():
    lock = (ROOT / "docker" / "cuda.lock").read_text()
    pinned = dict(re.findall(r"^(\S+)==(\S+) ", lock, re.MULTILINE))
    wanted = [Requirement(text) for text in requires("tensorflow") or () if "and-cuda" in text]

    assert {each.name for each in wanted} == pinned.keys()
    assert [each.name for each in wanted if pinned[each.name] not in each.specifier] == []
