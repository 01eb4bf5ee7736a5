"""Classification: train a head on labelled vectors, say how well it does on held-out ones, and use it on new ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.figures import draw_confusion, save_figure
from imi.tasks.certainty import Certainty, certainty_of
from imi.tasks.classifier_heads import ClassifierHead, Kind, as_labels, train_head
from imi.tasks.intervals import Interval, bootstrap, wilson
from imi.tasks.neighbours import copies_of
from imi.tasks.plain import commonest, has_words, no_words, words_labels
from imi.tasks.report import Findings, Phrase, Reported, ReportTable, confusion_table, span, worst_table
from imi.tasks.rows import Rows, check_share, check_varied, is_collection, read_rows
from imi.types import Floats

Codes = NDArray[np.int64]
Method = Literal["vectors", "words", "commonest"]
METHODS: tuple[Method, ...] = get_args(Method)
NAMES = {
    "vectors": Phrase("vectors", "ベクトル"),
    "words": Phrase("TF-IDF and logistic regression", "TF-IDF とロジスティック回帰"),
    "commonest": Phrase("always the commonest label", "常に最多のラベル"),
    "descriptions": Phrase("nearest descriptions", "最も近い説明文"),
    "rows": Phrase("what the surest rows teach", "確信度の高い行から学習"),
    "shared words": Phrase("words shared with the descriptions", "説明文と共通する単語"),
}


@dataclass(frozen=True)
class PlainAnswer:
    """How often a plain method was right on the same rows, and by how much that is more than ours, with 95 %."""

    method: str
    accuracy: float
    macro_f1: float
    ahead: float
    interval: Interval

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return {
            "method": self.method,
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "ahead": self.ahead,
            "interval": list(self.interval),
        }


@dataclass(frozen=True)
class Classification(Reported):
    """How well labels were predicted on the n held-out rows, and the head, trained afterwards on all rows.

    confusion: (c, c) counts, rows the truth, columns the prediction, in the order of `labels`. interval: 95 % of the
    accuracy. baselines: the plain methods on the same rows, the best first. worst: the surest wrong answers, as (id,
    text, true, predicted, confidence). certainty: how often answers of a confidence are right.
    """

    accuracy: float
    macro_f1: float
    interval: Interval
    labels: tuple[Any, ...]
    confusion: NDArray[np.int64]
    n: int
    head: ClassifierHead
    baselines: tuple[PlainAnswer, ...] = ()
    worst: tuple[tuple[Any, ...], ...] = ()
    method: str = "vectors"
    certainty: Certainty | None = None

    def predict(self, z: Any) -> NDArray[Any]:
        """Return the label of each vector, (n,)."""
        return self.head.predict(z)

    def findings(self) -> Findings:
        """Return the figures beside the plain methods', the confusion and the surest mistakes."""
        says = [judged_of(self.n)]
        if self.baselines and self.method == "vectors":
            says.append(beside(self.baselines[0], METHODS))
        metrics = metrics_table(self.method, self.accuracy, self.macro_f1, self.interval, self.baselines)
        tables = (metrics, *prediction_tables(self.confusion, self.labels, self.certainty, self.worst))
        return Findings(Phrase("Classification", "分類"), tuple(says), tables)

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return {
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "interval": list(self.interval),
            "labels": list(self.labels),
            "confusion": self.confusion.tolist(),
            "n": self.n,
            "baseline": self.baselines[0].to_dict() if self.baselines else None,
            "baselines": [one.to_dict() for one in self.baselines],
            "certainty": None if self.certainty is None else self.certainty.to_dict(),
        }

    def figure(self, path: str | Path) -> None:
        """Draw the confusion matrix."""
        title = f"accuracy {self.accuracy:.3f} ({self.interval[0]:.3f} to {self.interval[1]:.3f}), n = {self.n}"
        save_figure(draw_confusion(self.confusion, [str(label) for label in self.labels], title), path)


def classify(
    data: Any,
    labels: Sequence[Any] | str,
    head: Kind = "kernel",
    test: float = 0.2,
    seed: int = 0,
    dims: int | None = None,
    *,
    sentences: bool | None = False,
    texts: Sequence[str] | None = None,
    method: Method = "vectors",
) -> Classification:
    """Train on a part of labelled rows, predict the rest, and report beside the plain ways of doing it.

    Args:
        data: (n, d) vectors, or a collection.
        labels: n labels; for a collection, the column that holds them. Rows labelled None are left out.
        head: "kernel" (bends where labels do), "logistic" (regularised, softmax) or "knn" (votes weighted by cosine).
        test: share of the rows held out, drawn by label in proportion where each label has two rows or more; copies
            of a row stay on one side.
        seed: of the split.
        dims: leading dimensions of each vector to use.
        sentences: read a collection's texts also sentence by sentence (`imi.tasks.parts`): better where they are long.
            None: where that pays.
        texts: n texts for an array, for the baseline by words; a collection brings its own.
        method: "vectors", or a plain one: "words" (TF-IDF and logistic regression) or "commonest".

    Raises:
        UsageError: fewer than two labels, as many labels as rows, one vector for all rows, an unknown column, a share
            outside 0 to 1, an unknown method, "words" without texts.
        MissingExtra: the logistic head, or "words", without scikit-learn.
    """
    if method not in METHODS:
        raise UsageError(f"method is {method!r}, allowed are {', '.join(METHODS)}")
    rows = read_rows(data, dims, texts, sentences=sentences)
    given = rows.column(labels) if isinstance(labels, str) else labels
    z, codes, names = labelled(rows.z, given)
    rows = rows.take(np.array([plain_label(label) is not None for label in given], dtype=bool))
    check_varied(z, "classification")
    train, held = split_rows(codes, check_share(test, "test"), seed, copies_of(z)[1])
    judged = train_head(z[train], codes[train], names, head, seed=seed)
    confidences = judged.confidences(z[held])
    said = {"vectors": confidences.argmax(axis=1), "commonest": commonest(codes, train, held)}
    if rows.texts is not None and has_words(rows.texts):
        said["words"] = words_labels(rows.texts, codes, train, held)
    elif method == "words":
        no_words(rows)
    confusion, right = _counted(codes[held], said[method], len(names))
    final = train_head(z, codes, names, head, seed=seed)
    if is_collection(data):
        final = replace(with_model(final, data), sentences=rows.parts)
    sure = confidences.max(axis=1) * (method == "vectors")
    return Classification(
        *(float(right.mean()), macro_f1(confusion), wilson(int(right.sum()), len(held)), tuple(names), confusion),
        *(len(held), final, plain_answers(said, method, codes[held], len(names), seed)),
        surest_wrong(rows, held, codes[held], said[method], sure, names),
        method,
        certainty_of(confidences.max(axis=1), right) if method == "vectors" else None,
    )


def _counted(truth: Codes, said: Codes, count: int) -> tuple[Codes, NDArray[np.bool_]]:
    """Return the confusion matrix, and whether each answer is right."""
    confusion = np.zeros((count, count), np.int64)
    np.add.at(confusion, (truth, said), 1)
    return confusion, truth == said


def plain_answers(
    said: Mapping[str, Codes], method: str, truth: Codes, count: int, seed: int
) -> tuple[PlainAnswer, ...]:
    """Return the plain methods, the best first, with how far each is ahead of the answers of `method`."""
    own = truth == said[method]
    found = []
    for name, answers in said.items():
        if name != method and name != "vectors":
            confusion, right = _counted(truth, answers, count)
            gained = right.astype(np.float64) - own
            found.append(
                PlainAnswer(
                    name, float(right.mean()), macro_f1(confusion), float(gained.mean()), bootstrap(gained, seed=seed)
                )
            )
    return tuple(sorted(found, key=lambda one: -one.accuracy))


def surest_wrong(
    rows: Rows, held: Codes, truth: Codes, said: Codes, sure: Floats, names: Sequence[Any], most: int = 8
) -> tuple[tuple[Any, ...], ...]:
    """Return (id, text, true, predicted, confidence) of the wrong answers that were given most surely."""
    wrong = np.flatnonzero(truth != said)
    text_of = rows.texts or [""] * len(rows)
    found: dict[Any, tuple[Any, ...]] = {}  # copies of a text are one mistake
    for at in wrong[np.argsort(-sure[wrong], kind="stable")]:
        row = held[at]
        result = rows.ids[row], text_of[row], names[truth[at]], names[said[at]], float(sure[at]) or None
        found.setdefault(text_of[row] or row, result)
        if len(found) == most:
            break
    return tuple(found.values())


def judged_of(n: int) -> Phrase:
    """Return the sentence on how many rows the figures are of, and how far that can be trusted."""
    few = " – few: a difference of less than ten points says nothing" if n < 100 else ""
    little = "（少数なので、10 ポイント未満の差に意味はありません）" if n < 100 else ""
    return Phrase(f"judged on {n} rows that were held out{few}", f"学習に使わなかった {n} 件で評価{little}")


def beside(best: PlainAnswer, methods: Sequence[str] = ()) -> Phrase:
    """Return the sentence on the best plain method; `methods` are those that the task can use instead."""
    name = NAMES[best.method]
    low, high = best.interval
    ahead = f"{best.ahead:+.3f} ({low:+.3f} to {high:+.3f})"
    if best.ahead > 0:
        sure = "is better here" if low > 0 else "is not worse here"
        use = f"; --method {best.method} uses it" if best.method in methods else ""
        return Phrase(
            f"baseline: {name.en} {sure}: {best.accuracy:.3f}, {ahead}{use}",
            f"ベースライン：{name.ja}のほうが高く {best.accuracy:.3f}、差 {best.ahead:+.3f}（{low:+.3f}〜{high:+.3f}）"
            + (f"。--method {best.method} で使えます" if best.method in methods else ""),
        )
    return Phrase(
        f"baseline: {name.en} gets {best.accuracy:.3f}, {ahead}",
        f"ベースライン：{name.ja} {best.accuracy:.3f}、差 {best.ahead:+.3f}（{low:+.3f}〜{high:+.3f}）",
    )


def metrics_table(
    method: str, accuracy: float, f1: float, interval: Interval, baselines: Sequence[PlainAnswer]
) -> ReportTable:
    """Return accuracy and macro F1 of this method and of the plain ones."""
    rows: list[list[Any]] = [[NAMES[method], accuracy, span(*interval), f1]]
    rows += [[NAMES[one.method], one.accuracy, "", one.macro_f1] for one in baselines]
    columns = (
        Phrase("method", "方法"),
        Phrase("accuracy", "正解率"),
        Phrase("95 %", "95% 信頼区間"),
        Phrase("macro F1", "マクロ F1"),
    )
    return ReportTable(columns, rows)


def prediction_tables(
    confusion: Any, labels: Sequence[Any], certainty: Certainty | None, worst: Sequence[Sequence[Any]]
) -> Iterator[ReportTable]:
    """Yield what is mixed up, how often answers of a confidence are right, and the surest wrong ones."""
    yield confusion_table(confusion, labels)
    if certainty is not None:
        yield certainty.table()
    if worst:
        yield worst_table(worst)


def labelled(z: Floats, labels: Sequence[Any] | NDArray[Any]) -> tuple[Floats, Codes, list[Any]]:
    """Return the rows that have a label, their codes, and the labels in sorted order.

    Raises:
        UsageError: the numbers of labels and rows differ, or what is left cannot be told apart or learned.
    """
    if len(labels) != len(z):
        raise UsageError(
            f"there are {len(labels)} labels for {len(z)} vectors",
            hint="give one label a row, None where it is unknown",
        )
    values = as_labels([plain_label(label) for label in labels])
    known = np.array([value is not None for value in values], dtype=bool)
    names = sorted(set(values[known]), key=lambda value: (str(type(value)), value))
    if len(names) < 2:
        found = f"only {names[0]!r}" if names else "none"
        raise UsageError(f"two labels or more are needed, there is {found} in {int(known.sum())} labelled rows")
    if len(names) > known.sum() / 2:
        raise UsageError(
            f"there are {len(names)} different labels in {int(known.sum())} rows: too few rows a label to learn from",
            hint="imi regress predicts numbers; a column of ids or of free text is not a label",
        )
    place = {name: at for at, name in enumerate(names)}
    return z[known], np.array([place[value] for value in values[known]], dtype=np.int64), names


def plain_label(label: Any) -> Any:
    """Return a label as a Python str, int, float or bool; None for what counts as missing.

    Raises:
        UsageError: the label is a list or another value that is not a label.
    """
    value = label.item() if isinstance(label, np.generic) else label
    if value is None or value == "" or (isinstance(value, float) and np.isnan(value)):
        return None
    if not isinstance(value, str | int | float | bool):
        raise UsageError(f"a label is {value!r}, allowed are texts, numbers and truth values")
    return value


def split_rows(
    codes: Codes, test: float, seed: int, same: Codes | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows to train on and those held out, by label in proportion; a label with one row trains.

    Args:
        codes: (n,) labels.
        test: share held out.
        seed: of the order.
        same: (n,) numbers that copies of a row share; they stay on one side.

    Raises:
        UsageError: nothing would be held out or trained on.
    """
    sets = np.arange(len(codes)) if same is None else same
    first, place = np.unique(sets, return_index=True, return_inverse=True)[1:]
    held = _held(codes[first], test, seed)[place.ravel()]
    if not held.any() or held.all():
        raise UsageError(f"test={test} of {len(codes)} rows leaves nothing to test or to train on")
    return np.flatnonzero(~held), np.flatnonzero(held)


def _held(codes: Codes, test: float, seed: int) -> NDArray[np.bool_]:
    """Return which of n sets of copies are held out.

    Within each label every (1/test)-th in shuffled order is; a running offset keeps the total at the share asked for.
    """
    order = np.random.default_rng(seed).permutation(len(codes))
    held = np.zeros(len(codes), dtype=bool)
    owed = 0.0
    for code in np.unique(codes):
        rows = order[codes[order] == code]
        exact = len(rows) * test + owed
        take = min(int(np.floor(exact + 0.5)), len(rows) - 1)
        owed = exact - take
        held[rows[:take]] = True
    return held


def macro_f1(confusion: NDArray[np.int64]) -> float:
    """Return the mean over labels of F1; labels that are neither true nor predicted anywhere are left out."""
    right = np.diag(confusion).astype(np.float64)
    seen = confusion.sum(axis=0) + confusion.sum(axis=1)
    return float((2 * right[seen > 0] / seen[seen > 0]).mean())


def with_model(head: ClassifierHead, collection: Any) -> ClassifierHead:
    """Return the head marked with the fingerprint of the collection's model, to refuse another model's vectors."""
    return replace(head, model=collection.info.fingerprint or "")
