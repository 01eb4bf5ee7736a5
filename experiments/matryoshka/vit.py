"""A small vision transformer: patches, a class token, a few layers of attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from imi.errors import UsageError


class SmallViT(nn.Module):
    """A transformer for small pictures (Dosovitskiy et al. 2020); its embedding is the class token's last state."""

    def __init__(
        self, side: int, width: int = 64, channels: int = 3, patch: int = 4, layers: int = 4, heads: int = 4
    ) -> None:
        """Make the network for pictures of `side` × `side` pixels, cut into patches of `patch` × `patch`."""
        super().__init__()
        if side % patch or width % heads:
            raise UsageError(f"side {side} must be a multiple of patch {patch}, width {width} of heads {heads}")
        self.width = width
        self.cut = nn.Conv2d(channels, width, patch, stride=patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(0.02 * torch.randn(1, (side // patch) ** 2 + 1, width))
        layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, at: int = -1) -> Tensor:
        """Return embeddings (n, width) of pictures (n, channels, side, side); `at` is there for all bodies alike."""
        patches = self.cut(x).flatten(2).transpose(1, 2)  # (n, patches, width)
        states = torch.cat([self.token.expand(len(x), -1, -1), patches], dim=1) + self.places
        return self.norm(self.layers(states)[:, 0])
