"""Rows with the labels that were given to them, and how many got each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from imi.tasks.report import Findings, Phrase, Reported, ReportTable
from imi.types import Floats


@dataclass(frozen=True)
class LabelledRows(Reported):
    """n rows: ids, labels (None where none was given), confidences (n,) and texts (or none)."""

    ids: tuple[str, ...]
    labels: tuple[Any, ...]
    confidence: Floats
    texts: tuple[str, ...] = ()

    def to_dict(self) -> list[dict[str, Any]]:
        """Return one dict a row."""
        return [
            {"id": one, "label": label, "confidence": float(sure)}
            for one, label, sure in zip(self.ids, self.labels, self.confidence, strict=True)
        ]

    def findings(self) -> Findings:
        """Return how many rows got each label, and the rows with their texts."""
        counts = Counter("–" if label is None else str(label) for label in self.labels)
        totals = ", ".join(f"{label} {count}" for label, count in counts.most_common())
        says = [Phrase(f"{len(self.ids)} rows: {totals}", f"{len(self.ids)} 件：{totals}")]
        if counts["–"]:
            says.append(Phrase("–: not sure enough to say", "–：確信度が足りないため判定なし"))
        texts = self.texts or ("",) * len(self.ids)
        rows = [list(one) for one in zip(self.ids, self.labels, map(float, self.confidence), texts, strict=True)]
        columns = (
            Phrase("id", "ID"),
            Phrase("label", "ラベル"),
            Phrase("confidence", "確信度"),
            Phrase("text", "テキスト"),
        )
        return Findings(Phrase("Labels", "ラベル"), tuple(says), (ReportTable(columns, rows),))
