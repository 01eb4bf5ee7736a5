"""Reports and baselines: one page without a network in both languages, and the plain way beside each figure."""

import re

import numpy as np
import pytest
from tests.tasks import real

import imi
from imi import tasks
from imi.errors import UsageError
from imi.tasks.intervals import bootstrap
from imi.tasks.label_phrasings import phrasings, stars_as
from imi.tasks.report import Findings, Phrase, ReportTable, as_text, write_report


def test_a_report_is_one_page_in_both_languages_without_a_network(tmp_path):
    found = Findings(
        Phrase("Groups", "グループ"),
        (Phrase("two rows <b>", "2 件"),),
        (
            ReportTable(
                (Phrase("text", "テキスト"), Phrase("score", "スコア")), [["<script>猫</script>", 0.5], ["b", None]]
            ),
        ),
    )
    write_report(tmp_path / "r.html", found, settings={"k": 2, "share": 0.05})
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "&lt;script&gt;猫" in page and "<script" not in page and "two rows &lt;b&gt;" in page
    assert '<span lang="ja">2 件</span>' in page and "0.500" in page and "None" not in page
    assert not re.search(r"""(src|href)\s*=\s*["']?https?:""", page) and "default-src 'none'" in page
    with pytest.raises(UsageError, match="one HTML page"):
        write_report(tmp_path / "r.pdf", found)
    assert [as_text(value) for value in (None, float("nan"), 1, 2012, 0.1, True)] == [
        "",
        "",
        "1",
        "2012",
        "0.100",
        "yes",
    ]


def test_sentiment_and_stars_are_described_by_what_their_texts_say():
    labels = ["positive", "negative"]
    assert "I love it" in phrasings("positive", labels) and "最悪でした" in phrasings(
        "ネガティブ", ["ポジティブ", "ネガティブ"]
    )
    assert phrasings("positive", ["positive", "tax"])[0] == "positive"
    assert "average" in phrasings("3", list("12345")) and phrasings("3", ["3", "4"])[0] == "3"
    assert stars_as(labels, [1, 2, 3, 4, 5, None]) == ["negative", "negative", None, "positive", "positive", None]
    assert stars_as(["good", "bad", "neutral"], ["5", "3", "1"]) == ["good", "neutral", "bad"]
    assert stars_as(["悪い", "良い"], [1, -1, 0]) == ["良い", "悪い", None]
    assert stars_as(labels, [7, 8]) is None and stars_as(["cat", "dog"], [1, 2]) is None


@pytest.fixture(scope="module")
def model():
    return imi.load()


def labelled_set(name, data):
    if name == "banking":
        rows = real.banking(data)
        return [rows[at] for at in np.random.default_rng(0).permutation(len(rows))[:1500]]
    if name == "hotels":
        return [(text, label) for text, label in real.hotels(data)][:1500]
    return real.reviews(data)


@pytest.mark.parametrize(
    "name", [*(pytest.param(one, marks=pytest.mark.nightly) for one in ("banking", "hotels")), "reviews"]
)
def test_classification_is_never_below_words_or_the_commonest(shared_data, model, name):
    pytest.importorskip("sklearn")
    texts, labels = map(list, zip(*labelled_set(name, shared_data), strict=True))
    found = tasks.classify(model.embed(texts), labels, texts=texts)
    assert {one.method for one in found.baselines} == {"words", "commonest"}
    assert found.baselines[0].interval[0] <= 0, found.baselines
    value = found.to_dict()
    assert value["baseline"]["method"] == found.baselines[0].method and len(value["baselines"]) == 2
    plain = tasks.classify(model.embed(texts), labels, texts=texts, method="words")
    words = next(one for one in found.baselines if one.method == "words")
    assert plain.accuracy == pytest.approx(words.accuracy)


@pytest.mark.parametrize("name", ["hotels", "reviews"])
def test_zero_shot_of_sentiment_is_not_below_always_the_commonest(shared_data, model, name):
    rows = real.hotels(shared_data) if name == "hotels" else [(t, s - 3) for t, s in real.reviews(shared_data)]
    texts, signs = zip(*[(text, int(np.sign(sign))) for text, sign in rows if sign], strict=True)
    labels = ["ポジティブ", "ネガティブ"] if name == "hotels" else ["positive", "negative"]
    found = tasks.zero_shot(list(texts), labels, model, truth=list(signs))
    plain = {one.method: one for one in found.baselines}
    # The interval of the paired difference: of 925 reviews 85 % are positive.
    assert plain["commonest"].interval[1] < 0 and plain["descriptions"].interval[1] < 0
    assert found.macro_f1 > plain["descriptions"].macro_f1
    assert found.to_dict()["baseline"]["accuracy"] >= plain["commonest"].accuracy
    # The confidence is known without the truth, and holds.
    assert found.certainty.error < 0.08
    by_limit = {limit: right for limit, _, right, _ in found.certainty.limits}
    assert by_limit[0.9] > 0.94 > by_limit[0.5]
    assert found.worst and found.worst[0][1] in texts


def test_copies_never_stand_on_both_sides_of_a_split(groups):
    from imi.tasks.classify import split_rows
    from imi.tasks.neighbours import copies_of

    z, codes = groups
    both, twice = np.vstack([z, z]), np.concatenate([codes, codes])
    train, held = split_rows(twice, 0.2, 0, copies_of(both)[1])
    assert not set(train % 300) & set(held % 300) and 0.15 < len(held) / 600 < 0.25


def test_a_task_without_texts_has_the_commonest_as_its_baseline(groups):
    z, labels = groups
    found = tasks.classify(z, labels)
    assert [one.method for one in found.baselines] == ["commonest"] and found.baselines[0].ahead < 0
    with pytest.raises(UsageError, match="method is 'words' but there are no texts"):
        tasks.classify(z, labels, method="words")
    with pytest.raises(UsageError, match="method is 'x', allowed are vectors, words, commonest"):
        tasks.classify(z, labels, method="x")
    assert bootstrap(np.zeros(5)) == (0.0, 0.0)


def test_people_are_shown_texts_without_markup_and_no_column_that_says_nothing(tmp_path):
    columns = (Phrase("id", "ID"), Phrase("text", "テキスト"), Phrase("words in common", "共通する単語"))
    table = ReportTable(
        columns, [["1", "Title: super coffee; Content: Great.<br />So good", ""], ["<br />", "ただ", None]]
    )
    shown = table.for_people()
    assert [one.en for one in shown.columns] == ["id", "text"]
    assert shown.rows == [["1", "super coffee – Great. So good"], ["<br />", "ただ"]]
    write_report(
        tmp_path / "r.html", Findings(Phrase("a", "あ"), (), (table, ReportTable(columns, []))), None, {"like": ["1"]}
    )
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "words in common" not in page and "[&quot;" not in page and page.count("<thead>") == 1
