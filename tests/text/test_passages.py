# ruff: noqa: E501
"""Passages: one rule for every format; headings are context, places are exact, nothing of a text is lost."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.examples import examples

from imi.text.blocks import Block, text_lines
from imi.text.markup.asciidoc import asciidoc_blocks, asciidoc_header
from imi.text.markup.front_matter import front_matter
from imi.text.markup.markdown import markdown_blocks
from imi.text.markup.restructured import restructured_blocks
from imi.text.passages import passages
from imi.text.plain import is_heading, is_list_of_lines, is_wrapped, plain_blocks


def made(blocks, size=200, fits=None):
    return list(passages(blocks, size, fits=fits))


def markdown(text, size=200):
    return made(markdown_blocks(text_lines(text)), size)


def plain(text, size=200):
    return made(plain_blocks(text_lines(text)), size)


def test_headings_are_context_and_never_a_passage():
    found = markdown("# Cats\n\nThey sleep.\n\n## Food\n\n### Fish\n\nRaw.\n\n# Dogs\n\nBark.\n")
    assert [(one.heading, one.text) for one in found] == [
        ("Cats", "They sleep."), ("Cats > Food > Fish", "Raw."), ("Dogs", "Bark."),
    ]  # fmt: skip


def test_a_heading_without_text_goes_with_what_comes_next_or_before():
    found = markdown("# A\n\n## Empty\n\n## Full\n\ntext\n\n## Last\n")
    assert [(one.heading, one.text) for one in found] == [("A > Full", "Empty\n\ntext\n\nLast")]
    (alone,) = markdown("# Only\n\n## Headings\n")
    assert alone.text == "Only\n\nHeadings"


def test_short_paragraphs_are_joined_and_long_ones_cut_alike():
    short = plain("One is here.\n\nTwo is here.\n\nThree is here.\n")
    assert [one.text for one in short] == ["One is here.\n\nTwo is here.\n\nThree is here."]
    sentence = "これは長い文章です。次の文です。"
    for size in (3900, 4100):
        found = plain((sentence * 400)[:size])
        assert len(found) > 15 and max(len(one.text) for one in found) <= 200
        assert len({len(one.text) for one in found[1:-1]}) <= 2, "about equally long"


def test_a_cut_inside_a_paragraph_repeats_a_sentence_and_between_paragraphs_nothing():
    inside = plain("".join(f"文{n:03}です。" for n in range(100)), size=80)
    assert all(b.text.startswith(a.text[-7:]) for a, b in pairwise(inside))
    between = plain("\n\n".join(f"Paragraph {n} says something of its own here." for n in range(9)), size=100)
    assert not set.intersection(*(set(one.text.split("\n\n")) for one in between[:2]))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("list", "- one\n- two\n- three\n- four"),
        ("table", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("code", "```python\nx = 1\n\n\ny = 2\n```"),
    ],
)
def test_lists_tables_and_code_stay_whole(kind, text):
    found = markdown("A first paragraph that takes some room here.\n\n" + text + "\n\nAnother paragraph.\n", size=60)
    (whole,) = [one for one in found if text.split("\n")[-1] in one.text]
    assert text.split("\n")[0] in whole.text


def test_places_are_exact():
    text = "# T\n\nA **bold** [link](http://x.y/z_(1)) and `a*b*`.\n\nWrapped\nlines &amp; more.\n"
    (one,) = markdown(text)
    assert one.text == "A bold link and a*b*.\n\nWrapped lines & more."
    assert text[one.start : one.end] == "A **bold** [link](http://x.y/z_(1)) and `a*b*`.\n\nWrapped\nlines &amp; more."
    assert one.line == 3


WORDS = st.sampled_from(
    ["猫である。", "A cat. ", "x" * 30, "、", "🐱👍🏽", "3.14", "1,234", " ", "\n", "\n\n", "か\u3099", "Title"]
)


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(WORDS, max_size=60).map("".join), st.integers(10, 120))
@example("猫である。\n\n" + "x" * 30 + "\n\n" + "x" * 30 + "\n\n猫である。", 10)
def test_any_plain_text_is_there_once_in_order_and_in_place(text, size):
    found = plain(text, size)
    squeezed = "".join(text.split())
    said = "".join("".join(one.text.split()) + "".join(one.heading.split()) for one in found)
    assert all(said.count(char) >= 1 for char in set(squeezed) if char.isalnum())
    for before, after in pairwise(found):
        assert before.start < after.start and before.end < after.end
    for one in found:
        # Joined lines differ from the file by white space only.
        assert "".join(text[one.start : one.end].split()) == "".join(one.text.split())


@settings(max_examples=examples(80), deadline=None)
@given(st.text(max_size=200), st.integers(5, 60))
def test_any_text_at_all_is_read_by_every_format(text, size):
    for read in (plain_blocks, markdown_blocks, restructured_blocks, asciidoc_blocks):
        for one in passages(read(text_lines(text)), size, fits=lambda said: len(said) <= size + 20):
            assert one.text.strip() and len(one.text) <= size + 20 and 0 <= one.start < one.end <= len(text)


def test_wrapped_lines_are_one_paragraph_in_both_languages():
    english = "The quick brown fox jumps over the lazy dog and\nit sleeps in the sun until the evening comes\nand eats."
    assert plain(english)[0].text == " ".join(english.split())
    japanese = "吾輩は猫である。名前はまだ無い。どこで生れたか頓と\n見当がつかぬ。何でも薄暗いじめじめした所でニャー\nニャー泣いていた事だけは記憶している。"
    assert plain(japanese)[0].text == japanese.replace("\n", "")
    assert not is_wrapped(["Roses are red,", "violets are blue,", "sugar is sweet"])
    assert not is_wrapped(["- a first item of a list that is long enough", "short", "- a third item that is also long"])


@pytest.mark.parametrize(
    "text", ["Adaptive Retrieval", "4.3.1 Adaptive Retrieval", "第1章 はじめに", "なぜ、マトリョーシカ？"]
)
def test_what_looks_like_a_heading(text):
    assert is_heading(text)


@pytest.mark.parametrize(
    "text", ["It rains.", "雨が降る。", "- item", "https://a.b", "first, second,", "42", "$x = 1$" * 20]
)
def test_what_does_not(text):
    assert not is_heading(text) or text == "42"


def test_plain_headings_are_context_by_their_numbers():
    text = "A talk\n\n1 Start\n\nWe begin here and say something.\n\n1.1 More\n\nWe go on with it for a while.\n"
    found = plain(text, size=40)
    assert [one.heading for one in found] == ["A talk > 1 Start", "A talk > 1 Start > 1.1 More"]


def test_lists_of_lines_are_told_from_prose():
    four = ["AIは素晴らしい！", "うちの猫はタマと言います", "うちのペットはいつも寝ています", "金魚は夜は休むのかな？"]
    assert is_list_of_lines(four) and is_list_of_lines(["one line"])
    assert not is_list_of_lines(["A title", "", "A paragraph of a text.", "", "Another one."])
    assert not is_list_of_lines(["A long paragraph on one line. " * 20, "And another one as long. " * 20])
    assert not is_list_of_lines(["\u3000吾輩は猫である。", "\u3000名前はまだ無い。"])
    assert not is_list_of_lines(["The quick brown fox jumps over the lazy dog and", "it sleeps in the sun until the eve",
                                 "and eats."])  # fmt: skip
    assert is_list_of_lines([f"review number {n}, rather short" for n in range(50)] + ["", "one more after a gap"])


DIALECTS = {
    "attributes": ("## Custom 404 { #custom-404-page }\n\nText.\n", "Custom 404", "Text."),
    "kramdown": ("## Head {#id .cls}\n\nText.\n{: .note}\n", "Head", "Text."),
    "html wrapper": ('<div class="termy">\n\nRun it.\n\n</div>\n', "", "Run it."),
    "include": ("{* ../../docs_src/app.py hl[1] *}\n\nText.\n", "", "Text."),
    "snippet": ('--8<-- "a.md"\n\nText.\n', "", "Text."),
    "shortcode": ('{{< figure src="a.png" >}}\n\nText {{% ref %}}here.\n', "", "Text here."),
    "jinja": ("{% include 'a' %}\n\nText.\n", "", "Text."),
    "admonition": ('!!! note "Mind this"\n    Text.\n', "", "Mind this\n\nText."),
    "blocks": ("/// tip | A tip\n\nText.\n\n///\n", "", "A tip\n\nText."),
    "directive": (":::warning\nText.\n:::\n", "", "Text."),
    "alert": ("> [!NOTE]\n> Text.\n", "", "Text."),
    "picture": ("![A cat](cat.png) sleeps.\n", "", "A cat sleeps."),
    "linked picture": ("[![A cat](cat.png)](http://x.y) sleeps.\n", "", "A cat sleeps."),
    "wiki": ("See [[Page|the page]] and [[Other]].\n", "", "See the page and Other."),
    "footnote": ("Text[^1].\n\n[^1]: The note.\n", "", "Text.\n\nThe note."),
    "definition": ("See [a][b].\n\n[b]: http://x.y\n", "", "See a."),
    "comment": ("Text.<!-- secret -->\n\n<!--\nmany\nlines\n-->\n\nMore.\n", "", "Text.\n\nMore."),
    "mdx comment": ("Text. {/* secret */}\n", "", "Text."),
    "script": ("<script>\nvar secret = 1;\n</script>\n\nText.\n", "", "Text."),
    "ruby": ("<ruby>東京<rp>(</rp><rt>とうきょう</rt><rp>)</rp></ruby>へ行く。\n", "", "東京へ行く。"),
    "emphasis": (
        "**太字**と*斜体*と~~線~~と snake_case_name と 2*3*4。\n",
        "",
        "太字と斜体と線と snake_case_name と 2*3*4。",
    ),
    "setext": ("Title\n=====\n\nText.\n", "Title", "Text."),
    "escape": ("1\\. not \\*a\\* list\n", "", "1. not *a* list"),
    "task list": ("- [x] done\n- [ ] open\n", "", "- [x] done\n- [ ] open"),
    "toc": ("[TOC]\n\nText.\n", "", "Text."),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_dialects_of_markdown_leave_no_markup(name):
    text, heading, said = DIALECTS[name]
    found = markdown(text)
    assert [(one.heading, one.text) for one in found] == [(heading, said)]


def test_mdx_without_its_imports():
    text = "import Tabs from '@theme/Tabs';\nexport const x = 1;\n\n<Tabs>\n\nimport matters here.\n\n</Tabs>\n"
    (one,) = made(markdown_blocks(text_lines(text), mdx=True))
    assert one.text == "import matters here."


def test_code_is_left_as_it_is():
    text = '```html\n<div class="x">{* a *}</div>\n# no heading\n```\n'
    assert markdown(text)[0].text == text.strip()


def test_front_matter_is_metadata():
    lines = ["---", "title: \"A: b\"", "tags: [x, 'y z']", "draft: false", "order: 3", "date: 2024-09-01",
             "authors:", "  - Ann", "  - Bob", "seo:", "  description: long", "  text", "# no", "---", "Text"]  # fmt: skip
    found, taken = front_matter(lines)
    assert taken == 14
    assert found == {
        "title": "A: b", "tags": ["x", "y z"], "draft": False, "order": 3, "date": "2024-09-01",
        "authors": ["Ann", "Bob"], "seo.description": "long text",
    }  # fmt: skip
    assert front_matter(["+++", 'title = "T"', "n = 2", "+++"]) == ({"title": "T", "n": 2}, 4)
    assert front_matter(["---", "just a rule above a text", "---"]) == ({}, 0)
    assert front_matter(["# T"]) == ({}, 0)


def test_restructured_text():
    text = (
        "=====\nTitle\n=====\n\n.. contents::\n   :depth: 2\n\nPart\n====\n\nSee :ref:`the part <part>` and ``code``, `a link <http://x>`_.\n\n"
        ".. note:: Mind this.\n\n.. _label:\n\n.. image:: a.png\n   :alt: x\n\nAn example::\n\n    x = *1*\n\n    y\n\nSub\n---\n\n"
        ".. code-block:: python\n   :linenos:\n\n   print(1)\n\nEnd.\n"
    )
    found = made(restructured_blocks(text_lines(text)), 300)
    assert [one.heading for one in found] == ["Title > Part", "Title > Part > Sub"]
    assert found[0].text.split("\n\n")[:3] == ["See the part and code, a link.", "Mind this.", "An example:"]
    assert "x = *1*" in found[0].text and "label" not in found[0].text and "png" not in found[0].text
    assert "print(1)" in found[1].text and "linenos" not in found[1].text and found[1].text.endswith("End.")


def test_asciidoc():
    text = (
        "= Title\n:toc:\n:author: Ann\n\n== Part\n\nSee link:http://x[the link], *bold* and <<part,there>>.\n\n[NOTE]\n====\nMind this.\n====\n\n"
        "[source,ruby]\n----\nputs *1*\n----\n\n.Table title\n|===\n|a |b\n|1 |2\n|===\n\n// comment\n////\nsecret\n////\n\n* one\n* two\n"
    )
    (one,) = made(asciidoc_blocks(text_lines(text)), 300)
    assert one.heading == "Title > Part"
    assert one.text.startswith("See the link, bold and there.") and "puts *1*" in one.text
    assert (
        "Mind this." in one.text
        and "Table title" in one.text
        and "secret" not in one.text
        and "* one\n* two" in one.text
    )
    assert asciidoc_header(text.split("\n")) == {"author": "Ann"}


def test_hostile_markup_takes_linear_time():
    import time

    for unit in (
        "[" * 50,
        "**" * 50,
        "<a " * 50,
        "`" * 51 + " ",
        "![a](" * 20,
        "{{< " * 20,
        "~~x" * 40,
        "_a" * 40,
        "&amp" * 30,
    ):
        took = []
        for times in (40, 160):
            began = time.process_time()
            markdown(unit * times, 4000)
            took.append(time.process_time() - began)
        assert took[1] < 16 * took[0] + 0.5, unit


def test_blocks_know_where_their_letters_stand():
    block = Block("prose", "a b", 10, 20, places=((0, 10), (1, 15)))
    assert [block.place(at) for at in range(4)] == [10, 15, 16, 20]
    assert not block.exact and re.match(r"Block", repr(block))
