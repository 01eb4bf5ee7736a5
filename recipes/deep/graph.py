"""The encoder as an ONNX graph for onnxruntime: int8 weights, and activations quantised by the token.

Quantising a whole batch by one range, as the usual dynamic quantisation does, lets the texts of a batch change each
other's vectors. Here each token has a range of its own, so that a text's vector is the same alone and in any batch, and
closer to float32. Attention, bias and normalisation are onnxruntime's fused operators.

    rows (b, t, d) float32 + mask (b, t) int32  →  mean of the last layer over each text's tokens (b, d) float32
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from recipes.onnx_builder import GraphBuilder

Floats = NDArray[np.float32]
MICROSOFT = "com.microsoft"
OPSET = 17
_LEVELS = 127
# Seven bits for weights: two products of eight bits each overflow sixteen on processors without VNNI, and the weights,
# which have four bits where they come from, lose nothing (mean cosine to float32 .9983, .9986 with eight).
_WEIGHT_LEVELS = 63
_MIDDLE = 128


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a BERT encoder."""

    width: int
    layers: int
    heads: int
    eps: float


class Builder(GraphBuilder):
    """Adds what the encoder is made of."""

    def quantised(self, x: str, out: str) -> tuple[str, str]:
        """Quantise the rows of x (n, k) to uint8 around 128, each by its own largest value; return them and scales."""
        high = self.node("ReduceMax", [x], f"{out}.high", axes=[1], keepdims=0)
        low = self.node("ReduceMin", [x], f"{out}.low", axes=[1], keepdims=0)
        far = self.node("Max", [high, self.node("Neg", [low], f"{out}.down"), "tiny"], f"{out}.far")
        scale = self.node("Mul", [far, "level"], f"{out}.scale")
        whole = self.node("QuantizeLinear", [x, scale, "points"], f"{out}.whole", axis=0)
        return whole, self.node("Unsqueeze", [scale, "last"], f"{out}.scales")

    def dense(self, x: tuple[str, str], weight: Floats, out: str) -> str:
        """Multiply quantised rows (n, k) by a weight (m, k); the bias is left to what follows."""
        scale = np.abs(weight).max(axis=1) / _WEIGHT_LEVELS
        whole = np.rint(weight / np.maximum(scale, 1e-12)[:, None]).astype(np.int8)
        table = self.weight(f"{out}.w", whole.T)
        scales = self.weight(f"{out}.s", scale.astype(np.float32))
        inputs = [x[0], table, "one", scales, "point", ""]
        product = self.node("MatMulIntegerToFloat", inputs, f"{out}.product", MICROSOFT)
        return self.node("Mul", [product, x[1]], out)


def encoder(shape: Shape, tensors: Mapping[str, Floats], seen: int | None = None) -> onnx.ModelProto:
    """Return the graph.

    Args:
        shape: its sizes.
        tensors: named `l0.q.w`, `l0.q.b` … as `source.read` names them, weights (out, in).
        seen: a number of layers after which the states (b, t, d) come out as well, as "seen".
    """
    b = Builder()
    b.weight("tiny", np.float32(1e-9))
    b.weight("level", np.float32(1 / _LEVELS))
    b.weight("last", np.array([1], np.int64))
    b.weight("one", np.float32(1))
    b.weight("point", np.uint8(_MIDDLE))
    b.weight("flat", np.array([-1, shape.width], np.int64))
    sizes = b.node("Shape", ["rows"], "sizes")
    # A text's tokens have the places 0, 1, 2 …; the one kind of segment there is was added to the table before.
    b.weight("places", np.asarray(tensors["emb.pos"] + tensors["emb.type"][0], np.float32))
    b.weight("first", np.array([0], np.int64))
    count = b.node("Shape", ["rows"], "length", start=1, end=2)
    placed = b.node("Add", ["rows", b.node("Slice", ["places", "first", count, "first"], "own")], "placed")
    gamma, beta = b.weight("emb.gamma", tensors["emb.ln.w"]), b.weight("emb.beta", tensors["emb.ln.b"])
    begun = b.node("LayerNormalization", [placed, gamma, beta], "begun", axis=-1, epsilon=shape.eps)
    x = b.node("Reshape", [begun, "flat"], "x")
    many = b.node("Shape", [x], "many", end=1)
    middle = numpy_helper.from_array(np.array([_MIDDLE], np.uint8))
    b.node("ConstantOfShape", [many], "points", value=middle)
    for layer in range(shape.layers):
        if layer == seen:
            b.node("Reshape", [x, sizes], "seen")
        x = _layer(b, shape, tensors, layer, x, sizes)
    whole = b.node("Reshape", [x, sizes], "whole")
    weights = b.node("Unsqueeze", [b.node("Cast", ["mask"], "there", to=TensorProto.FLOAT), "axis"], "weights")
    b.weight("axis", np.array([2], np.int64))
    total = b.node("ReduceSum", [b.node("Mul", [whole, weights], "kept"), "last"], "total", keepdims=0)
    tokens = b.node("ReduceSum", [weights, "last"], "tokens", keepdims=0)
    b.node("Div", [total, tokens], "mean")
    outputs: dict[str, list[str | int]] = {"mean": ["b", shape.width]}
    if seen is not None:
        outputs["seen"] = ["b", "t", shape.width]
    return _model(b, shape, outputs)


def _model(b: Builder, shape: Shape, outputs: Mapping[str, list[str | int]]) -> onnx.ModelProto:
    graph = helper.make_graph(
        b.nodes,
        "deep",
        [
            helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["b", "t", shape.width]),
            helper.make_tensor_value_info("mask", TensorProto.INT32, ["b", "t"]),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes) for name, sizes in outputs.items()],
        b.weights,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="imi")


def _layer(b: Builder, shape: Shape, tensors: Mapping[str, Floats], layer: int, x: str, sizes: str) -> str:
    own = f"l{layer}"

    def of(part: str) -> Floats:
        return np.asarray(tensors[f"{own}.{part}"], np.float32)

    read = b.quantised(x, f"{own}.in")
    sides = []
    for part in ("q", "k", "v"):
        flat = b.dense(read, of(f"{part}.w"), f"{own}.{part}")
        sides.append(b.node("Reshape", [flat, sizes], f"{own}.{part}3"))
    bias = b.weight(f"{own}.qkv.b", np.concatenate([of("q.b"), of("k.b"), of("v.b")]))
    seen = b.node("MultiHeadAttention", [*sides, bias, "mask"], f"{own}.seen", MICROSOFT, num_heads=shape.heads)
    flat = b.node("Reshape", [seen, "flat"], f"{own}.flat")
    out = b.dense(b.quantised(flat, f"{own}.mid"), of("ao.w"), f"{own}.ao")
    x = _normalised(b, shape, out, x, (of("aln.w"), of("aln.b"), of("ao.b")), f"{own}.aln")
    inner = b.dense(b.quantised(x, f"{own}.up"), of("fi.w"), f"{own}.fi")
    bent = b.node("BiasGelu", [inner, b.weight(f"{own}.fi.b", of("fi.b"))], f"{own}.bent", MICROSOFT)
    out = b.dense(b.quantised(bent, f"{own}.down"), of("fo.w"), f"{own}.fo")
    return _normalised(b, shape, out, x, (of("oln.w"), of("oln.b"), of("fo.b")), f"{own}.oln")


def _normalised(b: Builder, shape: Shape, x: str, skip: str, given: tuple[Floats, Floats, Floats], out: str) -> str:
    """Add the way around and the bias, and normalise."""
    names = [b.weight(f"{out}.{part}", values) for part, values in zip(("gamma", "beta", "bias"), given, strict=True)]
    return b.node("SkipLayerNormalization", [x, skip, *names], out, MICROSOFT, epsilon=shape.eps)
