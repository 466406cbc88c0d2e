"""Master and workers call each other and the cluster's DNS; nobody else calls or is called."""

import itertools

from deploy.kubernetes.manifests import labels
from deploy.kubernetes.policies import lets

PODS = {"master": labels("master"), "worker": labels("worker"), "stranger": {"app": "stranger"}}
PEERS = {**PODS, "outside": {}}
NAMES = {("UDP", 53), ("TCP", 53)}
TCP = {("TCP", port) for port in (53, 443, 9090, 40_000)}
"""A worker serves on any port."""
PORTS = NAMES | TCP | {("UDP", 40_000)}


def test_who_may_call_whom(objects):
    policies = objects.kind("NetworkPolicy")
    found = {
        (own, way, peer): {
            port for port in PORTS if lets(policies, way, PODS[own], PEERS[peer], port)
        }
        for own, way, peer in itertools.product(PODS, ("Egress", "Ingress"), PEERS)
    }
    nothing = {key: set() for key in found}
    names = {(own, "Egress", peer): NAMES for own in ("master", "worker") for peer in PEERS}
    assert found == {
        **nothing,
        **names,
        ("master", "Egress", "worker"): NAMES | TCP,
        ("worker", "Ingress", "master"): TCP,
        ("worker", "Egress", "master"): NAMES | {("TCP", 9090)},
        ("master", "Ingress", "worker"): {("TCP", 9090)},
    }
