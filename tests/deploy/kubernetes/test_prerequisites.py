"""What the manifests refer to is made by them or by the README's commands."""

import re

import pytest

from bohb_seg.rpc import certificates, tls


def secrets(readme):
    """Secrets by name, each with its files, as the README's commands make them."""
    made = re.findall(r"create secret generic (\S+)((?:\s+\\?\s*--from-file=\S+)+)", readme)
    return {name: re.findall(r"--from-file=\S*?([\w.]+)(?=\s|$)", files) for name, files in made}


def test_secrets_are_those_of_the_readme(objects, readme):
    mounted = {name: pod.volume("/tls")["secret"] for name, pod in objects.pods().items()}
    assert {name: secret["secretName"] for name, secret in mounted.items()} == {
        "bohb-master": "bohb-master-tls",
        "bohb-worker": "bohb-worker-tls",
    }
    assert secrets(readme) == {
        "bohb-master-tls": ["ca.pem", "master.pem", "master.key"],
        "bohb-worker-tls": ["ca.pem", "worker.pem", "worker.key"],
    }
    used = {
        v["secret"]["secretName"] for p in objects.pods().values() for v in volumes(p, "secret")
    }
    assert used == secrets(readme).keys()


@pytest.mark.parametrize("role", ["master", "worker"])
def test_a_secret_holds_what_its_command_needs(role, readme, tmp_path):
    made, mounted = tmp_path / "certs", tmp_path / "tls"
    certificates.make(made)
    mounted.mkdir()
    for name in secrets(readme)[f"bohb-{role}-tls"]:
        (mounted / name).write_bytes((made / name).read_bytes())
    tls.check(mounted, role)


def test_claims_are_made_here_or_told_by_the_readme(objects, alone, every_pod, readme):
    made = {claim for pod in objects.pods().values() for claim in pod.claims.values()}
    assert made == {"results-bohb-master-0"}
    used = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in every_pod.values()
        for volume in volumes(pod, "persistentVolumeClaim")
    }
    assert used - made <= {"bohb-data"}
    assert "`bohb-data`" in readme
    assert alone.pods()["bohb-fetch"].volume("/results")["persistentVolumeClaim"] == {
        "claimName": "results-bohb-master-0"
    }


def volumes(pod, kind):
    return [volume for volume in pod.spec.get("volumes", ()) if kind in volume]
