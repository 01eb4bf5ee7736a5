"""What a question asks for, and which texts have such a thing."""

import time

import pytest

from imi.text.asked_for import AskedFor
from imi.text.word_forms import dictionary_form


@pytest.mark.parametrize(
    ("question", "name", "has", "lacks"),
    [
        ("What is my pin code?", "code", "Bank card PIN 4821", "Never write the pin code on the card."),
        ("暗証番号は？", "code", "カード 4821", "暗証番号は人に言わない。"),
        ("What is the wifi password?", "secret", "password swan-lake-77", "The password is on your receipt."),
        ("弟の電話番号は？", "phone", "弟 080-1234-5678", "弟は28歳、名古屋で働いている。"),
        ("What is Tom's mobile number?", "phone", "Tom +44 20 7946 0958", "Tom has a new phone."),
        ("What is the booking number?", "number", "Booking LX-55012", "Keep the booking number."),
        ("実家の住所は？", "address", "長野県松本市大手3-2-1", "実家の住所は秘密。"),
        ("How often do I descale it?", "often", "Descale every two months.", "Coffee is cold: descale it."),
        ("How long can I keep a book?", "length", "Four weeks.", "You pay for a new copy."),
        ("パーマにかかる時間は？", "length", "パーマ 2時間", "パーマ 8,800円"),
        ("What time does my flight leave?", "time", "Departure 07:45", "My flight is with TAP."),
        ("飛行機は何時？", "time", "羽田 7:45発", "便は早めに着くこと。"),
        ("When is my flight?", "when", "12 June from terminal 2", "It might be late."),
        ("経費の締切は？", "when", "毎月25日です。", "領収書は田村に渡す。"),
        ("When may I come?", "when", "on Saturday", "You may come."),
        ("How much is a puncture repair?", "money", "Puncture repair | 14 €", "It takes 3 days."),
        ("カットはいくら？", "money", "カット 4,400円", "カット 45分"),
        ("3年生の水泳帽は何色？", "colour", "黄色です。", "学年ごとに違う。"),
        ("Why was it moved?", "reason", "because the tests failed", "It was moved to June."),
        ("Who writes to the printer?", "person", "2. Chidi will write", "the printer has ink"),
        ("誰に渡す？", "person", "田村さんへ", "期日まで"),
        ("What is my brother's name?", "name", "My brother Tom works.", "my brother works"),
        ("Where is the key?", "place", "It is under the pot.", "The key is new."),
        ("桜はどこで咲いていましたか", "place", "上野公園を散歩した。", "桜が満開だった。"),
        ("How many eggs do I need?", "figure", "3 eggs", "2. Add the eggs, one by one."),
    ],
)
def test_a_text_has_the_kind_of_thing_that_is_asked_for(question, name, has, lacks):
    kind = AskedFor.of(question)
    assert kind is not None and kind.name == name
    assert kind.within(has)
    assert not kind.within(lacks)


def test_what_the_question_says_itself_is_no_answer():
    kind = AskedFor.of("What happened when the clock struck 12:00 on 3 May 1999?")
    assert kind is not None and not kind.within("on 3 May 1999")


@pytest.mark.parametrize("question", ["Can I pay by card?", "母の具合", "Is there a lift?", ""])
def test_other_questions_ask_for_no_such_thing(question):
    assert AskedFor.of(question) is None


def test_a_past_is_a_form_of_its_verb():
    assert dictionary_form("ate") == dictionary_form("eats") == "eat"
    assert dictionary_form("carried") == dictionary_form("carry")


@pytest.mark.parametrize(
    "piece", ["1", "1-", "1 ", "a", "A", "a ", "A ", "ア", "市", "password ", "9,", "a1", "at ", "・"]
)
def test_long_texts_take_a_time_like_their_length(piece):
    long = piece * (50_000 // len(piece))
    first = ("my pin", "the password", "my phone", "order number", "my address", "how often", "how long", "what time")
    questions = (*first, "when", "price", "what colour", "why", "who", "what name", "where")
    began = time.process_time()
    for question in questions:
        kind = AskedFor.of(question)
        assert kind is not None
        kind.within(f"x {long}")
    assert time.process_time() - began < 4
