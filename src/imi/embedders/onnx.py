"""`onnx:FOLDER`: a transformer without torch, by onnxruntime and the tokenizers library.

The folder is one that sentence-transformers or optimum wrote: a graph, tokenizer.json, and beside them the settings of
pooling, prompts and length, which are followed as the original library would.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi import vectors
from imi.embedders.model_folder import hash_files, needed, prompts_of, read_json, trained_dims
from imi.embedders.onnx_runtime import load_runtime
from imi.embedders.pieces import encodable, threads
from imi.errors import DataError, MissingExtra, UsageError
from imi.progress import Progress
from imi.records import Kind, ModelInfo
from imi.types import Floats

_BATCH_TOKENS = 4096
_POOLINGS = {"cls_token": "cls", "max_tokens": "max", "mean_tokens": "mean", "lasttoken": "last"}


class Onnx:
    """A graph that gives token vectors, pooled here; or one that gives `sentence_embedding` itself."""

    def __init__(self, folder: Path) -> None:
        """Load the graph.

        Raises:
            MissingExtra: onnxruntime or tokenizers is not installed.
            UsageError: there is no such folder; DataError: something of the model is missing in it.
        """
        onnxruntime = load_runtime("onnx")
        try:
            from tokenizers import Tokenizer
        except ImportError as missing:
            raise MissingExtra(str(missing.name), "onnx") from missing
        if not folder.is_dir():
            raise UsageError(
                f"there is no folder {folder}", hint="onnx:FOLDER with model.onnx and tokenizer.json in it"
            )
        graph = needed(folder, "model.onnx", "onnx/model.onnx")
        vocabulary = needed(folder, "tokenizer.json")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads()
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self._inputs = {one.name for one in self._session.get_inputs()}
        outputs = [one.name for one in self._session.get_outputs()]
        self._output = "sentence_embedding" if "sentence_embedding" in outputs else outputs[0]
        self._pooling = "graph" if self._output == "sentence_embedding" else _pooling(folder)
        self._tokenizer: Any = Tokenizer.from_file(str(vocabulary))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        settings = read_json(folder / "config_sentence_transformers.json")
        tokens = read_json(folder / "sentence_bert_config.json").get("max_seq_length")
        self._longest = int(tokens or read_json(folder / "config.json").get("max_position_embeddings") or 512)
        self._prompts = prompts_of(settings)
        width = self._run([self._tokenizer.encode("imi").ids]).shape[1]
        beside = sorted(graph.parent.glob(f"{graph.name}*"))  # large graphs keep their weights in a second file
        self.info = ModelInfo(
            id=f"onnx:{folder.resolve().name}",
            width=width,
            dims=trained_dims(folder, width),
            weights=hash_files(beside),
            pooling=self._pooling,
            tokenizer=hash_files([vocabulary]),
            prompts=self._prompts,
            max_tokens=self._longest,
            source=str(folder),
        )

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind = "document",
        dims: int | None = None,
        *,
        progress: Progress | None = None,
    ) -> Floats:
        """Embed texts as (n, dims) float32 unit rows, with the model's prompt for this kind."""
        prompt = self._prompts.get(kind, "")
        ids = self._ids([prompt + text for text in encodable(texts)])
        out = np.empty((len(ids), self.info.width), np.float32)
        done = 0
        # Texts of like length share a batch, so that little is padding.
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        for rows in _batches(order, ids):
            out[rows] = self._run([ids[row] for row in rows])
            done += len(rows)
            if progress is not None:
                progress(done, len(ids))
        return vectors.truncate(out, self.info.width if dims is None else dims)

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return how many tokens each text has, special ones included, also beyond what the model reads: (n,) int64."""
        counted = self._tokenizer.encode_batch(encodable(texts))
        return np.fromiter((len(one.ids) for one in counted), np.int64, len(texts))

    def _ids(self, texts: list[str]) -> list[list[int]]:
        found = []
        for encoded in self._tokenizer.encode_batch(texts):
            ids: list[int] = encoded.ids
            if len(ids) > self._longest:
                # The tokens that end a text stay at its end.
                ends = sum(encoded.special_tokens_mask[-2:]) if encoded.special_tokens_mask[-1] else 0
                ids = ids[: self._longest - ends] + ids[len(ids) - ends :]
            found.append(ids)
        return found

    def _run(self, ids: list[list[int]]) -> Floats:
        longest = max(1, *map(len, ids))
        table = np.zeros((len(ids), longest), np.int64)
        mask = np.zeros((len(ids), longest), np.int64)
        for row, one in enumerate(ids):
            table[row, : len(one)] = one
            mask[row, : len(one)] = 1
        fed = {"input_ids": table, "attention_mask": mask, "token_type_ids": np.zeros_like(table)}
        (found,) = self._session.run([self._output], {name: fed[name] for name in self._inputs if name in fed})
        return found if found.ndim == 2 else _pool(found, mask, self._pooling)


def _pool(tokens: Floats, mask: NDArray[np.int64], how: str) -> Floats:
    """Return (n, d) of token vectors (n, t, d) and their mask (n, t)."""
    if how == "cls":
        return tokens[:, 0]
    if how == "last":
        return np.asarray(tokens[np.arange(len(tokens)), np.maximum(mask.sum(axis=1) - 1, 0)])
    there = mask[:, :, None].astype(np.float32)
    if how == "max":
        return np.asarray(np.where(there > 0, tokens, -np.inf).max(axis=1))
    return np.asarray((tokens * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1e-9))


def _pooling(folder: Path) -> str:
    modules = folder / "modules.json"
    if modules.is_file() and "Dense" in modules.read_text("utf-8"):
        raise DataError(
            f"{folder} has a Dense layer after pooling, which is not in the graph",
            hint="export the whole model with a sentence_embedding output, or use st:FOLDER",
        )
    settings = read_json(folder / "1_Pooling" / "config.json")
    mode = settings.get("pooling_mode")
    if isinstance(mode, str):
        return {"lasttoken": "last"}.get(mode, mode)
    chosen = [name for key, name in _POOLINGS.items() if settings.get(f"pooling_mode_{key}")]
    if len(chosen) > 1:
        raise DataError(f"{folder} joins several poolings: {', '.join(chosen)}", hint="use st:FOLDER for such a model")
    return chosen[0] if chosen else "mean"


def _batches(order: list[int], ids: list[list[int]]) -> list[list[int]]:
    batches: list[list[int]] = []
    for row in order:
        if not batches or (len(batches[-1]) + 1) * max(1, len(ids[row])) > _BATCH_TOKENS:
            batches.append([])
        batches[-1].append(row)
    return batches
