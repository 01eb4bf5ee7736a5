"""imi.load: names, folders, the environment, and errors that list what there is."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from imi.embedders.builtin import FOLDER
from imi.embedders.load import NAMES, load
from imi.errors import DataError, UsageError


def test_without_a_name_the_built_in_model_is_loaded(monkeypatch):
    monkeypatch.delenv("IMI_MODEL", raising=False)
    assert load().info.id == "built-in"
    assert load().info == load("built-in").info


def test_the_environment_names_the_default_only(monkeypatch, tmp_path):
    monkeypatch.setenv("IMI_MODEL", str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="nowhere"):
        load()
    assert load("built-in").info.id == "built-in"


def test_a_folder_is_a_model(tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(FOLDER, folder)
    mine, shipped = load(folder), load("built-in")
    assert mine.info.fingerprint == shipped.info.fingerprint
    np.testing.assert_array_equal(mine.embed(["猫"]), shipped.embed(["猫"]))


def test_a_folder_without_a_model_is_an_error_that_names_it(tmp_path):
    with pytest.raises(DataError, match=tmp_path.name):
        load(tmp_path)


@pytest.mark.parametrize("name", ["built_in", "openai:", "st:", "gpt-4", ""])
def test_an_unknown_name_lists_the_names(name):
    with pytest.raises(UsageError) as raised:
        load(name)
    assert all(known in raised.value.message for known in NAMES)
    assert repr(name) in raised.value.message
