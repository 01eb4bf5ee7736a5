"""EfficientNet-Lite as an ONNX graph for onnxruntime: weights in int8, one scale a channel, sums in float32.

    pictures (b, size, size, 3) uint8  →  features (b, 1280) float32, the mean over places of the last layer

Weights are unpacked once, when the network is loaded. Quantising what flows between the layers as well would make it
neither smaller nor, on two cores, faster than this, and likeness is what suffers first.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from imi.types import Floats
from recipes.onnx_builder import GraphBuilder

OPSET = 17
MEAN, SPREAD = 127.0, 128.0
"""What training took off each byte and divided it by."""
EPSILON = 1e-3
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""How far each stage steps; a stage begins where the number of channels changes."""
_LEVELS = 127


class Builder(GraphBuilder):
    """Adds what the network is made of."""

    def convolved(self, x: str, weight: Floats, bias: Floats, out: str, stride: int = 1, groups: int = 1) -> str:
        """Convolve as TensorFlow's "same" does, with int8 weights."""
        whole, scale = quantised(weight)
        table = self.weight(f"{out}.w", whole)
        scales = self.weight(f"{out}.s", scale)
        unpacked = self.node("DequantizeLinear", [table, scales], f"{out}.weight", axis=0)
        inputs = [x, unpacked, self.weight(f"{out}.b", bias)]
        return self.node("Conv", inputs, out, strides=[stride, stride], group=groups, auto_pad="SAME_UPPER")

    def bent(self, x: str) -> str:
        """Cut values off at 0 and 6."""
        return self.node("Clip", [x, "zero", "six"], f"{x}.bent")


def quantised(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Return int8 weights and one scale for each row of the first axis."""
    scale = np.maximum(np.abs(weight.reshape(len(weight), -1)).max(axis=1) / _LEVELS, 1e-12).astype(np.float32)
    by_row = scale.reshape(-1, *[1] * (weight.ndim - 1))
    return np.rint(weight / by_row).astype(np.int8), scale


def network(tensors: Mapping[str, Floats], size: int) -> onnx.ModelProto:
    """Return the graph of the weights, named as efficientnet-lite-pytorch names them, for pictures of `size` dots."""
    b = Builder()
    b.weight("zero", np.float32(0))
    b.weight("six", np.float32(6))
    floats = b.node("Cast", ["pictures"], "floats", to=TensorProto.FLOAT)
    around = b.node("Sub", [floats, b.weight("middle", np.float32(MEAN))], "around")
    scaled = b.node("Div", [around, b.weight("spread", np.float32(SPREAD))], "scaled")
    x = b.node("Transpose", [scaled], "planes", perm=[0, 3, 1, 2])
    x = b.bent(b.convolved(x, *_folded(tensors, "_conv_stem", "_bn0"), "stem", stride=2))
    last, stage = 0, -1
    for at in range(1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("_blocks."))):
        channels = len(tensors[f"_blocks.{at}._project_conv.weight"])
        begins = channels != last
        stage += begins
        x = _block(b, tensors, at, x, _STRIDES[stage] if begins else 1, around=not begins)
        last = channels
    x = b.bent(b.convolved(x, *_folded(tensors, "_conv_head", "_bn1"), "head"))
    pooled = b.node("GlobalAveragePool", [x], "pooled")
    b.node("Flatten", [pooled], "features")
    width = len(tensors["_conv_head.weight"])
    graph = helper.make_graph(
        b.nodes,
        "pictures",
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["b", size, size, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["b", width])],
        b.weights,
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="imi")


def _block(b: Builder, tensors: Mapping[str, Floats], at: int, x: str, stride: int, *, around: bool) -> str:
    """Widen, look around within each channel, narrow; add what came in where the shape stays."""
    own = f"_blocks.{at}"
    inner = x
    if f"{own}._expand_conv.weight" in tensors:
        inner = b.bent(b.convolved(inner, *_folded(tensors, f"{own}._expand_conv", f"{own}._bn0"), f"{at}.widen"))
    weight, bias = _folded(tensors, f"{own}._depthwise_conv", f"{own}._bn1")
    inner = b.bent(b.convolved(inner, weight, bias, f"{at}.look", stride=stride, groups=len(weight)))
    inner = b.convolved(inner, *_folded(tensors, f"{own}._project_conv", f"{own}._bn2"), f"{at}.narrow")
    return b.node("Add", [inner, x], f"{at}.sum") if around else inner


def _folded(tensors: Mapping[str, Floats], conv: str, norm: str) -> tuple[Floats, Floats]:
    """Return the weight and bias of a convolution with the statistics of training folded in."""
    factor = tensors[f"{norm}.weight"] / np.sqrt(tensors[f"{norm}.running_var"] + EPSILON)
    weight = tensors[f"{conv}.weight"] * factor[:, None, None, None]
    bias = tensors[f"{norm}.bias"] - tensors[f"{norm}.running_mean"] * factor
    return np.asarray(weight, np.float32), np.asarray(bias, np.float32)
