"""The public data sets that train the built-in model, each with its licence: the allow-list, and one reader a set."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from imi.evaluate import splits
from imi.evaluate.splits import read_json_lines, read_lines
from recipes.builtin.corpus import Corpus, Language
from recipes.builtin.spellings import add_variants

ALLOWED = ("CC BY", "CC BY-SA", "CC0", "Unicode", "PSF", "public domain", "MIT", "Apache-2.0")
Reader = Callable[[Path, Corpus], None]


@dataclass(frozen=True, slots=True)
class Source:
    """A data set: what it is called, under which licence, whom to thank, and how to read it into a corpus."""

    name: str
    licence: str
    attribution: str
    read: Reader


def _tsv(path: Path) -> Iterator[list[str]]:
    for line in read_lines(path):
        yield line.split("\t")


def _translations(data: Path, corpus: Corpus) -> None:
    for pair in splits.tatoeba(data).train:
        corpus.pair("translation", corpus.add(pair.en, "en"), corpus.add(pair.ja, "ja"))


def _ami(data: Path, corpus: Corpus) -> None:
    for row in islice(_tsv(data / "parallel_ja_en" / "ami_dev_test.tsv.gz"), 1, None):
        corpus.pair("translation", corpus.add(row[1], "en"), corpus.add(row[2], "ja"))


def _python_docs(data: Path, corpus: Corpus) -> None:
    last: tuple[str, int | None] = ("", None)
    for pair in splits.python_docs(data).train:
        en = corpus.add(pair.en, "en")
        corpus.pair("translation", en, corpus.add(pair.ja, "ja"))
        words = len(pair.en.split())
        # A short line of the documentation is a heading: what follows it tells what it means.
        if words <= 8 and en is not None:
            last = (pair.page, en)
        elif last[0] == pair.page and words >= 12:
            corpus.pair("paraphrase", last[1], en)
            last = ("", None)


def _web_docs(data: Path, corpus: Corpus) -> None:
    for row in _tsv(data / "docs_ja_en" / "web_docs.tsv.gz"):
        corpus.pair("translation", corpus.add(row[1], "en"), corpus.add(row[2], "ja"))


def _tldr(data: Path, corpus: Corpus) -> None:
    for row in _tsv(data / "docs_ja_en" / "tldr.tsv.gz"):
        program, command, english, japanese = (row + [""] * 4)[:4]
        en = corpus.add(english, "en")
        if japanese:
            corpus.pair("translation", en, corpus.add(japanese, "ja"))
        if not command:
            corpus.pair("paraphrase", corpus.add(f"{program}: {english}", "en"), en)


def _jmdict(data: Path, corpus: Corpus) -> None:
    entries: dict[str, list[list[str]]] = defaultdict(list)
    for row in islice(_tsv(data / "jmdict" / "jmdict_en_2025-07.tsv.gz"), 1, None):
        entries[row[0]].append(row)
    readings: dict[str, list[int | None]] = defaultdict(list)
    meanings: dict[int | None, list[int | None]] = {}
    for rows in entries.values():
        common = [row for row in rows if row[4] == "1"]
        senses = rows[0][5].split(" | ")
        first = corpus.add(rows[0][1], "ja")
        glosses = [corpus.add(sense, "en") for sense in (senses if common else senses[:1])]
        for gloss in glosses[:3]:
            corpus.pair("dictionary", first, gloss)
        if not common:
            continue
        words = [corpus.add(word, "en") for word in senses[0].split("; ")[:3]]
        for word in words:
            corpus.pair("dictionary", first, word)
        for row in common:
            headword = corpus.add(row[1], "ja")
            corpus.pair("dictionary", headword, glosses[0])
            meanings.setdefault(headword, words[:2])
            if row[2] != row[1]:
                readings[row[2]].append(headword)
    _readings(corpus, readings, meanings)


def _readings(
    corpus: Corpus, readings: dict[str, list[int | None]], meanings: dict[int | None, list[int | None]]
) -> None:
    """Add each reading in hiragana and katakana as a stand-in for its words: ねこ and ネコ mean 猫."""
    for reading, headwords in readings.items():
        distinct = list(dict.fromkeys(headwords))
        for kana in (to_hiragana(reading), to_katakana(reading)):
            number = corpus.add(kana, "ja")
            corpus.stand_in(number, distinct)
            if len(distinct) == 1 and len(reading) > 1:
                corpus.pair("dictionary", number, distinct[0])
                for word in meanings.get(distinct[0], ()):
                    corpus.pair("dictionary", number, word)


def to_hiragana(text: str) -> str:
    """Return the text with katakana written as hiragana."""
    return "".join(chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" else c for c in text)


def to_katakana(text: str) -> str:
    """Return the text with hiragana written as katakana."""
    return "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in text)


def _wordnet(data: Path, corpus: Corpus) -> None:
    for row in islice(_tsv(data / "wordnet" / "oewn_glosses.tsv.gz"), 1, None):
        definition = corpus.add(row[2], "en")
        members = [corpus.add(word, "en") for word in row[1].split(", ")]
        for word in members[:2]:
            corpus.pair("dictionary", word, definition)
        for word in members[1:3]:
            corpus.pair("dictionary", members[0], word)
        for example in row[3].split(" | "):
            corpus.add(example, "en")


def _sudachi(data: Path, corpus: Corpus) -> None:
    group: list[int] = []
    for row in csv.reader(read_lines(data / "japanese_pairs" / "sudachi_synonyms.csv.gz")):
        if not row:
            group = []
            continue
        number = corpus.add(row[8], "en" if row[8].isascii() else "ja")
        if number is None or row[2] == "2":
            continue
        for other in group[-2:]:
            corpus.pair("dictionary", other, number)
        group.append(number)


def _jaquad(data: Path, corpus: Corpus) -> None:
    paragraphs, questions = splits.jaquad(data, "train")
    _questions(corpus, paragraphs, questions, "ja")
    for paragraph in paragraphs:
        for sentence in paragraph.text.split("。")[:12]:
            if 12 < len(sentence) < 160:
                corpus.add(sentence.strip() + "。", "ja")


def _squad(data: Path, corpus: Corpus) -> None:
    paragraphs, questions = splits.squad(data)
    _questions(corpus, paragraphs.train, questions.train, "en")
    for paragraph in paragraphs.train:
        for sentence in paragraph.text.split(". "):
            if 20 < len(sentence) < 400:
                corpus.add(sentence.strip(), "en")


def _questions(
    corpus: Corpus, paragraphs: tuple[splits.Paragraph, ...], questions: tuple[splits.Question, ...], language: str
) -> None:
    lang: Language = "ja" if language == "ja" else "en"
    numbers = {paragraph.id: corpus.add(paragraph.text, lang) for paragraph in paragraphs}
    for paragraph in paragraphs:
        corpus.pair("paraphrase", corpus.add(paragraph.title, lang), numbers[paragraph.id])
    for question in questions:
        corpus.pair("question", corpus.add(question.text, lang), numbers[question.paragraph_id])


def _wikipedia_ja(data: Path, corpus: Corpus) -> None:
    for row in _tsv(data / "japanese_text" / "wac_wikipedia.tsv.gz"):
        sentences = [corpus.add(sentence, "ja") for sentence in row[1:]]
        if len(sentences) > 2 and len(row[1]) > 12 and len(row[-1]) > 12:
            corpus.pair("paraphrase", sentences[0], sentences[-1])


def _wiki_split(data: Path, corpus: Corpus) -> None:
    for row in _tsv(data / "english_pairs" / "wiki_split.tsv.gz"):
        plain = [part.replace(' " " ', ' "').replace(" ,", ",").replace(" .", ".").strip(' "') for part in row[:3]]
        numbers = [corpus.add(part, "en") for part in plain]
        for half in numbers[1:]:
            corpus.pair("paraphrase", numbers[0], half)


def _lines(folder: str, language: str) -> Reader:
    def read(data: Path, corpus: Corpus) -> None:
        for line in read_lines(data / folder):
            corpus.add(line.strip(' "「」'), "en" if language == "en" else "ja")

    return read


def _intents(data: Path, corpus: Corpus) -> None:
    groups: dict[str, list[int | None]] = defaultdict(list)
    for row in _tsv(data / "queries" / "clinc150.tsv.gz"):
        groups[row[-1]].append(corpus.add(row[0].strip('"'), "en"))
    for request in csv.DictReader(read_lines(data / "english_text" / "banking77_train.csv.gz")):
        groups[request["category"]].append(corpus.add(request["text"], "en"))
    for intent, numbers in groups.items():
        if intent != "oos":
            name = corpus.add(intent.replace("_", " "), "en")
            for number in numbers[::4]:
                corpus.pair("paraphrase", name, number)


def _jcola(data: Path, corpus: Corpus) -> None:
    for row in read_json_lines(data / "japanese_text" / "jcola_train.jsonl.gz"):
        corpus.add(row["sentence"], "ja")


def _jcommonsense(data: Path, corpus: Corpus) -> None:
    for row in read_json_lines(data / "jglue" / "jcommonsenseqa-train.jsonl.gz"):
        question = corpus.add(row["question"], "ja")
        corpus.pair("paraphrase", question, corpus.add(row[f"choice{row['label']}"], "ja"))


def _jglue(data: Path, corpus: Corpus) -> None:
    for pair in splits.jsts(data).train:
        a, b = corpus.add(pair.a, "ja"), corpus.add(pair.b, "ja")
        if pair.score >= 4:
            corpus.pair("paraphrase", a, b)
    for row in read_json_lines(data / "jglue" / "jnli-valid-test-filtered.jsonl.gz"):
        a, b = corpus.add(row["sentence1"], "ja"), corpus.add(row["sentence2"], "ja")
        if row["label"] == "entailment":
            corpus.pair("paraphrase", a, b)


def _snli(data: Path, corpus: Corpus) -> None:
    for row in csv.DictReader(read_lines(data / "cookbook" / "snli_1.0_train_2k.csv.gz")):
        a, b = corpus.add(row["sentence1"], "en"), corpus.add(row["sentence2"], "en")
        if row["gold_label"] == "entailment":
            corpus.pair("paraphrase", a, b)


def _aozora(data: Path, corpus: Corpus) -> None:
    # Souseki and Miyazawa: in the public domain everywhere, which is not so of every author in the folder.
    for work in (
        "neko",
        "bottyan",
        "kokoro",
        "sanshiro",
        "gingatetsudou",
        "tyuumon",
        "serohiki",
        "budori",
        "matasaburou",
    ):
        for line in read_lines(data / "japanese_text" / "aozora" / f"{work}.txt.gz"):
            for sentence in line.replace("　", "").split("。"):
                if 6 < len(sentence) < 80:
                    corpus.add(sentence + "。", "ja")


def _emoji(data: Path, corpus: Corpus) -> None:
    folder = data / "emoji"
    gem = json.loads("\n".join(read_lines(folder / "gemoji.json.gz")))
    extra = {row["emoji"]: [row["description"], *row["tags"]] for row in gem}
    english = json.loads("\n".join(read_lines(folder / "emojilib-en-US.json.gz")))
    for one in splits.emoji(data).train:
        add_emoji(corpus, one, [*extra.get(one.char, []), *english.get(one.char, [])[:4]])


def add_emoji(corpus: Corpus, one: splits.Emoji, extra: list[str]) -> None:
    """Add an emoji as a stand-in for its names (twice) and keywords, and as a pair with each name."""
    names = [corpus.add(one.en, "en"), corpus.add(one.ja, "ja")]
    words = [corpus.add(word.replace("_", " "), "en") for word in (*one.en_keywords[:5], *extra)]
    words += [corpus.add(word, "ja") for word in one.ja_keywords[:5]]
    number = corpus.add(one.char, "emoji")
    corpus.stand_in(number, [*names, *names, *names, *names, *dict.fromkeys(words)])
    corpus.pair("translation", *(names))
    for name in names:
        corpus.pair("dictionary", number, name)


SOURCES = (
    Source("Tatoeba", "CC BY 2.0 FR", "tatoeba.org and manythings.org/anki", _translations),
    Source("AMI meeting parallel corpus", "CC BY 4.0", "Tsuruoka laboratory, The University of Tokyo", _ami),
    Source(
        "Python documentation, English and Japanese",
        "PSF",
        "Python Software Foundation and its translators",
        _python_docs,
    ),
    Source(
        "React, Vue and FastAPI documentation", "CC BY 4.0; FastAPI: MIT", "their authors and translators", _web_docs
    ),
    Source("tldr pages", "CC BY 4.0", "the tldr-pages team", _tldr),
    Source("JMdict", "CC BY-SA 4.0", "Electronic Dictionary Research and Development Group", _jmdict),
    Source("Open English WordNet", "CC BY 4.0", "the Open English WordNet team; Princeton University", _wordnet),
    Source("Sudachi synonym dictionary", "Apache-2.0", "Works Applications", _sudachi),
    Source("JaQuAD, training part", "CC BY-SA 3.0", "Skelter Labs; Wikipedia", _jaquad),
    Source("SQuAD 2.0, part of the development set", "CC BY-SA 4.0", "Rajpurkar and others; Wikipedia", _squad),
    Source("Wikipedia Annotated Corpus", "CC BY-SA 4.0", "Kyoto University; Wikipedia", _wikipedia_ja),
    Source("WikiSplit", "CC BY-SA 4.0", "Botha and others (Google); Wikipedia", _wiki_split),
    Source("Common Voice sentences, English", "CC0", "Mozilla", _lines("english_text/common_voice.txt.gz", "en")),
    Source("Common Voice sentences, Japanese", "CC0", "Mozilla", _lines("japanese_text/common_voice.txt.gz", "ja")),
    Source(
        "A Million News Headlines, the first part",
        "CC0",
        "Australian Broadcasting Corporation; Rohit Kulkarni (Harvard Dataverse)",
        _lines("english_text/abc_headlines.txt.gz", "en"),
    ),
    Source("NLVR2 sentences", "CC BY 4.0", "Suhr and others", _lines("english_text/nlvr2_sentences.txt.gz", "en")),
    Source("CLINC150; Banking77, training part", "CC BY 3.0; CC BY 4.0", "Clinc; PolyAI", _intents),
    Source("JCoLA, training part", "CC BY-SA 4.0", "Someya, Oseki and others", _jcola),
    Source("JCommonsenseQA, training part", "CC BY-SA 4.0", "Yahoo Japan and Waseda University", _jcommonsense),
    Source("JSTS training part; JNLI", "CC BY-SA 4.0", "Yahoo Japan and Waseda University", _jglue),
    Source("SNLI, 2,000 pairs", "CC BY-SA 4.0", "Bowman and others", _snli),
    Source("Aozora Bunko (Souseki, Miyazawa)", "public domain", "Aozora Bunko", _aozora),
    Source("CLDR names and keywords; gemoji, emojilib", "Unicode; MIT", "Unicode, Inc.; GitHub; Mu-An Chiou", _emoji),
)


OWN_VARIANTS = "our own list of spellings and forms"


def read_all(data: Path) -> Corpus:
    """Read every source on the allow-list into one corpus, leaving out what measurements use."""
    corpus = Corpus(banned=splits.evaluation_texts(data))
    for source in SOURCES:
        corpus.reading = source.name
        source.read(data, corpus)
    corpus.reading = OWN_VARIANTS
    add_variants(corpus)
    return corpus
