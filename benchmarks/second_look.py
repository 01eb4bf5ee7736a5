"""Fit the weights of the second look (`imi.collection.second_look`) on training questions.

    python benchmarks/second_look.py [--data ../shared/data] [--questions 600] [--model quality]

Articles of JaQuAD's and SQuAD's training parts are added as Markdown with a model that has not learnt their questions;
each question gives the first thirty rows of the fusion, what speaks for each, and which of them are right. The weights
make the right rows likely (the softmax of the weighted sum; both languages count the same). Printed: right in the first
row and in the first five, by the fusion, and by weights fitted without the third of the articles that is asked about;
how often the first row by words or by meaning is right, the most that choosing between them could reach;
then the weights fitted on all, as multiples of the first, which `WEIGHTS` rounds.
"""

import argparse
import tempfile
from pathlib import Path

import documents
import numpy as np
from scipy.optimize import minimize

import imi
import imi.cli
from imi.collection import searching, second_look

THIRDS = 3


class Seen:
    """Takes the place of `looked_at`: keeps what speaks for each row, and leaves the order."""

    def __init__(self) -> None:
        self.signs = np.empty((0, len(second_look.WEIGHTS)))
        self.texts: list[str] = []
        self.firsts: list[str] = []

    def __call__(self, found, question, rows, finer=None):
        """Keep the signs and texts of the first rows."""
        first = [row for row in found.ranking.rows[: second_look.FIRST].tolist() if row in rows and rows[row].text]
        self.texts = [rows[row].text for row in first]
        plain = [second_look.plain_letters(second_look._body(rows[row])) for row in first]
        asked = second_look.QuestionWords.of(question, found.rarity)
        by_words, near = (
            found.text.rows[:1].tolist(),
            found.meaning.rows[found.meaning.scores.argsort()[::-1][:1]].tolist(),
        )
        self.firsts = [rows[row].text for row in (*by_words, *near) if row in rows]
        self.signs = second_look.signs_of(found, asked, np.array(first, np.int64), plain)
        return found.ranking


def gathered(language: str, given: argparse.Namespace) -> tuple[list[tuple[int, np.ndarray, np.ndarray]], float]:
    """Return (third of its article, signs, which are right) for each question, and how often either arm is right."""
    articles, questions = documents.LANGUAGES[language](given.data, "train", given.questions)
    home = {paragraph: at for at, one in enumerate(articles) for paragraph in one.paragraphs}
    seen, out, either = Seen(), [], []
    with tempfile.TemporaryDirectory() as scratch:
        folder, path = Path(scratch) / "articles", Path(scratch) / "c.imi"
        documents.written(articles, "md", folder)
        if imi.cli.main(["add", str(path), str(folder), "-q", "--json", "--model", given.model]):
            raise SystemExit("the articles could not be added")
        with imi.open(path, mode="r") as collection:
            collection.rerank = "none"
            searching.looked_at = seen
            for asked in questions:
                collection.search(asked.text)
                right = np.array([documents.is_right(asked, text) for text in seen.texts])
                either.append(any(documents.is_right(asked, text) for text in seen.firsts))
                out.append((home[asked.paragraph] % THIRDS, seen.signs, right))
    return out, float(np.mean(either))


def fitted(questions: list[tuple[float, np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the weights that make the right rows likeliest; each question comes with what it counts."""

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        total, slope = 0.1 * float(weights @ weights), 0.2 * weights
        for counts, signs, right in questions:
            score = signs @ weights
            likely = np.exp(score - score.max())
            all_, good = likely / likely.sum(), np.where(right, likely, 0) / likely[right].sum()
            total -= counts * float(np.log(likely[right].sum() / likely.sum()))
            slope = slope - counts * ((good - all_) @ signs)
        return total, slope

    first = np.array([10.0, *[0.0] * (len(second_look.WEIGHTS) - 1)])
    return minimize(loss, first, jac=True, method="L-BFGS-B").x


def counted(sets: dict[str, list], kept) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Return the questions whose third is kept and that some row answers, a thousand's worth a language."""
    out = []
    for found in sets.values():
        part = [(signs, right) for third, signs, right in found if kept(third) and right.any()]
        out += [(1000 / len(part), signs, right) for signs, right in part]
    return out


def quality(found: list, weights: dict[int, np.ndarray]) -> tuple[float, float]:
    """Return how often the first row is right, and one of the first five."""
    ranks = []
    for third, signs, right in found:
        order = np.argsort(-(signs @ weights[third]), kind="stable")
        ranks.append(int(np.argmax(right[order])) if right.any() else 1000)
    return float(np.mean(np.array(ranks) < 1)), float(np.mean(np.array(ranks) < 5))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Fit the weights of the second look on training questions.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--questions", type=int, default=600)
    parser.add_argument("--model", default="quality")
    given = parser.parse_args()
    sets, either = {}, {}
    for language in ("ja", "en"):
        sets[language], either[language] = gathered(language, given)
    alone = np.array([1.0, *[0.0] * (len(second_look.WEIGHTS) - 1)])
    by_third = {third: fitted(counted(sets, lambda other, own=third: other != own)) for third in range(THIRDS)}
    for language, found in sets.items():
        before, after = quality(found, dict.fromkeys(range(THIRDS), alone)), quality(found, by_third)
        shipped = quality(found, dict.fromkeys(range(THIRDS), np.array(second_look.WEIGHTS)))
        print(
            f"{language}: fused {before[0]:.3f} {before[1]:.3f}, looked at {after[0]:.3f} {after[1]:.3f}, "
            f"with the weights as shipped {shipped[0]:.3f} {shipped[1]:.3f}, of {len(found)} questions; the first by "
            f"words or by meaning is right for {either[language]:.3f}"
        )
    weights = fitted(counted(sets, lambda third: True))
    print("weights:", " ".join(f"{weight / weights[0]:.2f}" for weight in weights))
