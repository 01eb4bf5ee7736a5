"""What each check of the doctor looks at, why it matters and how to mend it: one page of the documentation each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One check: what it looks at, why that matters, and what to do about it."""

    what: str
    why: str
    mend: str


CHECKS = {
    "nan": Check(
        "Rows that hold NaN or infinite values.",
        "A comparison with NaN is never true, so such a row matches nothing, or pushes out everything else.",
        "Embed these rows again, or leave them out. Usually a division by a length of zero made them.",
    ),
    "zero": Check(
        "Rows that are all zeros.",
        "They have no direction, so a cosine with them does not exist.",
        "Embed these rows again, or leave them out. Empty texts are the usual cause.",
    ),
    "unit": Check(
        "Whether all rows have length one.",
        "Dot products are cosines only between rows of length one. A vector that was shortened without being brought "
        "back to length one keeps only part of its true neighbours.",
        "`imi.truncate(z, dims)` shortens and re-normalises; `imi.normalize(z)` mends rows that are there already.",
    ),
    "width": Check(
        "Whether the rows have as many dimensions as the model makes.",
        "A quarter of the width is base64 read as the wrong type; any other width is another model or a cut vector.",
        "Read base64 as little-endian float32, or name the right model. Queries must be shortened as the rows were.",
    ),
    "duplicates": Check(
        "Rows whose vectors are the same to the last bit.",
        "They fill the hits of a search with copies, and make a score on held-out rows look better than it is.",
        "`imi dedupe COLLECTION` lists groups and which row to keep.",
    ),
    "anisotropy": Check(
        "How similar two rows are that have nothing to do with each other.",
        "Where two random rows have a cosine above .5 on average, all vectors lie in a narrow cone, and high scores "
        "mean less than they seem to.",
        "Compare scores of one model among themselves only. `imi doctor` prints a threshold that fits (`related`).",
    ),
    "effective rank": Check(
        "How many directions the rows really use.",
        "Far fewer directions than dimensions: the vectors could be much smaller, or the model collapsed.",
        "Shorten them (`imi migrate --dims`), or look for texts that are nearly all alike.",
    ),
    "constant dimensions": Check(
        "Dimensions that hold the same value in every row.",
        "They take room and tell no two rows apart.",
        "Harmless in small numbers; many point to a wrong export or to a model that was not trained to the end.",
    ),
    "matryoshka": Check(
        "Whether the first dimensions of a vector find the same neighbours as random ones, or better.",
        "Only a model trained for it (Matryoshka) can be shortened by cutting; others' dimensions are in no order.",
        "Where it says no, keep the full width; `imi plan` then learns a rotation for its first rung by itself.",
    ),
    "related": Check(
        "The cosine above which two rows are related rather than chance neighbours.",
        "It differs from model to model; a threshold taken from another model is wrong.",
        "Judge rows against rows by it; a question scores lower: `min_score` is another finding.",
    ),
    "min_score": Check(
        "The score that the best row reaches for half of some seventy questions on other things.",
        "A `min_score` far above it hides rows that do answer; far below it, every question finds something.",
        "Try it as `--mode meaning --min-score`, and go lower where short questions of yours find nothing.",
    ),
    "empty texts": Check(
        "Texts without any character that shows.",
        "Their vectors mean nothing, and yet they are near something.",
        "Leave these rows out.",
    ),
    "repeated texts": Check(
        "Texts that are there more than once.",
        "Copies fill the hits of a search and leak from training rows into test rows.",
        "`imi dedupe COLLECTION` lists groups and which row to keep.",
    ),
    "unfamiliar pictures": Check(
        "Pictures that are unlike the photos, clothing and drawings that the picture tower was trained on.",
        "Charts, scans, X-rays or cells under a microscope are given the names of what they resemble, so that words "
        "find the wrong ones. Likeness still compares them.",
        "Search by a picture, give pictures a caption (`imi.Document(text=…, picture=…)`), or use a model that knows "
        "their like: `imi migrate ALBUM --model clip:NAME`.",
    ),
    "long texts": Check(
        "Texts with more tokens than the model reads.",
        "What comes after the model's limit is ignored, so it cannot be found by meaning.",
        "Add the files with `imi add`, which cuts them into chunks that fit.",
    ),
}
"""By the name that a finding has in `check`."""
