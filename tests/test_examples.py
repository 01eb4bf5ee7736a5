"""Every example runs in this process, in a folder of its own, on the data that travels with the repository."""

import runpy
import sys
from pathlib import Path

import pytest

import imi
from imi.errors import DataError

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
# The first asks a server, the second needs the picture tower; both are run by other tests.
ELSEWHERE = {"openai_client.py", "pictures.py"}
LIBRARIES = {
    "cookbook/get_embeddings_from_dataset.py": "pandas",
    "part2.py": "pandas",
    "part3.py": "PIL",
    "reviews.py": "pandas",
}
RUN = sorted(
    path.relative_to(EXAMPLES).as_posix()
    for path in EXAMPLES.rglob("*.py")
    if path.name not in ELSEWHERE | {"fine_food.py"} and "__pycache__" not in path.parts
)
# What each must have printed: what was planted is found, and figures stand beside the published ones.
SAYS = {
    "codewords.py": "of the ten nearest points 10",
    "cookbook/classification.py": "3-small .78",
    "cookbook/question_answering.py": "[1] review",
    "cookbook/regression.py": "3-small 1.73",
    "cookbook/user_and_product.py": "3-small .296",
    "cookbook/zero_shot.py": "3-small .95",
    "hnsw.py": "layer 0: 400 points",
    "iot_log_ads.py": "planted [17, 90, 203, 311, 388]",
    "origins.py": "Matryoshka loss, the sum over all sizes",
    "part1.py": "U+732B",
    "part2.py": "猫",
    "part3.py": "1,024,000,000",
    "token_lookup.py": "18 parameters",
    "web_search.py": "reduce: [('the', 63)",
}


@pytest.fixture(scope="module", autouse=True)
def model():
    try:
        return imi.load("built-in")
    except DataError:
        pytest.skip("the built-in model has not been trained in this clone (make model)")


@pytest.mark.filterwarnings("ignore:open_binary is deprecated")  # of the library that counts cl100k's tokens
@pytest.mark.parametrize("name", RUN)
def test_example_runs(name, tmp_path, monkeypatch, capsys):
    if name in LIBRARIES:
        pytest.importorskip(LIBRARIES[name])
    path = EXAMPLES / name
    arguments = ["semantic_text_search"] if name == "part2.py" else []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMI_SHARED_DATA", str(tmp_path))  # the sixty reviews, not the thousand
    monkeypatch.setattr(sys, "argv", [str(path), *arguments])
    monkeypatch.setattr(sys, "path", [str(path.parent), *sys.path])
    before = set(sys.modules)
    try:
        runpy.run_path(str(path), run_name="__main__")
    except SystemExit as left:
        assert not left.code, name
    finally:
        for module in set(sys.modules) - before:
            if str(EXAMPLES) in str(getattr(sys.modules[module], "__file__", "")):
                del sys.modules[module]
    said = capsys.readouterr().out
    assert SAYS.get(name, "") in said and len(said) > 50
    assert not list(tmp_path.iterdir()), "an example leaves nothing behind unless it is told where"


@pytest.mark.parametrize("name", ["hnsw", "codewords"])
def test_pictures_are_drawn(name, tmp_path):
    pytest.importorskip("matplotlib")
    runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"](tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_the_heuristic_keeps_a_way_to_the_other_cluster():
    own = runpy.run_path(str(EXAMPLES / "hnsw.py"))
    import numpy as np

    points, second, new = own["two_clusters"]()
    plain, kept = own["nearest"](points, new, 6), own["spread"](points, new, 6)
    assert not second[plain].any() and second[kept].any()
    for at, one in enumerate(kept):
        nearer = [((points[one] - points[other]) ** 2).sum() for other in kept[:at]]
        assert all(((points[one] - new) ** 2).sum() < distance for distance in nearer)
    line = np.array([[1, 0], [2, 0], [-3, 0]], np.float32)
    assert own["spread"](line, np.zeros(2, np.float32), 3).tolist() == [0, 2], "behind the first there is no need"


def test_greedy_descent_ends_where_no_neighbour_is_nearer():
    own = runpy.run_path(str(EXAMPLES / "hnsw.py"))
    import numpy as np

    points = np.random.default_rng(0).uniform(0, 1, (300, 2)).astype(np.float32)
    index = own["built"](points)
    graph = index.hnsw
    right = 0
    for query in points[:20] + np.float32(0.003):
        paths = own["descend"](graph, points, query)
        assert [layer for layer, _ in paths] == list(range(graph.max_level, -1, -1))
        last = paths[-1][1][-1]
        near = own["links"](graph, last, 0)
        assert ((points[near] - query) ** 2).sum(axis=1).min() >= ((points[last] - query) ** 2).sum()
        right += last == ((points - query) ** 2).sum(axis=1).argmin()
    assert right >= 12, "greedy search of one candidate finds the nearest more often than not"


def test_origins_draw_what_was_learned(tmp_path):
    from xml.etree import ElementTree

    runpy.run_path(str(EXAMPLES / "origins.py"))["main"](tmp_path)
    drawn = sorted(tmp_path.glob("*.svg"))
    assert [path.name for path in drawn] == ["attention.svg", "autoencoder.svg", "matryoshka.svg", "word2vec.svg"]
    for path in drawn:
        assert len(ElementTree.parse(path).getroot()) > 10, path.name
        assert (EXAMPLES.parent / "docs" / "origins" / path.name).exists()
