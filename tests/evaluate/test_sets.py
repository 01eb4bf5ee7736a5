import json

import pytest

from imi.errors import DataError, UsageError
from imi.evaluate import splits
from imi.evaluate.datasets import Labelled, Questions, Similarity, Translations
from imi.evaluate.sets import ENGLISH_QUESTIONS, SETS, load_set, own_set


def write(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_columns_of_a_file_tell_what_it_measures(tmp_path):
    one = own_set(write(tmp_path / "s.tsv", ["a\tb\tscore", 'cat\tthe "cat\t4.5', "猫\t犬\t1"]))
    assert isinstance(one, Similarity) and one.pairs == [("cat", 'the "cat'), ("猫", "犬")] and one.scores == [4.5, 1]
    two = load_set(str(write(tmp_path / "t.tsv", ["a\tb", "cat\t猫"])), None)
    assert isinstance(two, Translations) and two.name == "t"
    rows = [{"query": "q1", "document": "d1"}, {"query": "q2", "document": "d1"}, {"query": "q1", "document": "d2"}]
    three = own_set(write(tmp_path / "q.jsonl", [json.dumps(row) for row in rows]))
    assert isinstance(three, Questions) and three.documents == ["d1", "d2"]
    assert three.relevant == [{0: 1.0, 1: 1.0}, {0: 1.0}]
    four = own_set(write(tmp_path / "c.tsv", ["text\tlabel\tsplit", "a\tx\ttrain", "b\ty\ttest"]))
    assert isinstance(four, Labelled) and four.train == (["a"], ["x"]) and four.test == (["b"], ["y"])


def test_labels_without_a_split_are_cut_in_two_the_same_way_each_time(tmp_path):
    lines = ["text\tlabel", *[f"text {i}\t{i % 3}" for i in range(60)]]
    first, again = (own_set(write(tmp_path / "c.tsv", lines)) for _ in range(2))
    assert first == again and 15 < len(first.train[0]) < 45
    assert not set(first.train[0]) & set(first.test[0])


@pytest.mark.parametrize(
    ("lines", "error", "says"),
    [
        (["x\ty", "1\t2"], UsageError, "columns x, y"),
        (["a\tb\tscore", "cat\tdog\tmuch"], DataError, "much"),
        (["a\tb\tscore"], DataError, "no rows"),
    ],
)
def test_files_that_say_nothing_are_refused(tmp_path, lines, error, says):
    with pytest.raises(error, match=says):
        own_set(write(tmp_path / "x.tsv", lines))


def test_broken_and_missing_files_and_names_are_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        own_set(write(tmp_path / "x.jsonl", ["{"]))
    with pytest.raises(DataError, match="cannot be read"):
        load_set(str(tmp_path / "none.tsv"), None)
    with pytest.raises(UsageError, match="no set 'stsb'"):
        load_set("stsb", tmp_path)
    with pytest.raises(UsageError, match="folder"):
        load_set("jsick", None)
    with pytest.raises(DataError, match="not there"):
        load_set("jsick", tmp_path)


def test_english_questions_are_whole_and_plain():
    rows = [line.split("\t") for line in splits.read_lines(ENGLISH_QUESTIONS)]
    assert rows[0] == ["part", "id", "question"] and all(len(row) == 3 and row[2].isascii() for row in rows)
    assert {row[0] for row in rows[1:]} == {"dev", "train"} and len({row[1] for row in rows}) == len(rows)


@pytest.mark.nightly
def test_public_sets_hold_nothing_that_trains(shared_data):
    sizes = {}
    for name in SETS:
        one = load_set(name, shared_data)
        assert one.name == name
        sizes[name] = tuple(len(texts) for texts, _ in one.sides())
    assert sizes["stsb-en"] == (1490, 1490) and sizes["jaquad"] == (3939, 1431) and sizes["cranfield"] == (225, 1400)
    assert sizes["emoji-en"][1] == 4179 and 0 < sizes["emoji-en-held"][0] < sizes["emoji-en"][0] / 5
    train = {splits.same(pair.en) for pair in splits.tatoeba(shared_data).train}
    assert not train & {splits.same(en) for _, en in load_set("tatoeba", shared_data).pairs}
