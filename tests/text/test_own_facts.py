"""Facts of one's own that a question asks for: which questions do, and which sentences give them."""

import time

import pytest

from imi.text.own_facts import OwnFact


def given(question: str, *sentences: str, near: tuple[float, ...] | None = None) -> bool:
    fact = OwnFact.of(question)
    assert fact is not None
    return fact.given(sentences, [1.0] * len(sentences), near)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("What is the name of our cat?", "Our cat is called Tama."),
        ("What's my cat's name?", "cat: tama"),
        ("What is our cat called?", "Our black cat, Tama, is ten."),
        ("Our cat's name?", "Tama is our cat."),
        ("What did we name our puppy?", "We got a puppy named Rex."),
        ("What is our dog called?", "うちの犬はポチです。"),
        ("うちの犬の名前は何ですか", "うちの犬はポチです。"),
        ("うちの犬は何という名前ですか", "犬の「ポチ」は散歩が好き。"),
        ("犬の名前を教えて", "ポチは我が家の犬です"),
        ("妹の猫の名前は?", "妹の猫ミケは魚が嫌い"),
        ("うちの猫の名前は何ですか", "Our cat Biscuit sleeps."),
        ("What is the name of my dentist?", "Dentist: Dr. Alvarez, Tuesdays and Fridays only, tel 555-0101"),
        ("What is the name of our database?", "- **Database**: orders-main, on the second server"),
        ("What is our database called?", "| Database | orders-main | PostgreSQL 15 |"),
        ("What is my son's teacher called?", "Teacher of our son: Mrs Okafor, room 12"),
        ("当社の社長の名前は？", "代表取締役社長\u3000山田太郎"),
        ("妹の名前は？", "妹の美咲は来年4月に結婚する予定。"),
        ("息子の名前は何ですか", "息子の健が入学した。"),
        ("ホテルの名前は？", "ホテル海風、那覇市久茂地2-1。"),
        ("病院の名前は？", "火曜は休み、病院緑風会、駅前。"),
        ("What is the plumber's name?", "Call the plumber about the tap: Mr Ferro, 555 8812"),
        ("What is the name of the hotel?", "Hotel Miradouro, Rua da Graça 15, three nights."),
        ("当社の社長の名前は？", "社長 山田 太郎（営業出身）"),
        ("うちの歯医者の名前は", "歯医者：田中先生、火曜と金曜のみ"),
        ("当社のデータベースの名前は何ですか", "| データベース | orders-main | 15 |"),
        ("When is my mother's birthday?", "Mother's birthday is on the 3rd of May."),
        ("When is my dentist appointment?", "Dentist next Tuesday."),
        ("How much is my rent?", "Rent is 900 a month."),
        ("What is my phone number?", "My phone number is 030 555 1234."),
        ("What is my passport number?", "Passport: TK1234567"),
        ("私の口座番号は何番ですか", "口座番号は1234567"),
        ("私の母の誕生日はいつですか", "母の誕生日は五月三日"),
    ],
)
def test_sentences_that_give_it(question, sentence):
    assert given(question, sentence, near=(0.5,))


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("What is the name of our cat?", "My cat is not a huge fan."),
        ("What is our cat called?", "Even my boy cat, who isn't big on ANY food, loves these!"),
        ("What's my cat's name?", "Cat Food: Felidae, for adult cats."),
        ("What's my cat's name?", "Felidae Canned Cat Food for adult cats smells fresh."),
        ("うちの猫の名前は何ですか", "I don't know why it made one of the cats so sick."),
        ("妹の名前は？", "妹の誕生日は5月3日。"),
        ("弟の名前は？", "弟の電話は080-1234-5678。"),
        ("ホテルの名前は？", "ホテルは一泊9,800円。"),
        ("What is our cat called?", "Our cat was seen by Dr. Lind."),
        ("What is the name of the hotel?", "The hotel is near the harbour."),
        ("うちの犬の名前は何ですか", "犬 用品売場へ行く"),
        ("うちの犬の名前は何ですか", "犬は庭で遊ぶのが好きです。"),
        ("When is my mother's birthday?", "I ordered this gift for my mother's birthday and she loved it!"),
        ("What is my phone number?", "I called the number 1 customer service."),
    ],
)
def test_sentences_that_do_not(question, sentence):
    assert not given(question, sentence, near=(0.5,))


def test_a_figure_may_be_beside_the_sentence_but_not_far_from_it():
    fact = OwnFact.of("When is my mother's birthday?")
    said = ["My mother's birthday is soon.", "It is on Sunday.", "We eat cake.", "In 1999 it rained."]
    assert fact.given(said, [1.0, 0.0, 0.0, 0.0], None)
    assert not fact.given([said[0], said[2], said[3]], [1.0, 0.0, 0.0], None)


@pytest.mark.parametrize(
    "question",
    [
        "What is the name of the river that flows through Paris?",
        "When is the deadline?",
        "フランスの首都の名前と人口は何ですか",
        "Which beans are delicious?",
        "締め切りはいつですか",
        "How many people live in Tokyo?",
        "",
    ],
)
def test_other_questions_ask_for_nothing_of_one_s_own(question):
    assert OwnFact.of(question) is None


@pytest.mark.parametrize(
    "piece",
    [
        "A",
        "A-",
        "ア",
        "cat ",
        "my cat ",
        "0",
        "0-",
        "「",
        "猫は",
        "called ",
        "Cat, ",
        "cat:",
        "|cat ",
        "cat of ",
        "猫 猫",
    ],
)
def test_long_sentences_take_a_time_like_their_length(piece):
    long = piece * (50_000 // len(piece))
    began = time.process_time()
    for question in (
        "What is our cat called?",
        "うちの猫の名前は何ですか",
        "What is my phone number?",
        "私の誕生日はいつですか",
        long,
    ):
        fact = OwnFact.of(question)
        if fact is not None:
            fact.given([long, f"the cat {long}", f"猫 {long}"], [1.0, 0.5, 0.5], [0.5, 0.5, 0.5])
    assert time.process_time() - began < 2
