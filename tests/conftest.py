"""Tiny data folders, written anew for each test."""

import pytest
from helpers.data_folder import Folder


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture
def tiles(folder):
    for group in ("Tile 1", "Tile 2", "Tile 3", "Tile 4"):
        for name in ("a", "b"):
            folder.add(group, name)
    return folder
