"""Late parent expansion: a hit's passage is the text of its document, character by character."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import imi
from imi.backends.collection import EngineCollection
from imi.collection.parent_expansion import expand
from imi.embedders.testing import HashEmbedder
from imi.errors import UsageError
from imi.records import Document, Hit
from imi.text.blocks import text_lines
from imi.text.markup.markdown import markdown_blocks
from imi.text.readers import ReadOptions, read
from imi.text.readers.pieces import passage_rows, rows_of
from tests.examples import examples

WORDS = [
    "猫は眠る。",
    "Beans are good. ",
    "「雪国であった。」",
    "\n\n",
    "\n# 見出し\n",
    "\n## part\n",
    "x" * 40,
    " ",
    "\u3000",
    "\t",
]


def filled(folder, rows):
    collection = imi.open(folder, model=HashEmbedder())
    collection.add([row.document for row in rows])
    return collection


def hit_of(collection, id_):
    document = collection.get(id_)
    return Hit(id_, 1.0, document.text, document.metadata)


def same(a, b):
    """Whether two texts agree but for the kind of their white space."""
    return len(a) == len(b) and all(x == y or (x.isspace() and y.isspace()) for x, y in zip(a, b, strict=True))


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    with imi.open(tmp_path_factory.mktemp("c") / "c.imi", model=HashEmbedder()) as collection:
        yield collection


@settings(max_examples=examples(40))
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=60), st.sampled_from([8, 20]), st.integers(1, 400))
@example(["a. "] * 50, 8, 60)
def test_a_passage_is_what_stands_in_the_document(many, parts, size, most):
    text = "".join(parts)
    whole = f"whole {len(many)}"
    pieces = [
        row.document for row in passage_rows(markdown_blocks(text_lines(text)), whole, ReadOptions(passage=size * 4))
    ]
    many.add(pieces)
    for piece in pieces:
        (one,) = expand(many, [hit_of(many, piece.id)], most)
        assert one.parent == whole and piece.id in one.ids
        assert one.start <= piece.start and one.end >= piece.end
        heading = piece.metadata.get("heading")
        body = one.hit.text.removeprefix(f"{heading}\n" if heading else "")
        squeezed = "".join(body.split())
        assert squeezed in "".join(text.split()).replace("#", "") or "#" in text[one.start : one.end]
        assert len(body) <= max(most, len(piece.text))
        assert {many.get(id_).metadata.get("heading") for id_ in one.ids} == {heading}


def test_a_passage_grows_to_its_section_and_no_further(tmp_path):
    sections = [(f"章{n}", "".join(f"文{n}の{m}番目です。" for m in range(30))) for n in range(3)]
    text = "\n".join(f"# {title}\n{body}" for title, body in sections)
    rows = list(passage_rows(markdown_blocks(text_lines(text)), "w", ReadOptions(passage=100)))
    with filled(tmp_path / "c.imi", rows) as collection:
        middle = next(row.document for row in rows if row.document.metadata["heading"] == "章1")
        (one,) = expand(collection, [hit_of(collection, middle.id)], 10_000)
        begin = text.index("# 章1") + len("# 章1\n")
        assert (one.start, one.end) == (begin, begin + len(sections[1][1]))
        assert one.hit.text == "章1\n" + text[one.start : one.end]
        (small,) = expand(collection, [hit_of(collection, middle.id)], 1)
        assert (small.start, small.end, small.ids) == (middle.start, middle.end, (middle.id,))
        assert small.hit.text == middle.text


def test_hits_of_one_passage_become_one(tmp_path):
    text = "".join(f"これは{n}番目の文です。" for n in range(60))
    rows = list(rows_of(text, "w", {}, ReadOptions(size=30)))
    with filled(tmp_path / "c.imi", rows) as collection:
        ids = [row.document.id for row in rows]
        found = expand(collection, [hit_of(collection, id_) for id_ in (ids[3], ids[2], ids[-1])], 200)
        assert [one.hit.id for one in found] == [ids[3], ids[-1]]
        assert ids[2] in found[0].ids


def test_where_a_piece_is_gone_the_passage_ends(tmp_path):
    text = "".join(f"{n:03d} " + "x" * 600 + ". " for n in range(5))
    rows = list(rows_of(text, "w", {}, ReadOptions(size=220)))
    assert len(rows) == 5
    with filled(tmp_path / "c.imi", rows) as collection:
        collection.delete([rows[2].document.id])
        (one,) = expand(collection, [hit_of(collection, rows[1].document.id)], 10_000)
        assert one.ids == (rows[0].document.id, rows[1].document.id)
        assert one.hit.text == text[one.start : one.end]


def test_lines_and_paragraphs_grow_over_those_beside_them(tmp_path):
    markdown = tmp_path / "notes.md"
    markdown.write_text(
        "# Cats\n" + "\n\n".join(f"Paragraph {n} " + "about cats. " * 60 for n in range(4)) + "\n# Dogs\nWoof.\n"
    )
    lines = tmp_path / "lines.txt"
    lines.write_text("".join(f"line {n}\n" for n in range(20)))
    table = tmp_path / "table.csv"
    table.write_text("text\n" + "".join(f"row {n}\n" for n in range(9)))
    rows = [row for path in (markdown, lines, table) for row in read(str(path))]
    with filled(tmp_path / "c.imi", rows) as collection:

        def expanded(path, number, most):
            id_ = [row.document.id for row in rows if row.document.metadata["source"] == str(path)][number]
            return expand(collection, [hit_of(collection, id_)], most)[0].hit.text

        cats = expanded(markdown, 1, 10_000)
        assert cats.count("Cats\n") == 1 and "Woof" not in cats
        assert [cats.index(f"Paragraph {n} ") for n in range(4)] == sorted(
            cats.index(f"Paragraph {n} ") for n in range(4)
        )
        assert expanded(lines, 10, 26) == "line 9\nline 10\nline 11"
        assert expanded(table, 3, 1000) == "row 3"


def test_rows_of_others_stay_as_they_are(tmp_path):
    with imi.open(tmp_path / "c.imi", model=HashEmbedder()) as collection:
        collection.add([Document("a", "short", {}, "p", 0, 900), Document("b", "text")])
        assert [one.hit.text for one in expand(collection, [hit_of(collection, "a")], 99)] == ["short"]
        assert [one.hit.text for one in expand(collection, [Hit("gone", 1.0, "kept", {})], 99)] == ["kept"]
        with pytest.raises(UsageError, match="0 characters"):
            expand(collection, [], 0)


def test_on_an_engine_nothing_is_known_of_neighbours():
    engine = EngineCollection.__new__(EngineCollection)
    engine.label = "qdrant://localhost/?collection=notes"
    with pytest.raises(UsageError, match="cannot grow"):
        expand(engine, [], 100)
