"""Every setting is one of its command, and every path leads to a volume."""

import re

import click
import pytest
from deploy.kubernetes.manifests import COMMANDS, environment, merged

from bohb_seg.commands import master
from bohb_seg.settings import public


def test_every_variable_is_a_setting_of_its_command(objects):
    names = {
        name: {f"BOHB_{public(field).upper()}" for field in kind.model_fields}
        for name, (_, kind) in COMMANDS.items()
    }
    for pod in objects.pods().values():
        (name,) = pod.container["command"]
        own = {each["name"] for each in pod.container["env"]} - {"HOME"}
        assert own <= names[name]
    (settings,) = objects.kind("ConfigMap")
    assert settings["data"].keys() <= names["bohb-master"] | names["bohb-worker"]
    # What stands at a container would win without a word.
    at_containers = {e["name"] for p in objects.pods().values() for e in p.container["env"]}
    assert not settings["data"].keys() & at_containers


def test_commands_are_understood_and_find_their_paths(objects, readme):
    pods = objects.pods()
    for pod in pods.values():
        settings = merged(pod, objects)
        assert "secret" in pod.volume(str(settings.tls))
        assert "emptyDir" in pod.volume(str(settings.cache_dir))
        assert "emptyDir" in pod.volume(environment(pod, objects)["HOME"]), (
            "nothing else is writable"
        )
        if settings.data != "synthetic":
            assert pod.mounts[settings.data]["readOnly"]
            assert pod.volume(settings.data)["persistentVolumeClaim"]["readOnly"]
    search = merged(pods["bohb-master"], objects)
    assert (search.restartable, search.local_workers) == (True, 0)
    assert f"port-forward bohb-master-0 {search.dashboard}`" in readme
    assert (str(search.run_dir.parent), search.run_dir.name) == ("/results", search.run_id)
    assert "persistentVolumeClaim" in pods["bohb-master"].volume("/results")
    master._refuse_strangers(search)
    threads = merged(pods["bohb-worker"], objects).threads
    assert str(threads) == pods["bohb-worker"].container["resources"]["limits"]["cpu"]


def test_both_are_restarted_when_a_setting_changes(objects):
    (settings,) = objects.kind("ConfigMap")
    name = settings["metadata"]["name"]
    assert re.fullmatch(r"bohb-settings-\w{10}", name), "its content's hash is in its name"
    for pod in objects.pods().values():
        assert pod.container["envFrom"] == [{"configMapRef": {"name": name}}]


def test_a_wrong_flag_would_be_noticed(objects):
    """The other tests lean on the real parser; it has to be strict."""
    with pytest.raises(click.NoSuchOption):
        merged(objects.pods()["bohb-master"], objects, ["bohb-master", "--restart"])
