"""The booted machine, which all tests of a module share."""

import pytest
from deploy.systemd.machine import booted, why_not
from deploy.systemd.run import ADDRESS, ALL_RUNS, ETC


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    if reason := why_not():
        pytest.skip(reason)
    with booted(tmp_path_factory.mktemp("machine")) as started:
        started.run("ip", "address", "add", f"{ADDRESS}/32", "dev", "lo")
        with (started.root / ETC / "bohb-seg.env").open("a") as shared:
            shared.writelines(f"{name}={value}\n" for name, value in ALL_RUNS.items())
        yield started
