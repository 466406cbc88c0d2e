"""Each test sees both kustomizations."""

import pytest
from deploy.kubernetes.manifests import ALONE, FOLDER, KUSTOMIZATIONS, Objects, build


@pytest.fixture(scope="module", params=KUSTOMIZATIONS)
def text(request):
    return build(request.param)


@pytest.fixture(scope="module")
def objects(text):
    return Objects.of(text)


@pytest.fixture(scope="module")
def alone():
    return Objects.of("\n---\n".join((FOLDER / name).read_text() for name in ALONE))


@pytest.fixture(scope="module")
def readme():
    return (FOLDER / "README.md").read_text()


@pytest.fixture(scope="module")
def every_pod(objects, alone):
    return {**objects.pods(), **alone.pods()}
