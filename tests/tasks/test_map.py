"""The map: its gradient against the exact one, its page safe and whole, its table readable."""

import base64
import hashlib
import json
import re

import numpy as np
import pytest
from tests.drawn import album

import imi
from imi import tasks
from imi.errors import UsageError
from imi.tasks.layout import _repulsion, _repulsion_of_pairs, symmetric_affinities, tsne_gradient, tsne_plane
from imi.tasks.neighbours import nearest_rows


@pytest.mark.parametrize(("scale", "allowed"), [(0.01, 1e-4), (3, 0.03), (30, 0.12)])
def test_repulsion_is_near_the_exact_one(scale, allowed):
    y = np.random.default_rng(0).normal(0, scale, (400, 2))
    away = y[:, None] - y[None]
    q = 1 / (1 + (away**2).sum(axis=2))
    np.fill_diagonal(q, 0)
    exact = (q[..., None] ** 2 * away).sum(axis=1)
    push, total = _repulsion(y)
    assert total == pytest.approx(q.sum(), rel=0.04)
    assert np.linalg.norm(push - exact) / np.linalg.norm(exact) < allowed
    push, total = _repulsion_of_pairs(y)
    assert total == pytest.approx(q.sum(), rel=1e-9)
    np.testing.assert_allclose(push, exact, rtol=1e-6, atol=1e-9)


def test_the_gradient_points_where_the_divergence_grows(groups):
    z = groups[0][:60]
    affinities = symmetric_affinities(*nearest_rows(z, 30), 10)
    p = affinities.toarray().astype(np.float64)
    y = np.random.default_rng(0).normal(0, 2, (60, 2))

    def divergence(at):
        q = 1 / (1 + ((at[:, None] - at[None]) ** 2).sum(axis=2))
        np.fill_diagonal(q, 0)
        return -(p * np.log(np.maximum(q / q.sum(), 1e-30))).sum()

    numeric = np.zeros_like(y)
    for place in np.ndindex(*y.shape):
        step = np.zeros_like(y)
        step[place] = 1e-4
        numeric[place] = (divergence(y + step) - divergence(y - step)) / 2e-4
    ours = 4 * tsne_gradient(y, affinities)
    assert np.linalg.norm(ours - numeric) / np.linalg.norm(numeric) < 0.05
    assert p.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(p, p.T, atol=1e-7)


def test_near_rows_lie_together_and_the_seed_decides(groups):
    z, labels = groups
    plane = tsne_plane(z)
    near = ((plane[:, None] - plane[None]) ** 2).sum(axis=2) + 1e9 * np.eye(len(z))
    assert (labels[near.argmin(axis=1)] == labels).mean() > 0.97
    assert (tsne_plane(z) == plane).all()


@pytest.fixture
def drawn(groups):
    z, labels = groups
    texts = [f"</script><script>alert({row})</script> 猫 {row}" for row in range(300)]
    columns = {"group": labels.tolist(), "<b>name": ["a", None, "b"] * 100}
    return tasks.map(z, texts, "pca", columns=columns, colour="group")


def test_the_page_is_whole_safe_and_allows_only_its_own_script(drawn, tmp_path):
    drawn.save(tmp_path / "map.html", "a < b")
    page = (tmp_path / "map.html").read_text("utf-8")
    assert "alert(0)</script>" not in page and "<title>a &lt; b</title>" in page
    assert not re.search(r"(src|href)=|https?://(?!www\.w3\.org/2000/svg)|^import |^export ", page, re.MULTILINE)
    script = re.search(r'<script type="module">(.*?)</script>', page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert (
        f"script-src 'sha256-{digest}'" in page
        and "default-src 'none'" in page
        and "unsafe" not in page.split("<style>")[0]
    )
    assert "innerHTML" not in script
    data = json.loads(re.search(r'id="map-data">(.*?)</script>', page, re.DOTALL)[1])
    points = np.frombuffer(base64.b64decode(data["points"]), "<f4").reshape(-1, 2)
    np.testing.assert_array_equal(points, drawn.points)
    assert data["texts"][7].startswith("</script>") and data["columns"]["<b>name"][1] is None


def test_an_album_s_map_carries_its_pictures(tmp_path):
    found = album(tmp_path / "photos")
    with imi.open(tmp_path / "a.imi", model="pixels") as shapes:
        shapes.add([imi.Document(name, picture=path) for name, path in found.items()])
        shapes.add([imi.Document("words", "no picture")], vectors=shapes.vectors()[:1])
        drawn = tasks.map(shapes, method="pca")
    assert set(drawn.pictures) == set(found)
    drawn.save(tmp_path / "map.html")
    page = (tmp_path / "map.html").read_text("utf-8")
    data = json.loads(re.search(r'id="map-data">(.*?)</script>', page, re.DOTALL)[1])
    assert [drawn.ids[int(row)] for row in data["pictures"]] == [name for name in drawn.ids if name in found]
    assert all(one.startswith("data:image/jpeg;base64,/9j/") for one in data["pictures"].values())
    assert "img-src data:" in page


def test_pictures_and_tables(drawn, tmp_path):
    import pyarrow.parquet

    drawn.save(tmp_path / "map.png")
    drawn.save(tmp_path / "map.svg")
    drawn.save(tmp_path / "map.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "map.parquet")
    assert table.column_names == ["id", "text", "x", "y", "neighbors", "group", "<b>name"]
    first = table["neighbors"][0].as_py()
    assert first["ids"] == drawn.neighbours[0].tolist() and first["distances"] == sorted(first["distances"])
    with pytest.raises(UsageError, match=r"\.gif"):
        drawn.save(tmp_path / "map.gif")


def test_bad_input_is_refused(groups):
    for how, words in (({"method": "x"}, "method is 'x'"), ({"colour": "x"}, "no row has a column 'x'")):
        with pytest.raises(UsageError, match=words):
            tasks.map(groups[0], **how)
    with pytest.raises(UsageError, match="least number"):
        tasks.map(groups[0][:2])
