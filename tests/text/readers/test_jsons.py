import json
from pathlib import Path

import pytest

from imi.errors import DataError, Failure
from imi.text.readers import ReadOptions, jsons, read


def write(folder, name, text):
    path = folder / name
    path.write_text(text, "utf-8")
    return str(path)


def test_lines_of_objects_and_strings(tmp_path):
    source = write(tmp_path, "r.jsonl", '{"_id": "a", "text": "猫", "tags": ["x", "1"]}\n\n"only text"\n')
    first, second = list(read(source))
    assert first.document.text == "猫" and first.document.metadata["tags"] == ["x", "1"]
    assert (second.document.text, second.document.id) == ("only text", f"{source}:3")


def test_bad_lines_are_told_and_skipped(tmp_path):
    source = write(tmp_path, "r.jsonl", '{"text": "a"}\n{"text": \n[1]\n3\n{}\n{"t": 1}\n{"text": "b"}\n')
    found = list(read(source, ReadOptions(template="{text}")))
    assert [item.document.text for item in found if not isinstance(item, Failure)] == ["a", "b"]
    reasons = {item.line: item.reason for item in found if isinstance(item, Failure)}
    assert reasons[2].startswith("no JSON: Expecting value")
    assert (
        reasons[3] == "a JSON array, an object is needed" and "number" in reasons[4] and "without fields" in reasons[5]
    )
    assert reasons[6] == "no field 'text', it has: t"


def test_array_by_pieces_equals_the_whole(tmp_path, monkeypatch):
    items = [{"text": f'row {n} 猫 \\ "[,]"', "n": n, "f": n / 7, "deep": {"a": [n, None, True]}} for n in range(200)]
    source = write(tmp_path, "r.json", json.dumps(items, ensure_ascii=False, indent=1))
    whole = [item.document for item in read(source)]
    assert [document.text for document in whole] == [item["text"].strip() for item in items]
    assert [document.metadata["f"] for document in whole] == [item["f"] for item in items]
    lines = Path(source).read_text("utf-8").splitlines()
    assert all(lines[document.metadata["line"] - 1].strip() == "{" for document in whole)
    for size in (1, 7, 64):
        monkeypatch.setattr(jsons, "_PIECE", size)
        assert [item.document for item in read(source)] == whole


def test_one_object_is_one_document(tmp_path):
    (row,) = read(write(tmp_path, "r.json", '\n {"text": "a", "n": 12}\n'))
    assert row.document.text == "a" and row.document.metadata["line"] == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[1, 2", ":1: no JSON"),
        ('[{"text": "a"}, {]', ":1: no JSON"),
        ('{"text": "a"}\n{"text": "b"}', "something follows"),
        ("nonsense", "no JSON"),
    ],
)
def test_broken_files(tmp_path, text, told):
    with pytest.raises(DataError, match=told):
        list(read(write(tmp_path, "r.json", text)))


def test_empty_file_and_empty_array_hold_nothing(tmp_path):
    assert list(read(write(tmp_path, "a.json", ""))) == []
    assert list(read(write(tmp_path, "b.json", "[]"))) == []
