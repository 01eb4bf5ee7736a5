"""Make the model `deep`: fetch, cut the vocabulary, quantise, train the map and the last layers, write.

    python -m recipes.deep --data ../shared/data [--out src/imi/models/deep] [--scratch build/deep] [--few]

Everything between is kept in the scratch folder, so that a second run goes on where the first one stopped. What comes
of --few stays in a folder there, unless --out says otherwise: never in the package. Afterwards
`python -m recipes.pictures --names` says what the picture tower's words are in the new space.
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
    parser.add_argument("--out", type=Path, help="src/imi/models/deep")
    parser.add_argument("--scratch", type=Path, default=Path("build/deep"))
    parser.add_argument("--few", action="store_true", help="a hundredth of the texts, to see that it runs")
    given = parser.parse_args()
    work = given.scratch / "few" if given.few else given.scratch
    out: Path = given.out or (work / "model" if given.few else Path("src/imi/models/deep"))
    torch.manual_seed(0)
    weights, tokenizer = source.fetch(given.scratch)
    read = source.read(weights)
    listed = given.scratch / "kept.json"
    if not listed.is_file():
        listed.write_text(json.dumps(vocabulary.kept_pieces(tokenizer, given.data)))
    kept: list[int] = json.loads(listed.read_text())
    rows = read.rows[np.array(kept)]
    say(f"{len(kept):,} of {len(read.rows):,} pieces kept")
    for folder in (work, out):
        folder.mkdir(parents=True, exist_ok=True)
    vocabulary.write_pieces(tokenizer, kept, out / "pieces.model")
    pieces = Pieces(out / "pieces.model")
    reach = [one.few() if given.few else one for one in (texts.FOR_THE_MAP, texts.FOR_THE_LAYERS)]
    gathered = texts.gather(given.data, reach[0])
    means = states.means(read, rows, pieces, gathered, work / "means.npy")
    trainer = learn.Trainer(means, gathered, learn.Settings())
    trainer.train()
    made = trainer.turned(learn.TURN)
    settings = tune.FEW if given.few else tune.Settings()
    gathered = texts.gather(given.data, reach[1])
    seen = states.seen(read, rows, pieces, gathered, work, settings.first)
    tail = Tail(states.shape_of(read), read.tensors, settings.first)
    tuner = tune.Tuner(seen, gathered, tail, made, settings)
    tuner.train(work / "tuned.pt")
    pack.write(out, replace(read, tensors=read.tensors | tail.tensors()), rows, tuner.turned(learn.TURN))


if __name__ == "__main__":
    main()
