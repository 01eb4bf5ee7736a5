import numpy as np


def test_a_plan_of_a_collection_and_of_a_file(reviews, run):
    done = run("plan", "reviews", "--recall", ".9", "--memory", "1MB", "--json")
    assert done.code == 0, done.err
    assert done.json["target"] == 0.9 and done.json["chosen"]["recall"] == 1.0 and done.json["chosen"]["rungs"] == []
    assert {"tried", "matryoshka"} <= set(done.json)
    np.save("z.npy", np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32))
    assert "exact" in run("plan", "z.npy").out
    assert run("plan", "nowhere.imi").code == 2
    done = run("plan", "reviews", "--memory", "much")
    assert done.code == 2 and "2GB" in done.err
    done = run("plan", "reviews", "--recall", ".9", "--for", ".95", "--json")
    assert done.code == 0 and (done.json["target"], done.json["share"]) == (0.9, 0.95)
    assert run("plan", "reviews", "--for", "2").code == 2


def test_a_plan_is_measured_by_questions_of_ones_own(reviews, run):
    (reviews / "asked.txt").write_text("\n".join(f"which coffee number {at} is best?" for at in range(25)), "utf-8")
    done = run("plan", "reviews", "--queries", "asked.txt", "--json")
    assert done.code == 0 and done.json["chosen"]["outside"] is None, done.err
    z = np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32)
    np.save("z.npy", z)
    np.save("q.npy", z[:30])
    assert run("plan", "z.npy", "--queries", "q.npy").code == 0
    (reviews / "few.txt").write_text("one?\n\ntwo?\n", "utf-8")
    assert "2 queries are too few" in run("plan", "reviews", "--queries", "few.txt").err
    (reviews / "none.txt").write_text("\n", "utf-8")
    for wrong in ("none.txt", "missing.txt", "z.npy.txt"):
        assert run("plan", "reviews", "--queries", wrong).code != 0


def test_a_graph_of_a_collection(reviews, run):
    done = run("graph", "reviews", "--out", "near.csv", "-k", "3", "--json")
    assert done.code == 0, done.err
    assert done.json == {"out": "near.csv", "rows": 60, "edges": 180}
    assert len((reviews / "near.csv").read_text("utf-8").splitlines()) == 181
    assert run("graph", "reviews", "--out", "near.png").code == 2
