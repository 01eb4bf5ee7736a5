import csv
import json
from xml.etree import ElementTree

import numpy as np
import pytest

import imi
from imi import tasks
from imi.errors import UsageError


@pytest.fixture
def rows():
    z = np.random.default_rng(0).standard_normal((40, 8)).astype(np.float32)
    return np.concatenate([z, z[:1]])


def test_neighbours_are_those_of_brute_force(rows):
    found = tasks.graph(rows, 4)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = unit.astype(np.float64) @ unit.T
    np.fill_diagonal(cosines, -2)
    np.testing.assert_allclose(found.scores, np.sort(cosines, axis=1)[:, ::-1][:, :4], atol=1e-5)
    assert len(found) == 41 * 4 and found.to_dict() == {"rows": 41, "edges": 164}
    assert all(a != b for a, b, _ in found.edges())


def test_every_kind_of_file_holds_the_edges(rows, tmp_path, embedder):
    with imi.open(tmp_path / "c.imi", embedder) as c:
        c.add([imi.Document("a", "a cat"), imi.Document('b "<', "two & a cat\x00"), imi.Document("c", "猫")])
        found = tasks.graph(c, 5)
    edges = [(found.ids[a], found.ids[b]) for a, b, _ in found.edges()]
    assert sorted(edges) == sorted((x, y) for x in found.ids for y in found.ids if x != y)
    for kind in (".csv", ".tsv", ".jsonl", ".graphml"):
        found.save(tmp_path / f"g{kind}")
    for kind, mark in ((".csv", ","), (".tsv", "\t")):
        with (tmp_path / f"g{kind}").open(newline="") as file:
            table = list(csv.DictReader(file, delimiter=mark))
        assert [(row["source"], row["target"]) for row in table] == edges
    lines = [json.loads(line) for line in (tmp_path / "g.jsonl").read_text().splitlines()]
    assert [(line["source"], line["target"]) for line in lines] == edges
    space = "{http://graphml.graphdrawing.org/xmlns}"
    tree = ElementTree.parse(tmp_path / "g.graphml").getroot()
    assert [(edge.get("source"), edge.get("target")) for edge in tree.iter(f"{space}edge")] == edges
    assert [node[0].text for node in tree.iter(f"{space}node")] == ["a cat", "two & a cat", "猫"]
    with pytest.raises(UsageError, match=r"png"):
        found.save(tmp_path / "g.png")
