"""The engine with our image, which all tests share, and a project for each test."""

import pytest
from deploy.docker.engine import engine, why_not
from deploy.docker.stack import Stack


@pytest.fixture(scope="session")
def docker_engine():
    if reason := why_not():
        pytest.skip(reason)
    with engine() as started:
        started.build()
        yield started


@pytest.fixture
def stack(docker_engine, tmp_path):
    """What compose.yaml starts, with the toy; ends with the test."""
    started = Stack(docker_engine, tmp_path)
    yield started
    started.close()
