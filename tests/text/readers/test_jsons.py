import json
from pathlib import Path

import pytest

from imi.errors import DataError, Failure
from imi.records import plain_value
from imi.text.readers import ReadOptions, Report, jsons, read, rows


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
    assert reasons[2].startswith("not JSON: Expecting value")
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


def test_what_stands_before_a_broken_place_is_read(tmp_path):
    with pytest.raises(DataError, match="not JSON"):
        list(read(write(tmp_path, "r.json", "nonsense")))
    row, failure = read(write(tmp_path, "r.json", '[{"text": "a"},\n{]'))
    assert row.document.text == "a" and failure.line == 2 and "not JSON from here on" in failure.reason


def test_rows_on_one_line_have_ids_of_their_own(tmp_path):
    found = list(read(write(tmp_path, "r.json", '[{"text": "a"},{"text": "b"},\n{"text": "c"}]')))
    assert [row.document.id.rpartition(":")[2] for row in found] == ["1", "1.2", "2"]


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ('{"text": "a"}\n{"text": "b"}', ["a", "b"]),
        ('{"data": [{"text": "a"}, {"text": "b"}], "total": 2}', ["a", "b"]),
        ('{"x": {"text": "a"}, "y": {"text": "b"}}', ["a", "b"]),
        ('{"id": [1, 2], "text": ["a", "b"]}', ["a", "b"]),
        ('{"id": {"0": 1, "1": 2}, "text": {"0": "a", "1": "b"}}', ["a", "b"]),
        ('{"columns": ["id", "text"], "index": [0, 1], "data": [[1, "a"], [2, "b"]]}', ["a", "b"]),
        ('[["id", "text"], [1, "a"], [2, "b"]]', ["a", "b"]),
        ('["a", "b"]', ["a", "b"]),
        ('[["x", 1], ["y", 2]]', ["column 1: x; column 2: 1", "column 1: y; column 2: 2"]),
        ('{"text": "a", "comments": [{"text": "b"}]}', ["a"]),
        ('{"title": "a", "tags": ["x", "y"], "links": []}', ["title: a; tags: x, y"]),
    ],
)
def test_tables_in_the_shapes_that_programs_write(tmp_path, text, texts):
    found = [item.document.text for item in read(write(tmp_path, "r.json", text)) if not isinstance(item, Failure)]
    assert found == texts


def test_empty_file_and_empty_array_hold_nothing(tmp_path):
    assert list(read(write(tmp_path, "a.json", ""))) == []
    assert list(read(write(tmp_path, "b.json", "[]"))) == []


@pytest.mark.parametrize(("name", "text"), [("a.jsonl", "{}\n{}\n"), ("a.json", "[{},\n{}]"), ("b.json", "[{}]")])
def test_a_field_that_occurs_twice_is_said(tmp_path, name, text):
    report = Report()
    odd = '{"text": "a", "x": 1, "x": 2}'
    rows = list(
        read(
            write(tmp_path, name, text.replace("{}", odd, 1).replace("{}", '{"text": "b"}')), ReadOptions(report=report)
        )
    )
    assert rows[0].document.metadata["x"] == 2
    assert [(one.line, one.text) for one in report.notices] == [
        (1, "the field 'x' occurs twice in one object: the last is kept")
    ]


def test_rows_below_a_key_below_a_key(tmp_path):
    report = Report()
    source = write(
        tmp_path, "a.json", '{"data": {"total": 2, "items": [{"text": "a", "n": 1}, {"text": "b", "n": 2}]}}'
    )
    rows = list(read(source, ReadOptions(report=report)))
    assert [(row.document.text, row.document.metadata["n"]) for row in rows] == [("a", 1), ("b", 2)]
    assert [one.text for one in report.notices] == [
        "below 'data', its rows are those below 'items'; 'total' beside it are left out"
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"id": 7, "name": "Ann", "home": {"city": "Leeds", "code": None}}, "id: 7, name: Ann, home city: Leeds"),
        (["billing", "urgent", ""], "billing, urgent"),
        ([{"id": 1}, {"id": 2, "tags": ["a"]}], "(id: 1), (id: 2, tags: a)"),
        ([["a", "b"], []], "(a, b)"),
        ({"deep": {"er": {"est": [1, "x"]}}}, "deep er est: 1, x"),
        (["One sentence that is longer than what stands in a cell of a table. ", "Two."],
         "One sentence that is longer than what stands in a cell of a table.\nTwo."),
        ({"日": "月", "空": {}}, "日: 月"),
    ],
)  # fmt: skip
def test_values_in_values_read_as_people_write_them(tmp_path, value, text):
    (tmp_path / "a.jsonl").write_text(json.dumps({"at": "noon", "user": value}))
    (row,) = read(str(tmp_path / "a.jsonl"), ReadOptions())
    assert row.document.text == f"at: noon; user: {text}"
    assert row.document.metadata["user"] == value or "code" in str(value)
    (row,) = read(str(tmp_path / "a.jsonl"), ReadOptions(template="{user}"))
    assert row.document.text == text


def test_values_deep_within_values_are_gone_through_once(tmp_path, monkeypatch):
    deep: object = "hat"
    for _ in range(100):
        deep = [{"a": deep}]
    gone_through = []
    monkeypatch.setattr(rows, "plain_value", lambda value: gone_through.append(value) or plain_value(value))
    (row,) = read(write(tmp_path, "a.json", json.dumps([{"x": "cat", "y": deep}])))
    assert row.document.text.startswith("x: cat") and "hat" in row.document.text and len(gone_through) < 9
