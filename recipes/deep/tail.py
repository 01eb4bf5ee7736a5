"""The last layers of the encoder in torch, to be trained, from the float weights and back into them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from recipes.deep.graph import Shape

Floats = NDArray[np.float32]
PARTS = ("q", "k", "v", "ao", "fi", "fo")
NORMS = ("aln", "oln")


class Layer(nn.Module):
    """One layer of BERT: attention, then two dense maps, each added to what came in and normalised."""

    def __init__(self, shape: Shape, tensors: Mapping[str, Floats], at: int) -> None:
        super().__init__()
        self.heads, self.eps = shape.heads, shape.eps
        names = [f"{part}.{kind}" for part in (*PARTS, *NORMS) for kind in ("w", "b")]
        self.kept = nn.ParameterDict(
            {name.replace(".", "_"): nn.Parameter(torch.tensor(tensors[f"l{at}.{name}"])) for name in names}
        )

    def _dense(self, x: Tensor, part: str) -> Tensor:
        return functional.linear(x, self.kept[f"{part}_w"], self.kept[f"{part}_b"])

    def _normal(self, x: Tensor, part: str) -> Tensor:
        return functional.layer_norm(x, x.shape[-1:], self.kept[f"{part}_w"], self.kept[f"{part}_b"], self.eps)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """States (b, t, d) and which tokens are there (b, t) → states."""
        b, t, d = x.shape
        q, k, v = (self._dense(x, part).view(b, t, self.heads, -1).transpose(1, 2) for part in ("q", "k", "v"))
        seen = functional.scaled_dot_product_attention(q, k, v, there[:, None, None, :])
        x = self._normal(x + self._dense(seen.transpose(1, 2).reshape(b, t, d), "ao"), "aln")
        return self._normal(x + self._dense(functional.gelu(self._dense(x, "fi")), "fo"), "oln")


class Tail(nn.Module):
    """The last layers, and the mean over a text's tokens."""

    def __init__(self, shape: Shape, tensors: Mapping[str, Floats], first: int) -> None:
        super().__init__()
        self.first = first
        self.layers = nn.ModuleList([Layer(shape, tensors, at) for at in range(first, shape.layers)])

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """States of the layer before (b, t, d) → means of the last one (b, d)."""
        for layer in self.layers:
            x = layer(x, there)
        weights = there.unsqueeze(2).to(x.dtype)
        return (x * weights).sum(1) / weights.sum(1)

    def tensors(self) -> dict[str, Floats]:
        """Return the weights under the names that the graph takes them by."""
        out: dict[str, Floats] = {}
        for at, layer in enumerate(self.layers, self.first):
            for name, value in layer.named_parameters():
                part, kind = name.removeprefix("kept.").split("_")
                out[f"l{at}.{part}.{kind}"] = value.detach().numpy().astype(np.float32)
        return out
