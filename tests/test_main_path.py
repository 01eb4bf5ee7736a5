"""The main path with the built-in model and the network closed: what the first page of the README promises."""

import json
import subprocess
import sys
import time

import pytest

import imi
import imi.cli

SENTENCES = {
    "ai": "AIは素晴らしい！",
    "tama": "うちの猫はタマと言います",
    "sleeps": "うちのペットはいつも寝ています",
    "goldfish": "金魚は夜は休むのかな？",
}
pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture
def four(tmp_path):
    with imi.open(tmp_path / "four.imi") as collection:
        collection.add([imi.Document(id=key, text=text) for key, text in SENTENCES.items()])
        yield collection


def test_words_and_sentences_of_two_languages_are_near(embedder):
    cat, neko, car = (imi.load().embed([word])[0] for word in ("cat", "猫", "車"))
    assert cat @ neko >= 0.75 and cat @ neko > cat @ car + 0.5
    sentences = imi.similarity(
        ["I am a cat.", "The meeting was moved to Friday."], ["吾輩は猫である。", "株価が下がった。"]
    )
    assert sentences[0, 0] > max(sentences[0, 1], sentences[1, 0]) + 0.3


@pytest.mark.parametrize("word", ["猫", "cat", "ねこ"])
def test_by_meaning_every_word_for_a_cat_finds_the_cat(four, word):
    assert four.search(word, mode="meaning")[0].id == "tama"


def test_by_meaning_sleeping_finds_the_sleeping_pet(four):
    assert four.search("寝ている", mode="meaning")[0].id == "sleeps"


def test_by_text_only_what_is_written_is_found(four):
    assert [hit.id for hit in four.search("猫", mode="text")] == ["tama"]
    assert not four.search("ねこ", mode="text") and not four.search("寝ている", mode="text")


def test_the_demo_and_the_first_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    start = time.process_time()
    assert imi.cli.main(["demo"]) == 0
    first = time.process_time() - start
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert len(rows) >= 15 and all(len(row) == 4 for row in rows)
    hits = "\n".join(row[2] for row in rows)
    assert "zipfile" in hits or "tarfile" in hits or "gzip" in hits
    assert "random" in hits and ("datetime" in hits or "calendar" in hits)
    assert not [row[2] for row in rows if "]" in row[2] and "[" not in row[2]], "half of what the module is about"
    start = time.process_time()
    assert imi.cli.main(["demo", "-q", "--json", "-k", "5"]) == 0
    assert time.process_time() - start < first / 3, "the second run only asks"
    found = {
        question: [hit["metadata"]["name"] for hit in hits]
        for question, hits in json.loads(capsys.readouterr().out).items()
    }
    assert all(len(names) == 5 for names in found.values())
    classes = [name.rpartition(".")[0] for name in found["日付を足し算する"] if name.startswith("calendar.Calendar.")]
    assert len(classes) == len(set(classes)), "of each class the nearest method alone"
    assert any(name.startswith("csv.") for name in found["read rows from a spreadsheet export"][:3])
    assert "datetime.timedelta" in found["日付を足し算する"][:3], "which the demo shows"
    assert any(name.startswith(("smtplib", "email.")) for name in found["send an e-mail"][:3])
    (tmp_path / "four.txt").write_text("\n".join(SENTENCES.values()), "utf-8")
    assert imi.cli.main(["add", "four", "four.txt"]) == 0
    capsys.readouterr()
    assert imi.cli.main(["search", "four", "cat", "--mode", "meaning", "-k", "1"]) == 0
    assert "うちの猫はタマと言います" in capsys.readouterr().out


def test_similar_is_quick():
    command = [sys.executable, "-m", "imi", "similar", "cat", "猫"]
    subprocess.run(command, check=True, capture_output=True)
    script = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
    script += "u = resource.getrusage(resource.RUSAGE_CHILDREN); print(u.ru_utime + u.ru_stime)"
    runs = [
        subprocess.run([sys.executable, "-c", script, *command], check=True, capture_output=True, text=True)
        for _ in range(3)
    ]
    # Processor time, which other work on the machine changes less than the wall clock.
    assert min(float(run.stdout) for run in runs) < 0.8


REVIEWS = [
    ("bad delivery", "great product, poor delivery", 10),
    ("delicious beans", "Zatarain", 10),
    ("delicious beans", "Fantastic Instant Refried", 10),
    ("spoilt", "Disappointed", 20),
]


@pytest.fixture(scope="module")
def thousand(tmp_path_factory, shared_data):
    """Return the seminar's thousand reviews as a collection, filled by the command line."""
    place = tmp_path_factory.mktemp("reviews") / "r.imi"
    source = shared_data / "fine_food" / "fine_food_reviews_1k.csv"
    template = "Title: {Summary}; Content: {Text}"
    assert imi.cli.main(["add", str(place), str(source), "--id", "Id", "--template", template, "-q"]) == 0
    with imi.open(place, mode="r") as reviews:
        yield reviews


@pytest.mark.parametrize(("question", "title", "k"), REVIEWS)
def test_the_thousand_reviews_of_the_seminar(thousand, question, title, k):
    found = [hit.text for mode in ("meaning", "hybrid") for hit in thousand.search(question, k=k, mode=mode)]
    assert any(title in text for text in found), f"{question}: {title}"


@pytest.mark.nightly
def test_the_seminar_s_questions_over_the_thousand_reviews_read_by_the_finer_model(thousand, capsys):
    assert imi.cli.main(["deepen", str(thousand.folder), "-q"]) == 0
    found = {}
    for question in ("spoilt", "bad delivery", "delicious beans"):
        capsys.readouterr()
        assert imi.cli.main(["search", str(thousand.folder), question, "-k", "5", "--json"]) == 0
        found[question] = [hit["text"] for hit in json.loads(capsys.readouterr().out)]
    assert any(text.startswith("Title: Disappointed;") for text in found["spoilt"][:3])
    assert "great product, poor delivery" in found["bad delivery"][0]
    wanted = ("Zatarain", "Fantastic Instant Refried", "first time grinding my own beans")
    assert sum(any(title in text for title in wanted) for text in found["delicious beans"]) >= 2
