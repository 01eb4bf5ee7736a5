"""Make the model `deep`: fetch, cut the vocabulary, quantise, train the map and the last layers, write.

    python -m recipes.deep --data ../shared/data [--out src/imi/models/deep] [--scratch build/deep] [--few]

Everything between is kept in the scratch folder, so that a second run goes on where the first one stopped.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from imi.embedders.pieces import Pieces
from recipes.deep import learn, pack, source, states, texts, tune, vocabulary
from recipes.deep.tail import Tail
from recipes.progress import say


def main() -> None:
    """Run all steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("src/imi/models/deep"))
    parser.add_argument("--scratch", type=Path, default=Path("build/deep"))
    parser.add_argument("--few", action="store_true", help="a hundredth of the texts, to see that it runs")
    given = parser.parse_args()
    torch.manual_seed(0)
    weights, tokenizer = source.fetch(given.scratch)
    read = source.read(weights)
    listed = given.scratch / "kept.json"
    if not listed.is_file():
        listed.write_text(json.dumps(vocabulary.kept_pieces(tokenizer, given.data)))
    kept: list[int] = json.loads(listed.read_text())
    rows = read.rows[np.array(kept)]
    say(f"{len(kept):,} of {len(read.rows):,} pieces kept")
    given.out.mkdir(parents=True, exist_ok=True)
    vocabulary.write_pieces(tokenizer, kept, given.out / "pieces.model")
    pieces = Pieces(given.out / "pieces.model")
    reach = [one.few() if given.few else one for one in (texts.FOR_THE_MAP, texts.FOR_THE_LAYERS)]
    gathered = texts.gather(given.data, reach[0])
    means = states.means(read, rows, pieces, gathered, given.scratch / "means.npy")
    trainer = learn.Trainer(means, gathered, learn.Settings())
    trainer.train()
    made = trainer.turned(learn.TURN)
    settings = tune.FEW if given.few else tune.Settings()
    gathered = texts.gather(given.data, reach[1])
    seen = states.seen(read, rows, pieces, gathered, given.scratch, settings.first)
    tail = Tail(states.shape_of(read), read.tensors, settings.first)
    tuner = tune.Tuner(seen, gathered, tail, made, settings)
    tuner.train(given.scratch / "tuned.pt")
    pack.write(given.out, replace(read, tensors=read.tensors | tail.tensors()), rows, tuner.turned(learn.TURN))


if __name__ == "__main__":
    main()
