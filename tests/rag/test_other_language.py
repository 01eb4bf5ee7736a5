"""Questions in the language of the rows and in the other one, over short notes and reviews: answered, or refused."""

from pathlib import Path

import pytest

import imi
from imi.records import Document
from imi.text.word_forms import without_question_words

FOUR = Path(__file__).parents[2] / "src" / "imi" / "seminar" / "data" / "four.txt"
NOTES = {
    "ja": [
        "給湯器の点検は毎年4月に行う。担当は山田さんである。",
        "家賃は毎月27日に引き落とされる。",
        "駐輪場の利用料は年額三千円である。",
        "祖母の誕生日は11月3日です。",
        "来週の火曜日は歯医者の予約がある",
        "Wi-Fiのパスワードは冷蔵庫の横に貼ってあります",
        "自転車の鍵は玄関の引き出し",
        "燃えるゴミは月曜と木曜",
    ],
    "en": [
        "The boiler is serviced every October by Mr. Hale.",
        "Bins are put out on Tuesday evening. Glass goes every second week.",
        "Spare keys are with the neighbour on the second floor.",
        "Grandma's birthday is on 3 November.",
        "Dentist appointment next Tuesday at ten.",
        "Our dog hates thunder.",
        "The car is parked behind the station.",
    ],
    "reviews": [
        "Food Caused Illness: I don't know why it made one of the cats so sick and not the others.",
        "Decaf coffee: Still, I don't see what all the fuss is about. It is a bitter coffee.",
        "Can't live without it! My mother sends me some salt from France.",
        "Messy: My cat is not a huge fan, but the dog loves these treats.",
        "Arrived in pieces: when I opened the box, most of the rings were broken.",
        "Melted: the chocolate had melted when it arrived.",
    ],
}


@pytest.fixture(scope="module")
def notes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notes")
    rows = NOTES | {"four": FOUR.read_text("utf-8").split("\n")}
    opened = {}
    for name, texts in rows.items():
        opened[name] = imi.open(folder / f"{name}.imi")
        opened[name].add([Document(f"{name}{at}", text) for at, text in enumerate(texts) if text])
        opened[name].rerank = "none"
    yield opened
    for one in opened.values():
        one.close()


@pytest.mark.parametrize(
    ("name", "question", "said"),
    [
        ("four", "うちの猫の名前は何ですか", "タマ"),
        ("four", "ペットはいつも何をしていますか", "寝て"),
        ("four", "What is the name of our cat?", "タマ"),
        ("ja", "家賃はいつ引き落とされますか", "27日"),
        ("ja", "駐輪場はいくらですか", "三千円"),
        ("ja", "自転車の鍵はどこにありますか", "引き出し"),
        ("ja", "燃えるゴミは何曜日ですか", "木曜"),
        ("ja", "When is grandma's birthday?", "11月3日"),
        ("ja", "Where is the Wi-Fi password?", "冷蔵庫"),
        ("en", "When is the boiler serviced?", "October"),
        ("en", "What does the dog hate?", "thunder"),
        ("en", "予備の鍵は誰が持っていますか", "neighbour"),
        ("en", "車はどこに停めましたか", "station"),
        ("reviews", "Is the coffee bitter?", "bitter"),
        ("reviews", "チョコレートが溶けて届いたのはどれですか", "melted"),
    ],
)
def test_what_the_notes_say_is_answered_in_either_language(notes, name, question, said):
    assert said in (notes[name].ask(question).text or "")


@pytest.mark.parametrize("name", ["four", *NOTES])
@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of France?",
        "When does the flight leave?",
        "Who is the president of Italy?",
        "How tall is Mount Everest?",
        "フランスの首都はどこですか",
        "日本の初代総理大臣は誰ですか",
        "電車は何時に出発しますか",
        "富士山の高さは何メートルですか",
    ],
)
def test_what_they_do_not_say_is_refused_in_either_language(notes, name, question):
    assert notes[name].ask(question).text is None


@pytest.mark.parametrize("names", [("four", "reviews"), ("reviews", "four"), ("en", "reviews", "four")])
def test_notes_in_the_questions_language_come_before_reviews_in_another(notes, names):
    found = imi.ask([notes[name] for name in names], "うちの猫の名前は何ですか")
    assert "タマ" in found.text.splitlines()[0] and "タマ" in found.passages[0].text


@pytest.mark.parametrize("names", [("four", "reviews"), ("reviews", "four")])
@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What is the name of our cat?", "タマ"),
        ("What is our cat called?", "タマ"),
        ("What's my cat's name?", "タマ"),
        ("Do goldfish rest at night?", "金魚"),
        ("Does our pet sleep all the time?", "寝て"),
        ("Is the coffee bitter?", "bitter"),
        ("What did the dog love?", "treats"),
    ],
)
def test_what_notes_in_the_other_language_say_comes_before_reviews_that_only_have_the_words(
    notes, names, question, said
):
    found = imi.ask([notes[name] for name in names], question)
    assert said in (found.text or "")
    assert "タマ" not in said or found.text == "“うちの猫はタマと言います” [1]"


@pytest.mark.parametrize(
    "question",
    [
        "うちの猫の名前は何ですか",
        "我が家の犬の名前は何ですか",
        "私の母の誕生日はいつですか",
        "What is the name of our cat?",
        "What is our dog called?",
        "My mother's name?",
        "When is my mother's birthday?",
        "What is my phone number?",
    ],
)
def test_what_others_say_of_cats_and_mothers_tells_nothing_of_one_s_own(notes, question):
    assert notes["reviews"].ask(question).text is None


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("家賃はいくらですか", "家賃は"),
        ("うちの猫の名前は何ですか。", "うちの猫の名前は 。"),
        ("When is it?", "When is it?"),
        ("担当者は誰でしょうか?", "担当者は ?"),
        ("幾何学とは何ですか", "幾何学とは"),
        ("あいつは誰ですか", "あいつは"),
        ("どうぶつえんはどこですか", "どうぶつえんは"),
        ("いつくしま神社はいつからいつまで休みですか", "いつくしま神社は から まで休み"),
        ("だれそれが来たのはいつですか", "だれそれが来たのは"),
        ("なにわの名物は何ですか", "なにわの名物は"),
        ("この花はなんて名前ですか", "この花は て名前"),
        ("なんてんはいつ咲きますか", "なんてんは 咲き"),
        ("会場はどこなの", "会場は"),
        ("弟って何歳？", "弟 歳 ？"),
        ("合鍵ってどこにあるの？", "合鍵 に ？"),
        ("買ってきたもの", "買ってきたもの"),
        ("担当はだれなんですか", "担当は"),
        ("どこもかしこもいっぱいですか", "いっぱい"),
        ("いくらの軍艦巻きはいくらですか", "いくらの軍艦巻きは"),
        ("どれみの歌はだれが作りましたか", "どれみの歌は が作り"),
        ("かいつぶりはどこにいますか", "かいつぶりは にい"),
        ("どうとんぼりはどうなりますか", "どうとんぼりは なり"),
        ("のどの痛みに効く薬はどれですか", "のどの痛みに効く薬は"),
        ("どこでもドアとは何ですか", "どこでもドアとは"),
        ("なんきんまめはいくつありますか", "なんきんまめは"),
        ("花はいつさきますか", "花は さき"),
        ("どのうはどの部屋にありますか", "どのうは 部屋に"),
    ],
)
def test_what_questions_are_built_of_is_no_word_of_theirs(question, words):
    assert without_question_words(question).split() == words.split()
