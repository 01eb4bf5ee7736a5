"""Anomalies, duplicates, diversity and recommendation against brute force."""

import numpy as np
import pytest

from imi import tasks
from imi.errors import UsageError
from imi.records import Document
from imi.vectors import normalize


def test_planted_anomalies_are_found_and_explained(groups):
    z, _ = groups
    rng = np.random.default_rng(3)
    odd = normalize(rng.normal(size=(6, 32)))
    result = tasks.anomalies(np.vstack([z, odd]))
    found = set(np.flatnonzero(result.flagged))
    assert set(range(300, 306)) <= found and len(found) <= 9
    assert result.score[300:].min() > np.quantile(result.score[:300], 0.97)
    first = result.to_dict()[0]
    assert set(first) == {"id", "score", "reason", "nearest", "text", "baseline"}
    assert first["nearest"] and "nearest rows" in first["reason"] and first["baseline"]["rank"] <= 6
    assert not set(first["nearest"]) & {str(row) for row in result.rows}
    assert tasks.anomalies(z, share=0.1).flagged.sum() == 30


def brute_groups(z, threshold):
    """Return the groups that taking rows one by one, each with all that are free and near, makes of all pairs."""
    unit = z.astype(np.float64) / np.linalg.norm(z.astype(np.float64), axis=1, keepdims=True)
    near = unit @ unit.T >= threshold - 1e-9
    free, groups = np.ones(len(z), dtype=bool), set()
    for row in range(len(z)):
        if free[row]:
            taken = np.flatnonzero(near[row] & free)
            free[taken] = False
            if len(taken) > 1:
                groups.add(frozenset(taken))
    return groups


@pytest.mark.parametrize("threshold", [0.6, 0.8, 0.9, 0.95, 1.0])
def test_duplicates_are_exactly_those_of_brute_force(threshold):
    rng = np.random.default_rng(4)
    base = rng.normal(size=(500, 96)).astype(np.float32)
    near = base[rng.integers(0, 500, 400)] + rng.choice([0, 0.05, 0.2, 0.4], 400)[:, None] * rng.normal(size=(400, 96))
    z = normalize(np.vstack([base, near]))
    found = tasks.dedupe(z, threshold)
    assert {frozenset((group.keep, *group.drop)) for group in found} == brute_groups(z, threshold)
    assert all(group.keep == min(group.keep, *group.drop) for group in found)


def test_which_duplicate_is_kept():
    z = np.repeat(np.eye(3, dtype=np.float32), 3, axis=0)
    texts = ["a", "aaa", "aa", *"bcdefg"]
    longest = tasks.dedupe(z, 0.99, texts=texts)
    assert longest[0].keep == 1 and longest[0].drop == (0, 2) and longest[0].similarity == 1
    assert [group.keep for group in tasks.dedupe(z, 0.99)] == [0, 3, 6]
    assert longest.drop == (0, 2, 4, 5, 7, 8)
    assert tasks.dedupe(np.ones((3000, 8)), 1.0)[0].drop == tuple(range(1, 3000))
    with pytest.raises(UsageError, match=r"threshold is 1\.5"):
        tasks.dedupe(z, 1.5)
    with pytest.raises(UsageError, match="no texts"):
        tasks.dedupe(z, keep="longest")


def test_diversity_is_that_of_the_matrix_of_all_pairs(groups):
    z, _ = groups
    result = tasks.diversity(z)
    full = (z @ z.T).astype(np.float64)
    assert result.mean_distance == pytest.approx(1 - full[np.triu_indices(300, 1)].mean(), abs=1e-5)
    values = np.clip(np.linalg.eigvalsh(full / 300), 1e-15, None)
    assert result.vendi == pytest.approx(np.exp(-(values * np.log(values)).sum()), rel=1e-3)
    assert result.interval[0] < result.mean_distance < result.interval[1]
    assert tasks.diversity(np.eye(5)).vendi == pytest.approx(5)
    assert tasks.diversity(np.ones((5, 3))).vendi == pytest.approx(1)


def test_a_subset_is_more_diverse_than_chance(groups):
    z, labels = groups
    chosen = tasks.subset(z, 3)
    assert sorted(labels[chosen]) == [0, 1, 2]
    assert sorted(tasks.subset(z[:20], 20)) == list(range(20))
    assert tasks.diversity(z[tasks.subset(z, 20)]).vendi > tasks.diversity(z[:20]).vendi
    with pytest.raises(UsageError, match="k is 301"):
        tasks.subset(z, 301)


def test_recommendation_follows_likes_and_varies(groups, tmp_path, embedder):
    import imi

    z, labels = groups
    plain = tasks.recommend(z, [0, 1], k=10, diversity=0)
    wanted = normalize(z[[0, 1]].mean(axis=0))
    order = [row for row in np.argsort(-(z @ wanted), kind="stable") if row not in (0, 1)][:10]
    assert plain.rows.tolist() == order
    varied = tasks.recommend(z, [0, 1], k=10, diversity=0.8)
    assert tasks.diversity(z[varied.rows]).mean_distance > tasks.diversity(z[plain.rows]).mean_distance
    assert set(labels[tasks.recommend(z, 0, [160], k=10).rows]) == {0}
    with imi.open(tmp_path / "c.imi", model=embedder) as collection:
        collection.add([Document(str(row), f"row {row}") for row in range(300)], vectors=normalize(np.hstack([z, z])))
        hits = tasks.recommend(collection, ["0", "1"], k=10, diversity=0)
        assert [hit.id for hit in hits] == [str(row) for row in order]
    for call, words in (
        (lambda: tasks.recommend(z, []), "nothing is liked"),
        (lambda: tasks.recommend(z, [1], [1]), "both liked"),
        (lambda: tasks.recommend(z, [300]), "row 300"),
        (lambda: tasks.recommend(z, [1], diversity=2), "diversity is 2"),
    ):
        with pytest.raises(UsageError, match=words):
            call()


def test_what_is_nearer_to_the_disliked_loses_by_how_much_and_all_else_keeps_its_score(groups, tmp_path, embedder):
    import imi

    z, _ = groups
    like, dislike = [0, 1], [160, 161]
    plain, found = (tasks.recommend(z, like, away, k=300, diversity=0) for away in ((), dislike))
    before = dict(zip(plain.rows.tolist(), plain.scores.tolist(), strict=True))
    lead = z @ (z[dislike].mean(axis=0) - z[like].mean(axis=0))
    assert len(found.rows) == 296 and (lead[found.rows] > 0).any() and (lead[found.rows] < 0).any()
    for row, score in zip(found.rows.tolist(), found.scores.tolist(), strict=True):
        assert score == pytest.approx(before[row] - max(0.0, float(lead[row])), abs=1e-5)
    with imi.open(tmp_path / "c.imi", model=embedder) as collection:
        collection.add([Document(str(row), f"row {row}") for row in range(300)], vectors=normalize(np.hstack([z, z])))
        hits = tasks.recommend(collection, ["0", "1"], ["160", "161"], k=10, diversity=0)
    assert [hit.id for hit in hits] == [str(row) for row in found.rows[:10]]
    assert [hit.score for hit in hits] == pytest.approx(found.scores[:10].tolist(), abs=1e-4)


def test_copies_are_recommended_once_and_those_of_the_liked_never(tmp_path, embedder):
    import imi

    texts = ["good coffee", "Good coffee!", "strong coffee", "strong  coffee", "weak coffee", "a dog"]
    with imi.open(tmp_path / "c.imi", model=embedder) as collection:
        collection.add([imi.Document(str(at), text) for at, text in enumerate(texts)])
        hits = tasks.recommend(collection, "0", k=5)
    assert {hit.id for hit in hits} == {"2", "4", "5"} and next(hit.copies for hit in hits if hit.id == "2") == ("3",)
    z = np.eye(4, dtype=np.float32)[[0, 0, 1, 1, 2]] + 0.1
    assert sorted(tasks.recommend(z, [0], k=5).rows.tolist()) == [2, 4]


def test_many_copies_of_each_row_leave_as_many_different_ones_as_asked_for(tmp_path, embedder):
    import imi

    animals = "cat dog bird fish horse cow pig hen".split()  # noqa: SIM905
    with imi.open(tmp_path / "c.imi", model=embedder) as collection:
        collection.add([imi.Document(f"{one}{n}", f"a story of the {one}") for one in animals for n in range(60)])
        for like in ("cat0", ["cat0", "cat1"], ["cat0"] * 80):
            hits = tasks.recommend(collection, like, k=5)
            assert len({hit.text for hit in hits}) == 5 and not any("cat" in hit.text for hit in hits)
