import re
import time

import apsw
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.examples import examples

from imi.text.lexical import FTS5_TOKENIZE, in_other_script, index_tokens, normalize_text, query_terms, ranking_terms


class Index:
    """A full-text table as the store has it."""

    def __init__(self, texts):
        self.db = apsw.Connection(":memory:")
        self.db.execute(
            f"create virtual table f using fts5(t, content='', contentless_delete=1, tokenize=\"{FTS5_TOKENIZE}\")"
        )
        self.db.executemany(
            "insert into f(rowid, t) values (?, ?)", [(i, " ".join(index_tokens(t))) for i, t in enumerate(texts)]
        )

    def __call__(self, query):
        expression = query_terms(query).fts5()
        return (
            [r for (r,) in self.db.execute("select rowid from f where f match ? order by rank", (expression,))]
            if expression
            else []
        )


def test_tokens_are_words_and_interleaved_characters_and_bigrams():
    assert index_tokens("東京都 Is ＯＫ") == ["東", "東京", "京", "京都", "都", "is", "ok"]
    assert index_tokens("ﾃﾞｰﾀ") == ["デ", "デー", "ー", "ータ", "タ"]
    assert index_tokens("C++ と C# snake_case") == ["c", "+", "+", "と", "c", "#", "snake", "case"]
    assert index_tokens("🐱🇯🇵👍🏽!") == ["🐱", "🇯🇵", "👍"]
    assert index_tokens("SQLiteで") == ["sqlite", "で", "…qlite", "…lite", "…ite"]
    assert index_tokens("हिन्दी में") == ["हिन्दी", "में"]
    assert index_tokens("") == index_tokens("、。 !") == []


@pytest.mark.parametrize(
    ("query", "found"),
    [("猫", [0]), ("ねこ", []), ("寝ている", []), ("AI", [3]), ("素晴らしい", [3]), ("いつも寝", [1]), ("金魚", [2])],
)
def test_strings_are_found_as_on_the_slide(query, found):
    texts = ["うちの猫はタマと言います", "うちのペットはいつも寝ています", "金魚は夜は休むのかな？", "AIは素晴らしい！"]
    assert Index(texts)(query) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("京都", {0, 1}),
        ("東都", set()),
        ("検索", {2}),
        ("全文検", {2}),
        ("SQLite", {2, 3}),
        ("Lite", {2}),
        ("Liteで全文", {2}),
        ("データベース ok", {4}),
        ("ok データベース", {4}),
        ('"bad delivery"', {6}),
        ("bad delivery", {6, 7}),
        ("deliver", {6, 7}),
        ("cat", {8, 9}),
        ("ai", {10}),
        ("🔒", {12}),
        ("C++", {13}),
        ("！", set()),
        ('"', set()),
        ('京都" OR "x', set()),
    ],
)
def test_a_short_or_quoted_query_means_contains(query, found):
    texts = [
        "東京都に住む",
        "京都の寺",
        "SQLiteで全文検索エンジン",
        "An SQLite file",
        "データベースは ok",
        "データベースだけ",
    ]
    texts += [
        "A bad delivery",
        "delivery was bad",
        "a cat",
        "a category",
        "OpenAI and ai",
        "air aim",
        "鍵🔒",
        "これはC++を",
        "C を + +",
    ]
    assert set(Index(texts)(query)) == found


@pytest.mark.parametrize(
    ("query", "phrase"),
    [
        ("「全文検索」", True),
        ("「全文検索」 SQLite", True),
        ("「全文検索」の作り方", True),
        ("「奈良の大仏」の高さは何メートルなの?", False),
        ("who wrote “The Raven” in New York", False),
        ('who wrote "The Raven" in New York', True),
    ],
)
def test_brackets_within_a_sentence_are_a_part_of_it(query, phrase):
    asked = query_terms(query)
    assert asked.phrase is phrase and asked.terms == tuple(ranking_terms(query))


def test_whole_words_come_before_beginnings():
    assert Index(["a category of things", "a cat of mine own", "the categories are"])("cat")[0] == 1


def test_a_question_is_ranked_by_its_words_and_bigrams():
    index = Index(["京都の寺は古い", "東京の寺", "大阪の城の話"])
    query = "京都にはどんな古い寺がありますか"
    assert not query_terms(query).phrase
    assert index(query)[0] == 0
    assert '"京都"' in query_terms(query).fts5() and '"京"' in query_terms(query).fts5()


def test_the_commonest_terms_are_pruned_and_the_rare_ones_stay():
    query = query_terms("the history of the ancient Kyoto temples")
    counts = {"the": 90, "of": 80, "history": 20, "kyoto": 3, "ancient": 5}
    assert query.pruned(counts, 10).terms == ("history", "ancient", "kyoto", "temples")
    assert query.pruned(counts, 10, at_least=1).terms == ("ancient", "kyoto", "temples")
    assert query.pruned(counts, 1000) == query
    assert query.pruned({"the": 90}, 10).terms == query.terms
    phrase = query_terms("京都")
    assert phrase.pruned({"京都": 10**6}, 1) == phrase


ALPHABET = "東京都大学のはがーアイab1 AIok、!"


@settings(max_examples=examples(300))
@given(
    st.lists(st.text(ALPHABET, max_size=12), min_size=1, max_size=6),
    st.text("東京都大学のはがーアイ", min_size=1, max_size=5),
)
@example(["東京"], "京")
@example(["東 京"], "東京")
def test_contains_equals_in_for_unsegmented_script(texts, query):
    assert set(Index(texts)(f'"{query}"')) == {i for i, t in enumerate(texts) if query in normalize_text(t)}


@settings(max_examples=examples(300))
@given(st.text(ALPHABET, max_size=14), st.data())
def test_any_part_of_a_text_that_begins_at_a_word_is_found(text, data):
    plain = re.sub(r"[^\w]+", " ", normalize_text(text)).strip()
    starts = [m.start() for m in re.finditer(r"(?<![a-z0-9])[a-z0-9]|[^\sa-z0-9]", plain)]
    if not starts:
        return
    start = data.draw(st.sampled_from(starts))
    ends = [m.end() for m in re.finditer(r"[a-z0-9]+|[^\sa-z0-9]", plain) if m.end() > start]
    query = plain[start : data.draw(st.sampled_from(ends))]
    assert Index([text])(f'"{query}"') == [0]


@settings(max_examples=examples(200))
@given(
    st.lists(st.text("SQLiteabc12東京のを", max_size=12), min_size=1, max_size=5),
    st.text("SQLiteabc12", min_size=3, max_size=5),
)
def test_three_letters_are_found_anywhere_in_unsegmented_text(texts, query):
    unsegmented = [t + "を" for t in texts]
    assert set(Index(unsegmented)(query)) == {i for i, t in enumerate(texts) if query.lower() in t.lower()}


@given(st.text(max_size=30))
def test_every_text_gives_tokens_that_the_table_reads_back(text):
    tokens = index_tokens(text)
    assert all(t and " " not in t and '"' not in t for t in tokens)
    if text.isprintable() and tokens:
        db = Index([text]).db
        db.execute("create virtual table v using fts5vocab(f, instance)")
        assert {t for (t,) in db.execute("select term from v")} == set(tokens)


def test_ranking_terms_are_unique():
    assert ranking_terms("猫と猫 the cat, the 京都") == ["猫", "猫と", "と", "と猫", "the", "cat", "京", "京都", "都"]


def test_tokens_of_many_short_texts_take_seconds():
    texts = [
        f"うちの猫は{i}番目のタマと言います。" if i % 2 else f"The delivery of item {i} was quite bad"
        for i in range(20_000)
    ]
    start = time.process_time()
    for t in texts:
        index_tokens(t)
    assert time.process_time() - start < 6


@pytest.mark.parametrize(
    ("query", "texts", "other"),
    [
        ("日付を足し算する", ["Return the date.", "Add a timedelta."], True),
        ("add days to a date", ["日付を返します。", "timedeltaを加える。"], True),
        ("🔒", ["Return a lock."], True),
        ("bad delivery", ["Great product", "配達がひどい", "Came late, in two parcels"], False),
        ("文字列を検索する", ["SQLiteで全文検索をする方法"], False),
    ],
)
def test_questions_in_another_script_are_known(query, texts, other):
    assert in_other_script(query, texts) is other
