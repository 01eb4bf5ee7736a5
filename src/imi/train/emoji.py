"""Give the emoji that were held out from training their rows, after everything else is measured and fixed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as f

from imi.embedders.pieces import Pieces
from imi.train.corpus import Corpus
from imi.train.prepared import Floats, split_all, substitute
from imi.train.sources import add_emoji
from imi.train.splits import Emoji
from imi.train.student import DIMS, Student
from imi.train.teachers import Remembered
from imi.train.vocabulary import emoji_pieces


def fold_in(
    student: Student, held: Sequence[Emoji], pieces: Pieces, teacher: Remembered, turn: Floats, *, steps: int = 150
) -> int:
    """Fit the rows of held-out emoji to the meaning of their names; no other number of the model moves.

    Args:
        student: the trained model; rows are changed in place.
        held: the emoji that training did not see.
        pieces: the vocabulary.
        teacher: gives the vectors of the names.
        turn: (512, 512), the rotation of the teacher's space.
        steps: of Adam, on all of them at once.

    Returns:
        How many rows were fitted.
    """
    corpus = Corpus()
    for one in held:
        add_emoji(corpus, one, [])
    vectors = teacher.vectors(corpus.texts)
    substitute(vectors, corpus)
    own = [pieces.processor.piece_to_id(piece) for piece in emoji_pieces(one.char for one in held)]
    chosen = [at for at, language in enumerate(corpus.languages) if language == "emoji"]
    ids, offsets = split_all(pieces, [corpus.texts[at] for at in chosen])
    fits = [row for row in range(len(chosen)) if np.isin(ids[offsets[row] : offsets[row + 1]], own).any()]
    if not fits:
        return 0
    ids, offsets = split_all(pieces, [corpus.texts[chosen[row]] for row in fits])
    goal = torch.from_numpy(vectors[[chosen[row] for row in fits]].astype(np.float32) @ turn)
    fixed = student.rows.clone()
    mine = torch.zeros(len(fixed), dtype=torch.bool)
    mine[torch.tensor(own)] = True
    for step in range(steps):
        out, numbers, read = student.forward(ids, offsets[:-1])
        apart = [1 - (f.normalize(out[:, :m], dim=1) * f.normalize(goal[:, :m], dim=1)).sum(1).mean() for m in DIMS]
        torch.stack(apart).sum().backward()
        student.step(numbers, read, 2e-2 * (1 - step / steps), 0.0)
        student.rows = torch.where(mine[:, None], student.rows, fixed)
    return len(own)
