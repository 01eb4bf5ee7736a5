"""The task verbs: each prints its keys, draws where asked to, and refuses what cannot be."""

import json

import pytest

VERBS = [
    (
        ("classify", "--column", "Score"),
        {"accuracy", "macro_f1", "interval", "labels", "confusion", "n", "baseline", "baselines", "certainty"},
    ),
    (("regress", "--column", "Score"), {"mae", "mse", "interval", "dummy", "n", "baseline", "baselines"}),
    (("cluster", "-k", "4"), {"clusters", "silhouette", "stability", "labels", "baseline", "families"}),
    (("diversity", "--subset", "3"), {"mean_distance", "vendi", "subset", "interval", "n", "baseline"}),
    (
        ("profiles", "--by", "UserId,ProductId", "--column", "Score"),
        {"correlation", "interval", "n", "cosine", "profiles", "baseline", "texts"},
    ),
]


@pytest.mark.parametrize(("arguments", "keys"), VERBS)
def test_tasks_print_their_keys_and_draw(run, reviews, arguments, keys):
    verb, *rest = arguments
    done = run(verb, "reviews", *rest, "--json", "--figure", "f.svg", "--dims", "32")
    assert done.code == 0, done.err
    assert set(done.json) == keys
    assert (reviews / "f.svg").stat().st_size > 1000
    assert run(verb, "reviews", *rest).code == 0


def test_lists(run, reviews):
    keys = {"id", "score", "reason", "nearest", "text", "baseline"}
    assert set(run("anomalies", "reviews", "--share", ".05", "--json").json[0]) == keys
    groups = run("dedupe", "reviews", "--threshold", ".5", "--json").json
    assert groups and all(set(group) == {"keep", "drop", "similarity", "text", "baseline"} for group in groups)
    hits = run("recommend", "reviews", "--like", "1", "--dislike", "4", "-k", "3", "--json").json
    assert len(hits) == 3 and not {"1", "4"} & {hit["id"] for hit in hits}
    assert {"findings"} == set(run("doctor", "reviews", "--json").json)


def test_zero_shot_with_and_without_truth(run, reviews):
    found = run("zero-shot", "reviews", "--labels", "good,bad", "--json").json
    assert len(found) == 60 and set(found[0]) == {"id", "label", "confidence"}
    unsure = run("zero-shot", "reviews", "--labels", "good,bad", "--abstain", ".7", "--json").json
    assert [one["label"] is None for one in unsure] == [one["confidence"] < 0.7 for one in unsure]
    assert {one["label"] is None for one in unsure} == {True, False}
    (reviews / "d.json").write_text(json.dumps({"5": "I love it", "1": ["awful", "never again"]}))
    judged = run("zero-shot", "reviews", "--describe", "d.json", "--column", "Score", "--json")
    assert {"accuracy", "macro_f1", "interval", "labels", "confusion", "n", "certainty"} <= set(judged.json)
    assert judged.json["method"] == "descriptions"
    assert run("zero-shot", "reviews", "--labels", "a,b", "--method", "x").err.startswith("imi: method is 'x'")


def test_a_saved_head_labels_rows(run, reviews):
    assert run("classify", "reviews", "--column", "Score", "--head", "knn", "--save", "h.npz", "-q").code == 0
    rows = run("classify", "reviews", "--with", "h.npz", "--json").json
    assert len(rows) == 60 and set(rows[0]) == {"id", "label", "confidence"} and rows[0]["label"] in {1, 2, 3, 4, 5}
    unsure = run("classify", "reviews", "--with", "h.npz", "--abstain", ".6", "--json").json
    assert [one["label"] is None for one in unsure] == [one["confidence"] < 0.6 for one in unsure]
    assert any(one["label"] is None for one in unsure)
    assert "add --with HEAD.npz" in run("classify", "reviews", "--column", "Score", "--abstain", ".6").err
    assert "allowed are numbers from 0" in run("classify", "reviews", "--with", "h.npz", "--abstain", "2").err


def test_map_code_and_customize(run, reviews):
    assert run("map", "reviews", "--out", "map.html", "--column", "Score", "--json").json == {
        "out": "map.html",
        "points": 60,
    }
    (reviews / "x.py").write_text("def read_lines(path):\n    return open(path).readlines()\n")
    assert run("code", ".", "read lines", "--json").json[0]["line"] == 1
    pairs = [f"{a},{b},{int(a % 5 == b % 5)}" for a in range(1, 50, 2) for b in (a + 1, (a + 4) % 60 + 1)]
    (reviews / "pairs.csv").write_text("a,b,near\n" + "\n".join(pairs))
    done = run("customize", "reviews", "--pairs", "pairs.csv", "--out", "m.npz", "--json")
    assert done.code == 0, done.err
    assert {"before", "after"} <= set(done.json)


def test_texts_are_read_by_sentences_where_asked(run, reviews):
    learned = run("classify", "reviews", "--column", "Score", "--sentences", "--save", "h.npz", "--json", "-q").json
    assert learned["n"] == 12
    rows = run("classify", "reviews", "--with", "h.npz", "--json").json
    assert len(rows) == 60 and all(0 < row["confidence"] <= 1 for row in rows)
    assert run("regress", "reviews", "--column", "Score", "--sentences", "--json").json["mse"] > 0
    plain, parts = (
        run("zero-shot", "reviews", "--labels", "good,bad", "--json", *more).json for more in ((), ("--sentences",))
    )
    assert plain != parts and [one["id"] for one in plain] == [one["id"] for one in parts]


@pytest.mark.parametrize(
    "arguments",
    [
        ("classify", "reviews", "--column", "Nope"),
        ("classify", "reviews"),
        ("cluster", "reviews", "-k", "99"),
        ("regress", "reviews", "--column", "Summary"),
        ("zero-shot", "reviews", "--labels", "one"),
        ("zero-shot", "reviews", "--labels", "one,,two"),
        ("zero-shot", "reviews", "--describe", "reviews.csv"),
        ("classify", "reviews", "--column", "Text"),
        ("classify", "reviews", "--column", "Score", "--head", "tree"),
        ("recommend", "reviews", "--like", "nobody"),
        ("map", "reviews", "--out", "map.gif"),
        ("profiles", "reviews", "--by", "Nope"),
        ("diversity", "reviews", "--subset", "0"),
        ("dedupe", "reviews", "--threshold", "2"),
        ("doctor", "nowhere"),
        ("code", "nowhere", "x"),
    ],
)
def test_wrong_use_ends_with_2_and_one_sentence(run, reviews, arguments):
    done = run(*arguments)
    assert done.code == 2 and done.err.startswith("imi: ") and not done.out


def test_recommendations_say_why_and_reports_are_one_page(run, reviews):
    done = run("recommend", "reviews", "--like", "1", "--like", "2", "--dislike", "4", "-k", "3", "--json")
    hits = done.json
    assert len(hits) == 3, done.err
    for hit in hits:
        assert set(hit["reason"]) == {"liked", "cosine", "words", "disliked"} and hit["reason"]["liked"] in {"1", "2"}
        assert hit["baseline"]["rank"] >= 1
    for verb, *rest in (
        ("anomalies", "--share", ".05"),
        ("dedupe",),
        ("classify", "--column", "Score"),
        ("zero-shot", "--labels", "positive,negative", "--column", "Score"),
        ("regress", "--column", "Score"),
        ("cluster", "-k", "3"),
        ("diversity", "--subset", "3"),
        ("profiles", "--by", "UserId,ProductId", "--column", "Score"),
    ):
        done = run(verb, "reviews", *rest, "--report", f"{verb}.html", "--dims", "64")
        assert done.code == 0, (verb, done.err)
        page = (reviews / f"{verb}.html").read_text("utf-8")
        assert 'lang="ja"' in page and "http-equiv" in page and "<svg" in page and ">None<" not in page, verb
        assert "Baseline" in page or "baseline" in page, verb
    assert run("cluster", "reviews", "--report", "r.pdf").code == 2


def test_japanese_is_spoken_where_it_is_asked_for(run, reviews, monkeypatch):
    monkeypatch.setenv("IMI_LANG", "ja")
    assert "ベースライン" in run("anomalies", "reviews", "--share", ".05").err
    interval = run("diversity", "reviews").rows[0][2]
    assert "〜" in interval and "to" not in interval
    monkeypatch.setenv("IMI_LANG", "en")
    assert "baseline" in run("anomalies", "reviews", "--share", ".05").err


def test_groups_are_shown_under_the_larger_ones_they_belong_to(run, reviews):
    found = run("cluster", "reviews", "-k", "8", "--tree", "--json").json
    assert sorted(at for family in found["families"] for at in family["clusters"]) == list(range(8))
    assert 2 <= len(found["families"]) <= 4
    assert sum(family["size"] for family in found["families"]) == 60
    shown = run("cluster", "reviews", "-k", "8", "--tree").out
    assert shown.count("├ ") + shown.count("└ ") == 8 and shown.count("└ ") == len(found["families"])
    assert run("cluster", "reviews", "-k", "4", "--json").json["families"] == []


def test_a_report_of_rows_on_an_engine_in_a_folder_is_written(run, tmp_path):
    pytest.importorskip("qdrant_client", reason="qdrant-client is not installed")
    (tmp_path / "a.txt").write_text("".join(f"line {at}\n" for at in range(12)))
    place = f"qdrant:{tmp_path / 'points'}?collection=lines"
    assert run("add", place, str(tmp_path / "a.txt")).code == 0
    done = run("anomalies", f"{place}&api_key=SESAME", "--share", ".1", "--report", str(tmp_path / "r.html"))
    assert done.code == 0, done.err
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "collection=lines" in page and "SESAME" not in page, "it is sent on, and the key is not"


def test_every_task_has_a_report_in_which_texts_are_only_texts(run, reviews):
    (reviews / "bad.csv").write_text('id,text\nx,"<script>alert(1)</script> </main> beans"\n')
    assert run("add", "reviews", "bad.csv", "--id", "id", "--template", "{text}").code == 0
    (reviews / "pairs.csv").write_text("\n".join(f"{a},{a + 1},{a % 3 % 2}" for a in range(1, 50, 2)))
    for verb, *rest in (
        ("recommend", "--like", "1", "-k", "60"),
        ("map", "--out", "m.html"),
        ("customize", "--pairs", "pairs.csv", "--out", "m.npz"),
    ):
        done = run(verb, "reviews", *rest, "--report", "r.html", "-q")
        assert done.code == 0, done.err
        page = (reviews / "r.html").read_text("utf-8")
        assert "<script" not in page and page.count("</main>") == 1 and 'lang="ja"' in page
        assert verb != "recommend" or "&lt;script&gt;" in page
    assert run("recommend", "reviews", "--like", "1", "--report", "r.txt").err.startswith("imi: a report cannot be")
