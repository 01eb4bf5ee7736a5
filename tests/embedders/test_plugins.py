"""Models of other packages, found by entry points."""

import sys

import pytest

import imi
from imi.embedders.testing import HashEmbedder
from imi.errors import UsageError


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Install a package by hand: a module and the metadata that pip would write."""
    (tmp_path / "acme_imi.py").write_text(
        "from imi.embedders.testing import HashEmbedder\n\n\n"
        "class Acme(HashEmbedder):\n    def __init__(self, name):\n        self.name = name\n"
    )
    metadata = tmp_path / "acme_imi-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-imi\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[imi.embedders]\nacme = acme_imi:Acme\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("acme_imi", None)


def test_a_package_brings_a_model(plugin):
    model = imi.load("acme:large")
    assert model.name == "large"
    assert (model.embed(["a"]) == HashEmbedder().embed(["a"])).all()


def test_without_the_package_the_name_is_unknown():
    with pytest.raises(UsageError, match="acme:large"):
        imi.load("acme:large")
