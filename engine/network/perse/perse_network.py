"""PERSE's avatar: learnable points, a latent code for each attribute, and two fields. Needs torch.

In the symbols of the third paper's supplement (equations 17 to 30): the points x^gc move by
MLP_d(z, x^gc) to x^sc, and MLP_c(z, x^sc) gives their opacity, rotation, scale and colour. Blend
shapes and skinning weights are those of the triangle that a point is bound to, which is the limit
of the paper's L_FLAME; so the avatar follows any pose of the body, and its splats can be stored in
an avatar file. MLP_pose is missing.

The fields' numbers change the blank points as in GUAVA's form (``guava/branches.py``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...body import Body
from ...core.geometry import triangle_frames
from ...core.types import BoundGaussians
from ..config import NetworkConfig, PerseConfig
from ..decoder import sinusoids
from ..guava.branches import apply_heads
from ..inputs import FamilyEdit
from ..tensor_batch import GaussianAttributes, NetworkBatch
from ..uv_grids import UVGrids
from .points import attribute_gates

CODE_STD = 0.25  # of codes before training: the released code's prior
SHARPNESS = 100.0  # of softplus, as in the surface networks that the paper builds on
SIZES = {"color": 3, "opacity": 1, "rotation": 3, "scale": 2}
"""Numbers that MLP_c gives for each point."""


class AttributeCodes(nn.Module):
    """The codes z: one row for each category.

    Args:
        config: Of the network.
    """

    seen: Tensor

    def __init__(self, config: PerseConfig) -> None:
        super().__init__()
        self.looks, self.categories = config.looks, len(config.category_names)
        self.zero = nn.Parameter(torch.randn(config.code) * CODE_STD)
        self.table = nn.Embedding(2 * self.categories * config.looks, config.code)
        nn.init.normal_(self.table.weight, std=CODE_STD)
        self.register_buffer("seen", torch.zeros(self.categories * config.looks, dtype=torch.bool))

    def forward(self, edits: Tensor, amounts: Tensor) -> Tensor:
        """Compose the codes of B looks that differ from the person in one category each.

        Args:
            edits: [B, 2] category, or -1 for the person without edits, and pair of looks.
            amounts: [B] 0 to 1: the share of the pair's second look.

        Returns:
            [B, K, d] ``zero`` in all rows but the category's (equation 4), which is linear in the
                amount (equation 13).
        """
        category, look = edits.unbind(-1)
        pair = category.clamp(min=0) * self.looks + look
        if self.training:
            self.seen[pair[category >= 0]] = True
        first = 2 * pair
        share = amounts[:, None]
        code = (1.0 - share) * self.table(first) + share * self.table(first + 1)
        rows = torch.arange(self.categories, device=edits.device)
        own = (rows == category[:, None])[..., None]
        return torch.where(own, code[:, None], self.zero)

    def knows(self, edit: FamilyEdit) -> bool:
        """Whether training has seen a pair of looks."""
        if edit.category < 0:
            return True
        known = 0 <= edit.look < self.looks
        return known and bool(self.seen[edit.category * self.looks + edit.look])


class LatentField(nn.Module):
    """A perceptron over points and the codes that may change them.

    Args:
        config: Of the network.
        width: Of its layers.
        layers: Their number.
    """

    def __init__(self, config: PerseConfig, width: int, layers: int) -> None:
        super().__init__()
        self.frequencies = config.frequencies
        inputs = 3 + 6 * config.frequencies + config.point_code
        self.codes = nn.Linear(len(config.category_names) * config.code, width, bias=False)
        self.first = nn.Linear(inputs, width)
        self.skip = layers // 2
        self.layers = nn.ModuleList(
            nn.Linear(width + (inputs if k == self.skip else 0), width) for k in range(1, layers)
        )

    def forward(self, points: Tensor, features: Tensor, codes: Tensor, gates: Tensor) -> Tensor:
        """Compute features of the points.

        Args:
            points: [B, N, 3] metres, on the body at rest.
            features: [N, ``point_code``] of each point.
            codes: [B, K, d].
            gates: [N, K] 1 where a code may change a point, else 0.

        Returns:
            [B, N, ``width``].
        """
        spread = features.expand(len(points), -1, -1)
        inputs = torch.cat([points, sinusoids(points, self.frequencies), spread], -1)
        by_category = self.codes.weight.reshape(-1, *codes.shape[1:])  # [width, K, d]
        coded = torch.einsum("bkd,wkd->bkw", codes, by_category)
        x = _softplus(self.first(inputs) + gates @ coded)
        for k, layer in enumerate(self.layers, 1):
            x = _softplus(layer(torch.cat([x, inputs], -1) if k == self.skip else x))
        return x


class Points(nn.Module):
    """What is learned of each point.

    Args:
        config: Of the network.
        count: Number of points.
    """

    def __init__(self, config: PerseConfig, count: int) -> None:
        super().__init__()
        self.move = nn.Parameter(torch.zeros(count, 3))
        self.features = nn.Parameter(torch.randn(count, config.point_code) * CODE_STD)


class PerseNetwork(nn.Module):
    """From the code of a look to the attributes of one person's Gaussians.

    Args:
        config: Sizes and switches, with a ``PerseConfig``.
        grids: Of the body.
        body: The default body.
        points: The Gaussians before training (:func:`.points.make_points`).
    """

    origin: Tensor
    axes: Tensor
    gates: Tensor
    refiner = None

    def __init__(
        self, config: NetworkConfig, grids: UVGrids, body: Body, points: BoundGaussians
    ) -> None:
        super().__init__()
        assert isinstance(config.decoder, PerseConfig)
        perse = config.decoder
        self.config, self.grids = config, grids
        rest = body.v_template
        frames = triangle_frames(rest, body.f, rest, points.triangle, points.bary)
        gates = attribute_gates(body, points, perse.category_names)
        for name, values in (("origin", frames.origin), ("axes", frames.R), ("gates", gates)):
            self.register_buffer(name, torch.from_numpy(values).float(), persistent=False)
        self.codes = AttributeCodes(perse)
        self.points = Points(perse, len(points))
        self.deform = LatentField(perse, perse.deform_width, perse.deform_layers)
        self.offset = _zero_linear(perse.deform_width, 3)
        self.canonical = LatentField(perse, perse.width, perse.layers)
        self.attributes = _zero_linear(perse.width, sum(SIZES.values()))

    def forward(self, batch: NetworkBatch, hide: Tensor | None = None) -> GaussianAttributes:
        """Compute attributes of B looks.

        Args:
            batch: The inputs, of which only the edits and the blank points count.
            hide: Always None: nothing is masked in this form.

        Returns:
            [B, N, ...] attributes.
        """
        base = GaussianAttributes(*(values[:, : len(self.origin)] for values in batch.base))
        return self.decode(self.codes(batch.edits, batch.amounts), base)

    def decode(self, codes: Tensor, base: GaussianAttributes) -> GaussianAttributes:
        """Compute attributes from codes.

        Args:
            codes: [B, K, d].
            base: [B, N, ...] blank points.

        Returns:
            [B, N, ...] attributes.
        """
        perse = self.config.decoder
        assert isinstance(perse, PerseConfig)
        start = base.offset + self.points.move
        deformed = self.deform(self._at_rest(start), self.points.features, codes, self.gates)
        offset = start + perse.max_offset * torch.tanh(self.offset(deformed))
        features = self.canonical(self._at_rest(offset), self.points.features, codes, self.gates)
        numbers = self.attributes(features).float().split(tuple(SIZES.values()), -1)
        return apply_heads(dict(zip(SIZES, numbers)), base._replace(offset=offset))

    def _at_rest(self, offset: Tensor) -> Tensor:
        """[B, N, 3] metres: points on the template, from offsets in their triangles' frames."""
        return self.origin + (self.axes @ offset[..., None])[..., 0]


def _zero_linear(channels: int, outputs: int) -> nn.Linear:
    """A layer that begins as zero, so that the blank points are drawn first."""
    layer = nn.Linear(channels, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _softplus(x: Tensor) -> Tensor:
    return F.softplus(x, beta=SHARPNESS)
