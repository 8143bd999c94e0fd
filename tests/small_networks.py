"""The smallest networks of each kind, for tests."""

from __future__ import annotations

from likeness.engine.network.config import GuavaConfig, PerseConfig

SMALL_GUAVA = GuavaConfig(
    uv_size=16,
    template_vertices=60,
    channels=5,
    upsamplings=1,
    uv_features=4,
    template_features=6,
    vertex_code=3,
    identity=4,
    template_hidden=8,
    style=8,
    uv_width=4,
    uv_levels=2,
    uv_channels=6,
    uv_bias=2,
    head_hidden=8,
    refiner_width=4,
    refiner_levels=2,
    max_width=8,
)
SMALL_PERSE = PerseConfig(
    categories="hair glasses",
    looks=2,
    code=3,
    point_code=2,
    frequencies=2,
    deform_width=8,
    deform_layers=2,
    width=8,
    layers=2,
)
