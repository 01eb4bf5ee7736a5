"""Lines that are matters of their own, and those of a wrapped paragraph."""

import random

import pytest

from imi.text.blocks import text_lines
from imi.text.lone_lines import lone_lines
from imi.text.markup.asciidoc import asciidoc_blocks
from imi.text.markup.markdown import markdown_blocks
from imi.text.markup.restructured import restructured_blocks
from imi.text.plain import plain_blocks

APART = {
    "itinerary": "6/1 東京着\n6/3 帰り",
    "itinerary with a sentence": "6月1日 東京着。夜は銀座で食事\n6月2日 箱根へ\n6月3日 帰り",
    "weekdays": "Mon 9:00 Algebra with Mr Okoye in room 12\nTue 10:30 Chemistry\nWed 9:00 Algebra again",
    "days in kanji": "月 燃えるごみ\n火 びん・かん\n木 燃えるごみ",
    "timetable": "Docklands      6:10  6:40  7:10  7:40\nOld Market     6:22  6:52  7:22  7:52",
    "address": "Dolores Whitfield\n17 Larkspur Row\nLondon N1 2AB",
    "住所": "〒150-0001\n東京都渋谷区神宮前1-2-3\n青葉ハイツ202号室",
    "shopping": "oat milk\neggs\nbrown bread",
    "買い物": "牛乳\n卵 10個\nのり\nにんじん 3本",
    "chat": (
        "10:02 美咲：打ち上げ、どこにする？\n10:03 健太：駅前の「鳥よし」はどうかな\n10:05 美咲：いいね。何人来るの？"
    ),
    "chat without times": "Ana: shall we meet at the station or the café?\nBen: the café, it will rain\nAna: fine",
    "labels": "請求番号：2025-0417\n発行日：2025年4月30日\n支払期限：2025年5月31日",
    "poem": "The fog comes\nOn little cat feet\nIt sits looking\nOver harbour and city",
    "sonnet": (
        "Loud is the river in the month of rain,\nThe ferry waits,\nAnd nobody comes down to cross again\n"
        "Before the lights go out along the pier."
    ),
    "even verse": (
        "Grey is the rope and grey the morning sea,\nThe ferry bell is ringing on the quay,\n"
        "And Martha with her basket full of plums\nIs waiting for the captain till he comes."
    ),
    "俳句": "古池や\n蛙飛びこむ\n水の音",
}
WRAPPED = {
    "prose": (
        "The lease begins on the first day of March and ends a year later on the\nlast day of February. Either party "
        "may end it earlier with two months'\nwritten notice to the other."
    ),
    "narrow": "The lease begins on the\nfirst of March and ends\na year later.",
    "short": "A short line\nand what goes on",
    "names": ("We met Anna Lind, Peter Brook and the old captain at the harbour of\nOslo, and went on to\nBergen."),
    "a time at a line's start": "The ferry leaves from the second pier of town\n10:30 sharp and comes back at noon.",
    "a colon": "Remember: the ferry leaves from the second pier and it takes\nhalf an hour to the island.",
    "散文": (
        "わが家の歴史は、明治の初めに曽祖父が越後から小樽へ渡ったところに始まります。曽祖父は海産物の\n問屋を開き、"
        "妻とのあいだに三男二女をもうけました。"
    ),
    "狭い散文": "わが家の歴史は、明治の\n初めに曽祖父が小樽へ渡った\nところに始まります。",
    "日付の続く散文": "一九九五年に神戸で生まれ、二〇一三年に上京。\n2015年に大学を出て、2020年に京都へ移り住んだ。",
    "文の途中": "保存先は\nフォルダーです",
    "日付のある散文": "祭りは毎年八月の第一土曜日に川原で開かれ、花火が上がるのは\n8月3日の夜八時からと決まっている。",
}


@pytest.mark.parametrize("text", APART.values(), ids=APART)
def test_lines_that_are_matters_of_their_own_stay_lines(text):
    lines = text.split("\n")
    assert lone_lines(lines) == set(range(1, len(lines)))
    for read in (markdown_blocks, restructured_blocks, asciidoc_blocks, plain_blocks):
        said = [
            line.strip()
            for block in read(text_lines(f"Before.\n\n{text}\n\nAfter."))
            for line in block.text.split("\n")
        ]
        assert said[1:-1] == lines, read


@pytest.mark.parametrize("text", WRAPPED.values(), ids=WRAPPED)
def test_wrapped_prose_is_one_paragraph(text):
    assert not lone_lines(text.split("\n"))
    for read in (markdown_blocks, restructured_blocks, asciidoc_blocks):
        assert ["\n" in block.text for block in read(text_lines(text))] == [False], read


def test_what_goes_on_below_a_message_stays_with_it():
    text = "10:02 Ana: shall we meet at the station\nor at the café?\n10:03 Ben: the café"
    (block,) = markdown_blocks(text_lines(text))
    assert block.text == "10:02 Ana: shall we meet at the station or at the café?\n10:03 Ben: the café"


@pytest.mark.parametrize("read", [markdown_blocks, restructured_blocks, asciidoc_blocks, plain_blocks])
def test_no_character_is_lost_and_places_are_true(read):
    rng = random.Random(5)
    every = [line for text in (*APART.values(), *WRAPPED.values()) for line in text.split("\n")]
    for _ in range(300):
        text = "\n".join(rng.choices(every, k=rng.randint(1, 6)))
        found = list(read(text_lines(text)))
        assert "".join("".join(block.text for block in found).split()) == "".join(text.split())
        for block in found:
            at = rng.randrange(len(block.text))
            assert block.text[at].isspace() or text[block.place(at)] == block.text[at]
            assert text[block.start] == block.text[0] and text[block.end - 1] == block.text[-1]
