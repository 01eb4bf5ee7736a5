"""Paragraphs of lines that were set to a width: where they end, what begins a list, what a page's number is."""

import pytest

from imi.text.blocks import Line, text_lines
from imi.text.paragraphs import set_blocks
from imi.text.passages import passages
from imi.text.plain import is_guess, is_item, plain_blocks
from imi.text.readers.pdf import _bare

FULL = "these are words of a line which fills the width"


def blocks(*texts: str) -> list[tuple[str, str]]:
    lines, start = [], 0
    for text in texts:
        lines.append(Line(1, start, text))
        start += len(text) + 1
    return [(block.kind, block.text) for block in set_blocks(lines, hyphens=True)]


@pytest.mark.parametrize(
    "break_",
    [
        ("and wide MMMM governments supported", "sometimes fledgling groups of the country."),
        ("the land was once given to William John", "D. Rockefeller and to others of the city."),
        ("it was all justified under the article", "36. The reasons are of public morality."),
        ("there are networks which all had an old", "X.25 exterior and spoke to their hosts."),
        ("the air that people breathe is then about", "20.8% of oxygen and so is the water."),
        ("of whom 9 % are Asian people and also 849", "(0.2%) of the Pacific, others of Europe."),
        ("after the meeting of the commission in May,", "which was long, they went to Vienna."),
        ("a computing technology or a computing", "machine—anything from an abacus—to this."),
    ],
)
def test_a_sentence_goes_on_over_the_end_of_a_line_that_looks_short(break_):
    found = blocks(FULL, FULL, *break_, FULL, FULL, FULL, FULL, FULL)
    assert all(kind == "prose" for kind, _ in found) and any(" ".join(break_) in text for _, text in found)


def test_paragraphs_headings_and_lists_still_begin_where_they_do():
    found = blocks(
        "Harbours",
        FULL,
        FULL,
        "It ends here.",
        "Another one begins with a line which is full",
        FULL,
        "and ends.",
        "• first of all",
        "• a point",
        "(3) 第三",
        "4.りんご",
    )
    kinds = [kind for kind, _ in found]
    assert kinds == ["heading", "prose", "prose", *["list"] * 4]


def test_a_hyphen_that_two_words_share_stays():
    assert (
        "in English- and German-speaking"
        in blocks("the most common form in English-", "and German-speaking " + FULL)[0][1]
    )
    assert "the engineers" in blocks("the most common form of the engi-", "neers " + FULL)[0][1]


def test_items_of_lists():
    items = [
        "1. one",
        "(1) one",
        "1) one",
        "a. one",
        "b) one",
        "1.one",
        "1.りんご",
        "・りんご",
        "- one",
        "-one",
        "① 一",
    ]
    assert [text for text in items if not is_item(text)] == []


def test_figures_and_shortened_words_are_no_items():
    others = ["20.8% of it", "U.S. law", "X.25 is", "e.g., this", "(0.2%) are", "-40% in", "2).", "3.14", "i.e. that"]
    assert [text for text in others if is_item(text)] == []


def test_of_a_page_one_number_is_taken_and_a_short_page_s_too():
    pages = [["1", *"abcdef"], ["2", *"ghijkl"], ["3", *"mnopqr"]]
    pages[1].insert(1, "1690")
    found = _bare([*pages, ["4", "the last words."]])
    assert [page[0] for page in found] == ["a", "1690", "m", "the last words."]
    assert _bare([["1690."], ["a page of text", "and more"]]) == [["1690."], ["a page of text", "and more"]]


def test_pages_with_two_numbers_lose_both():
    pages = [["1", *"abcdef", "page 1 of 3"], ["2", *"ghijkl", "page 2 of 3"], ["3", *"mnopqr", "page 3 of 3"]]
    assert all(len(page) == 6 for page in _bare(pages))


def test_articles_of_a_contract_are_headings_for_certain():
    certain = [
        "第2条（委託料）",
        "第3章 総則",
        "第四条",
        "第5条の2（解除）",
        "Section 4",
        "Chapter IV",
        "Article 12. Notices",
    ]
    assert [text for text in certain if is_guess(text)] == []
    assert all(map(is_guess, ["Part time work", "第一印象", "Harbours", "第2条約", "Sections of wood", "2.1 Rent"]))


def test_each_article_of_a_short_contract_is_a_passage_below_its_own_heading():
    text = (
        "業務委託契約書\n\n第1条（目的）\n甲は、乙に対し、ウェブサイトの保守業務を委託し、乙はこれを受託する。\n\n"
        "第2条（委託料）\n委託料は月額18万円とし、甲は毎月末日までに乙の指定する口座に振り込む。\n"
    )
    found = passages(plain_blocks(text_lines(text)), 800)
    assert [one.heading for one in found] == ["業務委託契約書 > 第1条（目的）", "業務委託契約書 > 第2条（委託料）"]
