"""Two models in one collection: what the finer one read is kept, never of another text, and orders what is found."""

from __future__ import annotations

import shutil
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

import imi
from imi.collection import deepening, searching
from imi.collection.second_look import looked_at
from imi.errors import MissingExtra, UsageError
from imi.store import database, schema
from imi.store.store import Store

pytestmark = pytest.mark.skipif(not deepening.finer.installed(), reason="the model's files are not in this clone")

TEXTS = {
    "spoilt": "Half of the tins were dented and smelled sour. I threw the whole box away.",
    "late": "The parcel spent three weeks on its way and the courier left it in the rain.",
    "good": "These beans taste wonderful, soft and earthy, just as my grandmother made them.",
    "price": "Far too expensive for such a small bag.",
    "猫": "うちの猫はタマと言います。いつも窓辺で寝ています。",
    "株": "日経平均株価は今日、大きく値を下げた。",
    "tea": "A fine green tea with a light, grassy taste.",
    "shoes": "The soles came off after two days of walking.",
}


def fill(path, **settings):
    with imi.open(path, **settings) as c:
        c.add([imi.Document(key, text, {"n": at}) for at, (key, text) in enumerate(TEXTS.items())])
    return path


@pytest.fixture
def filled(tmp_path):
    return fill(tmp_path / "c.imi")


@pytest.fixture
def generous(monkeypatch):
    monkeypatch.setenv("IMI_DEEP_BUDGET", "60000")


def second_vectors(c):
    """Every second vector by the text of its row."""
    sql = "SELECT d.text, v.vector FROM deep_vectors AS v JOIN documents AS d ON d.row = v.row"
    with c._store.reading():
        return {text: np.frombuffer(blob, "<f2").astype(np.float32) for text, blob in c._store.connection.execute(sql)}


def check_second_vectors(c):
    """Whatever is kept is the vector of its own row's text, and is counted."""
    kept = second_vectors(c)
    model = imi.load("deep")
    if kept:
        np.testing.assert_allclose(np.array([*kept.values()]), model.embed([*kept]), atol=2e-3)
    assert c.info.deep == len(kept)
    assert c.verify().ok, c.verify().problems
    return kept


def test_deepen_reads_every_row_once(filled):
    said = []
    with imi.open(filled) as c:
        done = c.deepen(progress=lambda *both: said.append(both))
        assert (done.read, done.deep, done.rows) == (8, 8, 8) and said[-1] == (8, 8)
        assert c.deepen().read == 0
        assert len(check_second_vectors(c)) == 8
    assert set(done.to_dict()) == {"read", "rows", "deep", "seconds"}


def test_a_budget_stops_it_and_the_next_call_goes_on(filled):
    with imi.open(filled) as c:
        assert c.deepen(budget=0).deep == 0
        while c.deepen(budget=1).deep < 8:
            pass
        assert len(check_second_vectors(c)) == 8
    for wrong in (-1, float("nan"), float("inf")):
        with imi.open(filled) as c, pytest.raises(UsageError, match="budget"):
            c.deepen(budget=wrong)


def test_updates_and_deletions_take_the_second_vectors_with_them(filled):
    with imi.open(filled) as c:
        c.deepen()
        c.delete("late")
        c.add([imi.Document("good", "Something else altogether."), imi.Document("tea", TEXTS["tea"], {"n": 99})])
        kept = check_second_vectors(c)
        assert TEXTS["late"] not in kept and TEXTS["good"] not in kept and TEXTS["tea"] in kept
        assert c.deepen().read == 1
        assert "Something else altogether." in check_second_vectors(c)


def test_rows_without_a_text_stay_without(tmp_path):
    with imi.open(tmp_path / "own.imi") as c:
        c.add([imi.Document("a", None), imi.Document("b", "words")], vectors=np.eye(2, 4))
        assert c.deepen().deep == 1
        assert c.search(np.eye(1, 4)[0], k=2).mode == "meaning"


def test_a_search_reads_what_it_found_and_keeps_it(filled, generous):
    with imi.open(filled) as c:
        first = c.explain("my delivery came late", mode="hybrid")
        assert first.search["deep"] == {"read": 8, "held": 0}
        again = c.explain("my delivery came late", mode="hybrid")
        assert again.search["deep"] == {"read": 0, "held": 8}
        assert [hit.id for hit in again] == [hit.id for hit in first] and first[0].id == "late"
        assert len(check_second_vectors(c)) == 8


def test_what_the_finer_model_ordered_is_looked_at_where_it_has_read_all(filled, monkeypatch):
    looks = []

    def looked(found, question, documents, finer=None):
        looks.append((set(documents), None if finer is None else set(finer.rows.tolist())))
        return looked_at(found, question, documents, finer)

    monkeypatch.setattr(searching, "looked_at", looked)
    with imi.open(filled) as c:
        c.rerank = imi.Rerank("deep", budget=0)
        question = "How many days of walking did the soles last?"
        c.search(question)
        c.deepen()
        assert c.search(question)[0].id == "shoes"
        c.rerank = "none"
        c.search(question)
    rows = looks[0][0]
    assert len(rows) == 8 and looks == [(rows, None), (rows, rows), (rows, None)]


def test_the_order_is_by_the_finer_model_and_by_words(filled):
    with imi.open(filled) as c:
        plain = c.search("the food had gone bad", k=8)
        c.deepen()
        deep = c.search("the food had gone bad", k=8)
        assert deep[0].id == "spoilt" and {hit.id for hit in deep} == {hit.id for hit in plain}
        assert [hit.score for hit in deep] == sorted((hit.score for hit in deep), reverse=True)
        c.rerank = "none"
        assert c.search("the food had gone bad", k=8) == plain
        for mode in ("text", "meaning"):
            c.rerank = "deep"
            assert c.search("spent three weeks", mode=mode) == _unreranked(c, "spent three weeks", mode)


def _unreranked(c, text, mode):
    c.rerank = "none"
    return c.search(text, mode=mode)


def test_pages_join_to_one_ranking(filled):
    with imi.open(filled) as c:
        c.deepen()
        whole = c.search("a bad smell", k=8)
        pages = [hit for at in range(0, 8, 3) for hit in c.search("a bad smell", k=3, offset=at)]
        assert pages == list(whole)
        some = c.search("a bad smell", k=8, where={"n": {"<": 4}})
        assert {hit.metadata["n"] for hit in some} <= {0, 1, 2, 3}


def test_no_budget_reads_nothing_and_loads_nothing(filled, monkeypatch):
    monkeypatch.setattr(deepening.finer, "Deep", None)
    with imi.open(filled) as c:
        assert c.explain("late delivery", mode="hybrid").search.get("deep") is None
        c.rerank = imi.Rerank("none", 10_000)
        assert c.search("late delivery")


def test_held_rows_count_without_a_budget(filled):
    with imi.open(filled) as c:
        c.deepen()
        assert c.explain("late delivery", mode="hybrid").search["deep"] == {"read": 0, "held": 8}


def test_a_collection_of_another_model_is_left_alone_until_it_is_deepened(tmp_path, generous, embedder):
    fill(tmp_path / "c.imi", model=embedder)
    with imi.open(tmp_path / "c.imi", model=embedder) as c:
        assert "deep" not in c.explain("late", mode="hybrid").search
        c.deepen()
        assert c.explain("late", mode="hybrid").search["deep"] == {"read": 0, "held": 8}


def test_a_collection_of_the_finer_model_needs_no_second_vectors(tmp_path, generous):
    fill(tmp_path / "c.imi", model="deep")
    with imi.open(tmp_path / "c.imi") as c:
        assert "deep" not in c.explain("late", mode="hybrid").search
        with pytest.raises(UsageError, match="filled with the model 'deep'"):
            c.deepen()


def test_a_reader_keeps_nothing_unless_it_was_asked_to(filled, generous):
    with imi.open(filled, mode="r") as c:
        assert c.explain("late delivery", mode="hybrid").search["deep"] == {"read": 8, "held": 0}
        assert c.explain("late delivery", mode="hybrid").search["deep"] == {"read": 0, "held": 8}, "it remembers"
        assert c.info.deep == 0
    with imi.open(filled, mode="r") as c:
        c.keep_read()
        c.search("late delivery")
        assert c.info.deep == 8
        with pytest.raises(imi.ImiError, match="reading only"):
            c.deepen()


def test_a_search_waits_for_no_writer(filled, generous):
    with imi.open(filled) as c:
        other = Store(filled, write=True)
        with other.writing():
            assert c.search("late delivery")[0].id == "late"
            assert c.info.deep == 0
        other.close()
        assert c.explain("late delivery", mode="hybrid").search["deep"] == {"read": 0, "held": 8}


def test_reading_does_not_count_as_a_change(filled, generous):
    with imi.open(filled) as c:
        before = c.info.version
        c.search("late delivery")
        assert c.info.version == before and c.info.deep == 8


def test_many_threads_and_a_deepening_agree(filled, generous):
    found, failed = [], []

    def ask(c):
        try:
            found.append([hit.id for hit in c.search("late delivery", k=3)])
        except Exception as error:
            failed.append(error)

    with imi.open(filled) as c:
        threads = [threading.Thread(target=ask, args=(c,)) for _ in range(6)] + [threading.Thread(target=c.deepen)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert not failed and len(check_second_vectors(c)) == 8
        assert all(one[0] == "late" for one in found)


def test_a_damaged_second_vector_is_reported_and_read_again(filled, generous):
    with imi.open(filled) as c:
        c.deepen()
        with c._store.keeping():
            c._store.connection.execute("UPDATE deep_vectors SET vector = zeroblob(768) WHERE row = 2")
        problems = c.verify().problems
        assert [(one.check, one.where) for one in problems] == [("deep_vectors", "row 2")]
        assert c.explain("late delivery", mode="hybrid").search["deep"] == {"read": 1, "held": 7}
        check_second_vectors(c)


def test_repair_and_backup_carry_them(filled, tmp_path):
    with imi.open(filled) as c:
        c.deepen()
        c.delete("price")
        c.backup(tmp_path / "backup.imi")
        c.repair()
    for path in (filled, tmp_path / "backup.imi"):
        with imi.open(path) as c:
            assert len(check_second_vectors(c)) == 7


def test_a_migration_keeps_them_and_one_to_the_finer_model_lets_them_go(filled):
    with imi.open(filled) as c:
        c.deepen()
        c.migrate(dims=64)
        assert len(check_second_vectors(c)) == 8
        c.migrate(model="deep")
        assert c.info.deep == 0 and c.info.model == "deep"
        assert c.search("late delivery")[0].id == "late"


def test_vectors_of_another_version_of_the_model_go(filled):
    with imi.open(filled) as c:
        c.deepen()
        with c._store.writing():
            c._store.set_meta("deep_fingerprint", "of an earlier release")
        assert c.info.deep == 0 and c._deepener.wanted
        assert "deep" in c.explain("late", mode="hybrid").search
        assert c.deepen().read == 8
        assert len(check_second_vectors(c)) == c.info.deep == 8 and not c._deepener.wanted


def test_a_file_of_an_earlier_format_is_searched_and_grows_when_deepened(tmp_path, monkeypatch, generous):
    monkeypatch.setattr(database, "FORMAT", 2)
    path = fill(tmp_path / "old.imi")
    monkeypatch.setattr(database, "FORMAT", schema.FORMAT)
    with imi.open(path, mode="r") as c:
        assert c.search("late delivery")[0].id == "late" and c.verify().ok
    with imi.open(path) as c:
        assert c.deepen().deep == 8
        check_second_vectors(c)


def test_without_onnxruntime_searches_go_on_and_deepen_says_what_to_install(filled, monkeypatch, generous):
    with imi.open(filled) as c:
        plain = _unreranked(c, "late delivery", "hybrid")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with imi.open(filled) as c:
        assert c.search("late delivery") == plain
        with pytest.raises(MissingExtra, match="onnxruntime"):
            c.deepen()


def test_files_that_are_not_whole_do_not_stop_searches(filled, monkeypatch, generous, tmp_path):
    shutil.copytree(deepening.finer.FOLDER, tmp_path / "model")
    (tmp_path / "model" / "rows.npy").write_bytes(b"cut")
    monkeypatch.setattr(deepening.finer, "Deep", lambda make=deepening.finer.Deep: make(tmp_path / "model"))
    with imi.open(filled) as c:
        with pytest.warns(RuntimeWarning, match=r"rows\.npy was altered or cut"):
            assert len(c.search("late delivery")) == 8
        assert len(c.search("late delivery")) == 8, "said once"


@pytest.mark.parametrize("wrong", ["llm", 3, imi.Rerank("deep", -1), imi.Rerank("deep", float("nan"))])
def test_wrong_orders_are_refused(filled, wrong):
    with imi.open(filled) as c, pytest.raises(UsageError):
        c.rerank = wrong


def test_a_wrong_budget_of_the_environment_is_said(filled, monkeypatch):
    for said in ("much", "-3", "nan"):
        monkeypatch.setenv("IMI_DEEP_BUDGET", said)
        with imi.open(filled) as c, pytest.raises(UsageError, match=f"IMI_DEEP_BUDGET is '{said}'"):
            c.search("late delivery")


def test_a_small_budget_reads_the_best_first(tmp_path, monkeypatch):
    """Rows are read in the order of the shortlist, so that a short time is spent on those that matter."""
    now, read = [0.0], deepening.finer.Deep.embed

    def two_thousand_tokens_a_second(model, texts, *args, **kwargs):
        now[0] += float(model.count_tokens(texts).sum()) / 2000
        return read(model, texts, *args, **kwargs)

    monkeypatch.setattr(deepening.finer.Deep, "embed", two_thousand_tokens_a_second)
    monkeypatch.setattr(deepening, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    with imi.open(tmp_path / "c.imi") as c:
        c.add([imi.Document(str(at), f"note {at} about green tea and " + "other things " * 60) for at in range(60)])
        c.rerank = imi.Rerank("deep", 250)
        hits = c.explain("green tea", k=60, mode="hybrid")
        assert 0 < hits.search["deep"]["read"] < 50
        c.rerank = "none"
        plain = [hit.id for hit in c.search("green tea", k=60)]
        kept = {text.split()[1] for text in second_vectors(c)}
        assert kept == set(plain[: len(kept)])


def test_what_was_read_of_one_file_never_goes_into_another(filled, tmp_path, generous, monkeypatch):
    """The file is replaced while the model reads: its rows have other numbers, so nothing may be kept."""
    fill(tmp_path / "other.imi")
    with imi.open(tmp_path / "other.imi") as c:
        c.delete("spoilt")
        c.add([imi.Document("new", "Something new.")])
    with imi.open(filled) as c:
        model = c._deepener.model()
        embed = model.embed

        def replaced(texts, kind="document", **settings):
            if kind == "document" and (tmp_path / "other.imi").exists():
                for name in ("collection.sqlite-wal", "collection.sqlite-shm"):
                    (filled / name).unlink(missing_ok=True)
                (tmp_path / "other.imi" / "collection.sqlite").replace(filled / "collection.sqlite")
                shutil.rmtree(tmp_path / "other.imi")
            return embed(texts, kind=kind, **settings)

        monkeypatch.setattr(model, "embed", replaced)
        c.search("late delivery")
        check_second_vectors(c)
        c.deepen()
        assert "Something new." in check_second_vectors(c)


@pytest.mark.parametrize("word", ["ねこ", "ネコ", "猫", "cat", "🐱"])
def test_a_word_alone_is_found_in_whichever_letters_it_is_written(tmp_path, word):
    said = ["AIは素晴らしい！", "うちの猫はタマと言います", "うちのペットはいつも寝ています", "金魚は夜は休むのかな？"]
    with imi.open(tmp_path / "four.imi") as four:
        four.add([imi.Document(str(n), text) for n, text in enumerate(said)])
        four.deepen()
        assert four.search(word, k=1)[0].id == "1"


NOTES = {
    "cat": "Our cat Tama sleeps on the sofa all day.",
    "sushi": "We had sushi for dinner and it was the best in town.",
    "plane": "The airplane to Osaka left two hours late.",
    "heart": "She left him, and his heart is broken.",
    "bread": "Fresh bread from the bakery, still warm.",
    "love": "I love this shop, I love the people, I love it all.",
    "rain": "It rained for three days without a break.",
    "train": "The last train leaves at midnight.",
}


@pytest.fixture(scope="module")
def notes(tmp_path_factory):
    with imi.open(tmp_path_factory.mktemp("notes") / "n.imi") as c:
        c.add([imi.Document(key, text) for key, text in NOTES.items()])
        c.deepen()
        yield c


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("🐱", "cat"), ("🍣", "sushi"), ("✈️", "plane"), ("💔", "heart"), ("🍞", "bread"), ("🌧️", "rain"),
        ("🚆", "train"),        ("🐈‍⬛", "cat"), ("a good 🍞?", "bread"), ("when does the 🚆 leave", "train"),
    ],
)  # fmt: skip
def test_emoji_find_no_less_where_all_rows_are_deep(notes, question, wanted):
    assert notes.search(question, k=1)[0].id == wanted
