"""What kustomize makes of deploy/kubernetes/, and what Kubernetes would make of it."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.commands import ROOT

from bohb_seg.commands import master, worker
from bohb_seg.settings import SearchSettings, WorkerSettings, merge

FOLDER = ROOT / "deploy" / "kubernetes"
KUSTOMIZATIONS = ("base", "gpu")
ALONE = ("namespace.yaml", "fetch.yaml")
"""Files that are applied by hand."""
WORKLOADS = ("StatefulSet", "Deployment")

Object = Mapping[str, Any]

COMMANDS = {
    "bohb-master": (master.command, SearchSettings),
    "bohb-worker": (worker.command, WorkerSettings),
}


def tool(name: str) -> str:
    """The path of a command, of this virtual environment if it has it; skips without it."""
    beside = Path(sys.executable).parent
    found = shutil.which(name, path=str(beside)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def build(kustomization: str) -> str:
    """What ``kubectl apply -k`` would send, as YAML; warnings of kustomize are errors."""
    done = subprocess.run(
        [tool("kubectl"), "kustomize", str(FOLDER / kustomization)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@dataclass(frozen=True)
class Pod:
    """A pod as a workload makes it, with one container.

    Args:
        labels: Its labels.
        spec: Its specification.
        claims: Claims that a StatefulSet makes for its first pod, by the name of their volume.
    """

    labels: Mapping[str, str]
    spec: Object
    claims: Mapping[str, str]

    @property
    def container(self) -> Object:
        """The only container."""
        (container,) = self.spec["containers"]
        assert not self.spec.get("initContainers")
        return container

    @property
    def mounts(self) -> Mapping[str, Object]:
        """Its mounts by path."""
        return {mount["mountPath"]: mount for mount in self.container.get("volumeMounts", ())}

    def volume(self, path: str) -> Object:
        """The volume that is mounted at a path."""
        volumes = {volume["name"]: volume for volume in self.spec.get("volumes", ())}
        made = {
            name: {"persistentVolumeClaim": {"claimName": c}} for name, c in self.claims.items()
        }
        return {**volumes, **made}[self.mounts[path]["name"]]


@dataclass(frozen=True)
class Objects:
    """All objects of one kustomization, or of one file."""

    all: tuple[Object, ...]

    @classmethod
    def of(cls, text: str) -> "Objects":
        """Those that stand in a YAML stream."""
        return cls(tuple(item for item in yaml.safe_load_all(text) if item))

    def kind(self, *kinds: str) -> tuple[Object, ...]:
        """Those of some kinds."""
        return tuple(item for item in self.all if item["kind"] in kinds)

    def named(self, kind: str, name: str) -> Object:
        """The only one of this kind and name."""
        (found,) = (item for item in self.kind(kind) if item["metadata"]["name"] == name)
        return found

    def pods(self) -> Mapping[str, Pod]:
        """A pod of every workload, by the workload's name."""
        workloads = {item["metadata"]["name"]: item for item in self.kind(*WORKLOADS)}
        lone = {item["metadata"]["name"]: item for item in self.kind("Pod")}
        templates = {name: item["spec"]["template"] for name, item in workloads.items()}
        return {
            name: Pod(
                template["metadata"].get("labels", {}),
                template["spec"],
                _claims(name, workloads.get(name, {"spec": {}})["spec"]),
            )
            for name, template in {**templates, **lone}.items()
        }


def environment(pod: Pod, objects: Objects) -> dict[str, str]:
    """The environment of the pod's container: what stands at the container wins."""
    values: dict[str, str] = {}
    for source in pod.container.get("envFrom", ()):
        values |= objects.named("ConfigMap", source["configMapRef"]["name"])["data"]
    for variable in pod.container.get("env", ()):
        reference = variable.get("valueFrom", {}).get("resourceFieldRef")
        values[variable["name"]] = _limit(pod, reference) if reference else variable["value"]
    return values


def command(pod: Pod, objects: Objects) -> list[str]:
    """The container's command line, its references to the environment replaced."""
    known = environment(pod, objects)
    words = [*pod.container["command"], *pod.container.get("args", ())]
    return [re.sub(r"\$\((\w+)\)", lambda name: known[name[1]], word) for word in words]


def merged(pod: Pod, objects: Objects, words: Sequence[str] = ()) -> Any:
    """The settings that the pod's command would have, by the real parser."""
    name, *flags = words or command(pod, objects)
    parser, kind = COMMANDS[name]
    given = parser.make_context(name, list(flags)).params
    assert given.pop("config") is None
    return merge(kind, given, environment=environment(pod, objects))


def labels(part: str) -> Object:
    """The labels of master or worker."""
    return {"app.kubernetes.io/name": "bohb-seg", "app.kubernetes.io/component": part}


def _claims(name: str, spec: Object) -> dict[str, str]:
    templates = (claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", ()))
    return {claim: f"{claim}-{name}-0" for claim in templates}


def _limit(pod: Pod, reference: Object) -> str:
    kind, _, resource = reference["resource"].partition(".")
    return str(pod.container["resources"][kind][resource])
