"""What of a text is shown: where most of the words of a query are, however long it is."""

import pytest

from imi.text.highlight import READ, piece_of, spans_of

FILLER = "The river runs past the mill. "


def long(said, at, length=1_000_000):
    return (FILLER * (at // len(FILLER) + 1))[:at] + said + (FILLER * (length // len(FILLER)))[: length - at]


@pytest.mark.parametrize("at", [0, READ - 5, READ + 7, 3 * READ - 1005, 900_000])
def test_words_deep_in_a_long_text_are_found(at):
    text = long(" The vault of Zermatt is green. ", at)
    spans, seen = spans_of(text, ["vault", "zermatt"])
    assert [text[a:b] for a, b in spans] == ["vault", "Zermatt"] and sorted(seen) == ["vault", "zermatt"]
    piece = piece_of(text, ["vault", "zermatt"], 200)
    assert [part for part, marked in piece.parts if marked] == ["vault", "Zermatt"]
    assert piece.characters == len(text) and text.startswith("".join(part for part, _ in piece.parts), piece.start)


def test_the_stretch_with_most_of_the_words_is_shown():
    text = long("a vault alone", 10) + long(" the vault of 倉庫 is here", 700_000)
    piece = piece_of(text, ["vault", "倉庫"], 100)
    assert [part for part, marked in piece.parts if marked] == ["vault", "倉庫"]


def test_a_place_that_is_asked_for_is_marked_wherever_it_is():
    text = long("the vault here", 900_000)
    piece = piece_of(text, ["vault"], 100, 899_990)
    assert piece.start == 899_990 and ("vault", True) in piece.parts
    assert piece_of(text, ["nothing"], 50).start == 0


def test_a_word_within_another_does_not_choose_the_stretch():
    text = long("the train ran", 10) + long(" the rain fell", 700_000)
    assert [part for part, marked in piece_of(text, ["rain"], 100).parts if marked] == ["rain"]
