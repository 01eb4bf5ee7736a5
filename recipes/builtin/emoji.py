"""Fit the rows of emoji to the names that the trained model itself knows, after everything else is fixed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as f
from torch import Tensor

from imi.embedders.pieces import Pieces
from imi.evaluate.splits import Emoji
from imi.train.prepared import split_all
from imi.train.student import DIMS, Student
from recipes.builtin.vocabulary import emoji_pieces


def fold_in(student: Student, emoji: Sequence[Emoji], pieces: Pieces, *, steps: int = 120) -> int:
    """Move the rows of emoji towards the model's own vectors of their names; no other number of the model moves.

    Args:
        student: the trained model; rows are changed in place.
        emoji: those to fit; sequences share the rows of their members.
        pieces: the vocabulary.
        steps: of Adam, on all of them at once.

    Returns:
        How many rows were fitted.
    """
    own = [pieces.processor.piece_to_id(piece) for piece in emoji_pieces(one.char for one in emoji)]
    ids, offsets = split_all(pieces, [one.char for one in emoji])
    fits = [at for at in range(len(emoji)) if np.isin(ids[offsets[at] : offsets[at + 1]], own).any()]
    if not fits:
        return 0
    ids, offsets = split_all(pieces, [emoji[at].char for at in fits])
    english = _vectors(student, pieces, [emoji[at].en or emoji[at].ja for at in fits])
    japanese = _vectors(student, pieces, [emoji[at].ja or emoji[at].en for at in fits])
    fixed = student.rows.clone()
    mine = torch.zeros(len(fixed), dtype=torch.bool)
    mine[torch.tensor(own)] = True
    right = torch.arange(len(fits))
    for step in range(steps):
        out, numbers, read = student.forward(ids, offsets[:-1])
        total = torch.zeros(())
        for dims in DIMS:
            unit = f.normalize(out[:, :dims], dim=1)
            for names in (english, japanese):
                goal = f.normalize(names[:, :dims], dim=1)
                total = total + 1 - (unit * goal).sum(1).mean()
                if dims in (64, 512):
                    total = total + 0.3 * f.cross_entropy(20 * unit @ goal.T, right)
        total.backward()
        student.step(numbers, read, 2e-2 * (1 - step / steps), 0.0)
        student.rows = torch.where(mine[:, None], student.rows, fixed)
    return len(own)


def _vectors(student: Student, pieces: Pieces, texts: list[str]) -> Tensor:
    ids, offsets = split_all(pieces, texts)
    with torch.no_grad():
        return student.forward(ids, offsets[:-1])[0]
