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


def test_a_graph_of_a_collection(reviews, run):
    done = run("graph", "reviews", "--out", "near.csv", "-k", "3", "--json")
    assert done.code == 0, done.err
    assert done.json == {"out": "near.csv", "rows": 60, "edges": 180}
    assert len((reviews / "near.csv").read_text("utf-8").splitlines()) == 181
    assert run("graph", "reviews", "--out", "near.png").code == 2
