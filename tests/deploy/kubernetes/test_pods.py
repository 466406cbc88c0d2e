"""What runs: as whom, from what, with how much, and how it ends."""

from importlib.metadata import version

from deploy.kubernetes.manifests import KUSTOMIZATIONS, Objects, build, merged

from bohb_seg.rpc import pyro
from bohb_seg.worker import membership, shutdown


def test_nobody_is_root_or_can_become_it(every_pod):
    for pod in every_pod.values():
        own = pod.spec["securityContext"]
        assert own == {
            **dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), 10001),
            "runAsNonRoot": True,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert pod.container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not pod.spec.keys() & {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName"}
        assert (pod.spec["automountServiceAccountToken"], pod.spec["enableServiceLinks"]) == (
            False,
            False,
        )
        kinds = {kind for path in pod.mounts for kind in pod.volume(path).keys() - {"name"}}
        assert kinds <= {"secret", "emptyDir", "persistentVolumeClaim"}


def test_images_have_the_version_of_the_package(every_pod):
    for pod in every_pod.values():
        name, _, tag = pod.container["image"].partition(":")
        assert (name, tag.split("-")[0]) == ("bohb-seg", version("bohb-seg"))
        assert tag.split("-")[1] in ("cpu", "gpu")


def test_every_container_has_its_share(every_pod):
    for pod in every_pod.values():
        share = pod.container["resources"]
        assert share["requests"].keys() == {"cpu", "memory"}
        assert share["limits"].keys() - {"nvidia.com/gpu"} == {"cpu", "memory"}
        for path in pod.mounts:
            assert "sizeLimit" in pod.volume(path).get("emptyDir", {"sizeLimit": ""})


def test_gpus_are_for_the_workers_of_the_overlay():
    for name in KUSTOMIZATIONS:
        pods = Objects.of(build(name)).pods()
        gpus = {
            pod: pods[pod].container["resources"]["limits"].get("nvidia.com/gpu") for pod in pods
        }
        wanted = {"bohb-master": None, "bohb-worker": "1" if name == "gpu" else None}
        assert gpus == wanted
        image = pods["bohb-worker"].container["image"]
        assert image.endswith("gpu" if name == "gpu" else "cpu")
        device = merged(pods["bohb-worker"], Objects.of(build(name))).device
        assert device == ("gpu" if name == "gpu" else "auto")


def test_probes(objects):
    pods = objects.pods()
    probe = pods["bohb-master"].container["readinessProbe"]
    assert probe["tcpSocket"]["port"] in [p["name"] for p in pods["bohb-master"].container["ports"]]
    probe = pods["bohb-worker"].container["readinessProbe"]
    checking = merged(pods["bohb-worker"], objects, probe["exec"]["command"])
    assert (checking.check, checking.only) == (True, "nameserver")
    assert pyro.CALL_TIMEOUT < probe["timeoutSeconds"] < probe["periodSeconds"]


def test_whoever_has_to_go_gets_the_time_for_it(objects):
    pods = objects.pods()
    leaving = shutdown.FAREWELL + 2 * membership.GOODBYE
    notice = merged(pods["bohb-worker"], objects).notice
    assert pods["bohb-worker"].spec["terminationGracePeriodSeconds"] >= notice + leaving
    assert pods["bohb-master"].spec["terminationGracePeriodSeconds"] >= 4 * pyro.CALL_TIMEOUT
    assert all(pod.spec["shareProcessNamespace"] for pod in pods.values())
