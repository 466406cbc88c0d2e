"""Tiny data folders, written anew for each test, and a browser for a module of tests."""

import shutil

import pytest
from helpers.data_folder import Folder

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install --no-install-recommends chromium")
    with playwright.sync_playwright() as driver:
        window = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield window
        window.close()


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture
def tiles(folder):
    for group in ("Tile 1", "Tile 2", "Tile 3", "Tile 4"):
        for name in ("a", "b"):
            folder.add(group, name)
    return folder
