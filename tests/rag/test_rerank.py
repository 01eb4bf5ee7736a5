"""Rerankers: late scoring, a real cross-encoder, and those that other packages bring."""

import sys

import numpy as np
import pytest

import imi
from imi.embedders.testing import HashEmbedder
from imi.errors import DataError, UsageError
from imi.rag.rerank import Late, load_reranker
from imi.rag.retrieve import Retrieval, find_passages
from imi.records import Document
from imi.text.sentences import sentences

TEXTS = [
    "The report is due on 31 March. It goes to the office.",
    "吾輩は猫である。名前はまだ無い。",
    "国境の長いトンネルを抜けると雪国であった。",
    "Beans are delicious.",
]


@pytest.fixture
def notes(tmp_path):
    with imi.open(tmp_path / "n.imi", model=HashEmbedder()) as collection:
        collection.add([Document(str(at), text) for at, text in enumerate(TEXTS)])
        yield collection


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Build a small cross-encoder from a configuration, with weights of its own, and save it."""
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    path = tmp_path_factory.mktemp("cross")
    letters = sorted(set("".join(TEXTS).lower()) | set("abcdefghijklmnopqrstuvwxyz"))
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        num_labels=1,
        initializer_range=0.5,
    )
    BertForSequenceClassification(config).eval().save_pretrained(path)
    BertTokenizerFast({word: at for at, word in enumerate(words)}, do_lower_case=True).save_pretrained(path)
    return path


def test_late_scoring_is_the_nearest_sentence():
    model = HashEmbedder()
    want = [max(imi.similarity("名前はまだ無い", one, model) for one in sentences(text)) for text in TEXTS]
    assert np.allclose(Late(model).score("名前はまだ無い", TEXTS), want, atol=1e-6)


def test_a_cross_encoder_orders_by_what_its_network_says(notes, folder):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    question = "When is the report due?"
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    batch = AutoTokenizer.from_pretrained(folder)([question] * 4, TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        logits = network(**batch).logits[:, 0].numpy()
    assert len(set(logits.round(3))) == 4, "the order is not an accident"
    hits = find_passages(notes, question, Retrieval(k=4, mode="meaning", rerank=f"st:{folder}"))
    assert [int(hit.id) for hit in hits] == np.argsort(-logits).tolist()
    scores = sorted(logits, reverse=True)
    assert np.allclose([hit.score for hit in hits], 1 / (1 + np.exp(-np.array(scores))), atol=1e-4)
    (best,) = find_passages(notes, question, Retrieval(k=1, mode="meaning", rerank=f"st:{folder}"))
    assert best == hits[0], "more passages are ordered than are returned"


def test_a_model_that_is_no_reranker_is_refused(folder, tmp_path):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    with pytest.raises(UsageError, match="imi downloads none"):
        load_reranker(f"st:{tmp_path / 'none'}", HashEmbedder())
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path / "three")
    three = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=3, ignore_mismatched_sizes=True)
    three.save_pretrained(tmp_path / "three")
    with pytest.raises(UsageError, match="3 numbers for a passage"):
        load_reranker(f"st:{tmp_path / 'three'}", HashEmbedder())


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Install a package by hand: a module and the metadata that pip would write."""
    (tmp_path / "acme_rerank.py").write_text(
        "class Shortest:\n"
        "    def __init__(self, name):\n        self.name = name\n\n"
        "    def score(self, question, texts):\n"
        "        return [float('nan') if self.name == 'broken' else -len(text) for text in texts]\n"
    )
    metadata = tmp_path / "acme_rerank-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-rerank\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[imi.rerankers]\nacme = acme_rerank:Shortest\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("acme_rerank", None)


def test_a_package_brings_a_reranker(notes, plugin):
    hits = find_passages(notes, "report", Retrieval(k=4, mode="meaning", rerank="acme:large"))
    assert [hit.text for hit in hits] == sorted(TEXTS, key=len)
    with pytest.raises(DataError, match="Shortest gave scores of the shape"):
        find_passages(notes, "report", Retrieval(mode="meaning", rerank="acme:broken"))
    with pytest.raises(UsageError, match="'acme:NAME'"):
        load_reranker("magic", HashEmbedder())


def test_without_the_package_the_name_is_unknown(notes):
    with pytest.raises(
        UsageError, match="rerank is 'acme:large', allowed are 'auto', 'none', 'late', 'llm', 'st:NAME'"
    ):
        find_passages(notes, "x", Retrieval(rerank="acme:large"))


def test_a_reranker_may_be_given_itself(notes):
    class Longest:
        def score(self, question, texts):
            return [len(text) for text in texts]

    hits = find_passages(notes, "report", Retrieval(k=2, mode="meaning", rerank=Longest()))
    assert [hit.text for hit in hits] == sorted(TEXTS, key=len, reverse=True)[:2]
