"""What the API server would find wrong, and what would miss its aim.

No cluster was at hand: what a running one does with the manifests is not shown here.
"""

import subprocess

import pytest
from deploy.kubernetes.manifests import ALONE, FOLDER, Objects, labels, merged, tool

OLDEST, NEWEST = "1.27.0", "1.37.0"
"""Of Kubernetes: the oldest is what README.md demands."""
PARTS = {"bohb-master": "master", "bohb-worker": "worker"}


@pytest.mark.parametrize("release", [OLDEST, NEWEST])
def test_the_schemas_are_kept(text, release, tmp_path):
    built = tmp_path / "built.yaml"
    built.write_text(text)
    files = [built, *(FOLDER / name for name in ALONE)]
    done = subprocess.run(
        [tool("kubernetes-validate"), "--strict", "-k", release, *map(str, files)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = (done.stdout + done.stderr).splitlines()
    assert done.returncode == 0, said
    assert all("passed for resource" in line for line in said), said
    assert len(said) == len(Objects.of(text).all) + len(ALONE)


def test_everything_is_in_the_namespace_that_the_readme_makes(objects, alone, readme):
    (namespace,) = alone.kind("Namespace")
    assert namespace["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "restricted"}
    others = [item for item in (*objects.all, *alone.all) if item["kind"] != "Namespace"]
    assert {item["metadata"]["namespace"] for item in others} == {namespace["metadata"]["name"]}
    assert "kubectl apply -f namespace.yaml" in readme
    assert not objects.kind("Namespace"), "deleting it would delete the results"


def test_there_is_what_was_asked_for(objects):
    kinds = sorted(item["kind"] for item in objects.all)
    assert kinds == [
        *("ConfigMap", "Deployment"),
        *("NetworkPolicy",) * 4,
        *("PodDisruptionBudget", "Service", "StatefulSet"),
    ]


def test_selectors_are_the_labels_of_what_they_select(objects):
    pods = objects.pods()
    assert {name: pod.labels for name, pod in pods.items()} == {
        name: labels(part) for name, part in PARTS.items()
    }
    for workload in objects.kind("StatefulSet", "Deployment"):
        name = workload["metadata"]["name"]
        assert workload["spec"]["selector"] == {"matchLabels": pods[name].labels}
    (service,) = objects.kind("Service")
    assert service["spec"]["selector"] == pods["bohb-master"].labels
    (budget,) = objects.kind("PodDisruptionBudget")
    assert budget["spec"]["selector"] == {"matchLabels": pods["bohb-worker"].labels}


def test_the_service_leads_to_the_master_by_its_own_name(objects):
    (service,) = objects.kind("Service")
    master_set = objects.named("StatefulSet", "bohb-master")
    pod = objects.pods()["bohb-master"]
    name = service["metadata"]["name"]
    assert name == master_set["metadata"]["name"] + "-0", "the master's own pod knows this name"
    assert (master_set["spec"]["serviceName"], master_set["spec"]["replicas"]) == (name, 1)
    assert (service["spec"]["clusterIP"], service["spec"]["publishNotReadyAddresses"]) == (
        "None",
        True,
    )
    (port,) = service["spec"]["ports"]
    assert pod.container["ports"] == [{"name": port["name"], "containerPort": port["port"]}]
    assert port["targetPort"] == port["name"]
    settings = [merged(each, objects) for each in objects.pods().values()]
    assert {(each.host, each.port) for each in settings} == {(name, port["port"])}
