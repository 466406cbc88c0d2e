"""Who may call whom, as Kubernetes reads network policies."""

from collections.abc import Iterable

from deploy.kubernetes.manifests import Object


def lets(
    policies: Iterable[Object], way: str, own: Object, peer: Object, port: tuple[str, int]
) -> bool:
    """Whether policies let a pod call a peer (Egress), or be called by it (Ingress).

    As Kubernetes has it: a direction that no policy speaks of is free, otherwise one must allow it;
    for a call to come about, both sides must.

    Args:
        policies: All of the namespace.
        way: ``Egress`` or ``Ingress``.
        own: Labels of the pod.
        peer: Those of the other; none for what is outside of the cluster.
        port: Protocol and number of the port that is called.
    """
    about = [
        policy["spec"]
        for policy in policies
        if way in policy["spec"]["policyTypes"] and _fits(policy["spec"]["podSelector"], own)
    ]
    peers = {"Egress": "to", "Ingress": "from"}[way]
    rules = [rule for spec in about for rule in spec.get(way.lower(), ())]
    return not about or any(
        _any_peer(rule.get(peers), peer) and _any_port(rule.get("ports"), port) for rule in rules
    )


def _any_peer(peers: Iterable[Object] | None, labels: Object) -> bool:
    if peers is None:
        return True
    return any(bool(labels) and _fits(peer["podSelector"], labels) for peer in peers)


def _any_port(ports: Iterable[Object] | None, port: tuple[str, int]) -> bool:
    return ports is None or any(
        (each["protocol"], each.get("port", port[1])) == port for each in ports
    )


def _fits(selector: Object, labels: Object) -> bool:
    assert set(selector) <= {"matchLabels"}, "only labels are understood here"
    return selector.get("matchLabels", {}).items() <= labels.items()
