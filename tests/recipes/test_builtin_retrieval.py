"""The second lesson: what it reads, that a turn of the space is a product with one matrix, that it goes on."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from tests.needs import needs

from imi.embedders.builtin import FOLDER, BuiltIn
from imi.errors import UsageError

pytestmark = needs("torch")


def setup_module():
    global torch, LESSON
    global retrieval
    global Asked, cloze, glossed
    global begin
    global Lesson, Reader, Trainer, goals, learn, rounding, turn
    import torch
    from recipes.builtin import retrieval
    from recipes.builtin.asked import Asked, cloze, glossed
    from recipes.builtin.lessons import begin
    from recipes.builtin.retrieval import Lesson, Reader, Trainer, goals, learn, rounding, turn

    LESSON = Lesson(steps=100, warmup=2, kept=32)


WORDS = (
    *("cat", "dog", "house", "river", "mountain", "train", "bread", "music", "winter"),
    *("猫", "犬", "家", "川", "山", "電車", "音楽", "庭"),
)


@pytest.fixture(scope="module")
def model() -> BuiltIn:
    return BuiltIn()


def small() -> Asked:
    out, chance = Asked(), np.random.default_rng(0)

    def text(words: int) -> str:
        return " ".join(chance.choice(WORDS, words))

    for kind in (*retrieval.ASKED, *retrieval.PAIRED):
        out.put(kind, [(text(4), text(30)) for _ in range(40)])
    out.scored = np.array([(out.add(text(5)), out.add(text(5))) for _ in range(60)])
    out.scores = chance.random(60).astype(np.float32) * 5
    out.keep = np.array([out.add(text(6)) for _ in range(300)])
    return out


@pytest.fixture(scope="module")
def reader(model) -> Reader:
    return Reader(model, small(), 0)


def test_a_sentence_is_asked_for_the_rest_of_its_paragraph():
    text = "The first sentence of it. The second sentence of it. The third sentence of it"
    assert list(cloze(text, ". "))[1] == (
        "The second sentence of it.",
        "The first sentence of it. The third sentence of it",
    )
    assert list(cloze("Only one sentence is here. And another", ". ")) == []


def test_a_question_is_told_word_by_word_where_enough_words_are_known(model):
    pieces = model._pieces.processor.encode("音楽 電車 世界", out_type=str)
    known = {one.lstrip("▁"): f"word{at}" for at, one in enumerate(pieces) if one != "▁"}
    assert glossed("音楽 電車 世界", known, model._pieces) == " ".join(known.values())
    assert glossed("音楽 電車 世界", dict(list(known.items())[:1]), model._pieces) == ""


def test_no_text_loses_all_its_pieces(reader):
    texts = np.arange(20)
    ids, starts = reader.tokens(texts, 0.9)
    whole, _ = reader.tokens(texts)
    assert len(ids) < len(whole)
    assert np.diff([*starts, len(ids)]).min() >= 2


def test_a_turned_student_gives_the_vectors_times_the_matrix(model, reader):
    student = begin(model, model.repeats)
    texts = np.arange(60)
    before = torch.nn.functional.normalize(student.forward(*reader.tokens(texts))[0], dim=1).detach().numpy()
    np.testing.assert_allclose(before, model.embed([reader.asked.texts[at] for at in texts]), atol=2e-3)
    matrix = rounding(student, reader, LESSON)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-4)
    turn(student, matrix)
    after = torch.nn.functional.normalize(student.forward(*reader.tokens(texts))[0], dim=1).detach().numpy()
    want = before @ matrix
    want /= np.linalg.norm(want, axis=1, keepdims=True)
    assert (after * want).sum(axis=1).min() > 0.98


def test_the_lesson_teaches_and_goes_on_where_it_was_stopped(model, reader, tmp_path):
    def run(folder, *stops):
        folder.mkdir()
        for steps in stops:
            student = begin(model, 0.75)
            goal = goals(student, reader, np.eye(512, dtype=np.float32))
            Trainer(student, reader, goal, Lesson(steps=steps, warmup=1, kept=32)).train(folder / "s.pt", print)
        shutil.rmtree(folder)  # 300 MB, where temporary files may lie in memory
        return student

    whole = run(tmp_path / "a", 2)
    again = run(tmp_path / "b", 2)
    assert torch.equal(whole.rows, again.rows)
    resumed = run(tmp_path / "c", 2, 2)
    assert torch.equal(whole.rows, resumed.rows)
    assert not torch.equal(whole.rows, begin(model, 0.75).rows)
    assert resumed.steps == 2


def test_a_model_is_taught_once_and_says_so(monkeypatch, tmp_path):
    few = small()
    monkeypatch.setattr(retrieval, "gather", lambda *_, **__: few)
    start = tmp_path / "start"
    start.mkdir()
    for file in FOLDER.iterdir():
        if file.is_file():
            (start / file.name).write_bytes(file.read_bytes())
    about = (start / "model.json").read_text()
    plain = json.loads(about)
    plain.pop("repeats", None)
    (start / "model.json").write_text(json.dumps(plain))
    learn(start, tmp_path / "out", tmp_path, tmp_path, Lesson(steps=1, kept=16), print)
    made = BuiltIn(tmp_path / "out")
    assert made.repeats == 0.75
    assert made.info.weights != plain["weights"]
    assert np.load(tmp_path / "space.npy").shape == (512, 512)
    with pytest.raises(UsageError, match="has had this lesson"):
        learn(tmp_path / "out", tmp_path / "twice", tmp_path, tmp_path, Lesson(steps=1), print)
