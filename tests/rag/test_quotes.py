"""Which sentences are quoted for plain questions about one's own notes."""

import pytest

import imi
import imi.cli
from imi.rag.answer import answer

NOTES = {
    "codes.txt": "Card reminder: never write the pin code on the card.\nBank card PIN 4821\nThe alarm code is 9053.\n",
    "travel.md": (
        "# Trip to Lisbon\n\nMy flight is with TAP. My flight might be late.\n"
        "Departure 07:45 from terminal 2 on 12 June, arrival 10:05.\n\n## Hotel\nThree nights at 95 euros a night.\n"
    ),
    "faq.md": (
        "# Library\n\n## How long can I keep a book?\nFour weeks. You can renew it online.\n\n"
        "## Can I eat in the reading room?\nNo, but the café is open until 17:00.\n"
    ),
    "recipe.md": (
        "# Lemon cake\n\n## Ingredients\n- 250 g flour\n- 3 eggs\n\n## Method\n"
        "1. Heat the oven.\n2. Beat butter and sugar, add the eggs one by one.\n3. Bake it for 45 minutes.\n"
    ),
    "flat.txt": "The flat has two rooms, a balcony to the south and no lift. The tin holds four cakes for four days.\n",
    "家族.txt": "弟 080-1234-5678\n母 090-8765-4321\n弟は28歳、名古屋の会社で働いている。\n合鍵は玄関の植木鉢の下。\n",
    "沖縄.md": "# 沖縄旅行\n\n## 飛行機\n\n便は早めに着くこと。\n\n行きは6月12日、羽田を7:45に発つ。\n",
    "日記.md": (
        "# 日記\n\n## 4月2日\n\n上野公園を散歩した。桜が満開だった。\n\n"
        "## 4月10日\n\n一日中雨。母は風邪をひいていた。\n"
    ),
    "family.txt": "My brother Tom works in Leeds.\nMy sister Clara lives in Lyon.\n",
    "school.txt": (
        "Dear parents,\nthe class trip to the zoo is on Thursday, 12 March.\nThe bus leaves from the main gate.\n"
        "Each child pays 14 euros; please put the money in an envelope.\n"
    ),
    "washer.txt": "Washing machine: load 7 kg. If E18 is shown, clean the pump filter.\n",
    "garden.txt": "Tomatoes: sow in March, plant out after 15 May, water daily.\nThe hose is in the shed.\n",
    "映画.md": (
        "# 見た映画\n\n| 題名 | 監督 | 年 |\n|---|---|---|\n"
        "| 七人の侍 | 黒澤明 | 1954 |\n| 東京物語 | 小津安二郎 | 1953 |\n"
    ),
    "経費.md": (
        "# 経費精算\n\n経費の締切は毎月25日です。領収書は田村に渡してください。\n\n"
        "| Item | Limit |\n|---|---|\n| Hotel | 12000 |\n| Deadline meeting | 500 |\n"
    ),
}


@pytest.fixture(scope="module")
def notes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notes")
    (folder / "notes").mkdir()
    for name, text in NOTES.items():
        (folder / "notes" / name).write_text(text, "utf-8")
    assert imi.cli.main(["add", str(folder / "n.imi"), str(folder / "notes"), "-q"]) == 0
    with imi.open(folder / "n.imi", mode="r") as collection:
        yield collection


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("my pin code", ["Bank card PIN 4821"]),
        ("What is the alarm code?", ["The alarm code is 9053."]),
        ("When is my flight?", ["Departure 07:45 from terminal 2"]),
        ("How much is the hotel?", ["Three nights at 95 euros"]),
        ("How long can I keep a book?", ["Four weeks."]),
        ("Can I eat in the reading room?", ["No, but the café is open"]),
        ("How many eggs do I need for the lemon cake?", ["3 eggs"]),
        ("弟の電話番号は？", ["弟 080-1234-5678"]),
        ("弟の電話番号を教えて", ["弟 080-1234-5678"]),
        ("桜はどこで咲いていましたか", ["上野公園を散歩した。"]),
        ("What is my brother's name?", ["My brother Tom"]),
        ("弟って何歳？", ["弟は28歳"]),
        ("合鍵ってどこにあるの？", ["合鍵は玄関"]),
        ("飛行機は何時？", ["行きは6月12日、羽田を7:45"]),
        ("How much is the class trip?", ["Each child pays 14 euros"]),
        ("What does E18 mean?", ["If E18 is shown"]),
        ("トマトはいつ植える？", ["Tomatoes: sow in March"]),
        ("七人の侍の監督は誰？", ["七人の侍 | 黒澤明 | 1954"]),
        ("経費の締切は？", ["経費の締切は毎月25日です。"]),
    ],
)
def test_what_gives_the_kind_of_thing_asked_for_is_quoted_first(notes, question, said):
    lines = (answer(notes, question).answer or "").splitlines()
    assert any(line.startswith(f"“{said[0]}") for line in lines), lines
    assert len(lines) <= 2, lines


@pytest.mark.parametrize(
    "question",
    ["父の電話番号は？", "What is my passport number?", "Who is the president of France?", "遠足はいつですか"],
)
def test_what_the_notes_do_not_say_is_not_answered(notes, question):
    assert answer(notes, question).answer is None
