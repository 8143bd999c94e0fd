"""The networks that have a name.

``paper`` is the paper's network (section 4.1, supplement A.1); ``paper-small`` has the same form
for one consumer GPU and ``paper-tiny`` for tests. ``guava`` is the second paper's, ``guava-base``
and ``guava-tiny`` its smaller forms with our own encoder; ``perse`` is the third's, ``perse-tiny``
its form for two CPU cores. ``base`` corrects the lift on a consumer
GPU, ``small`` trains on two CPU cores in days, ``tiny`` is for tests.
"""

from __future__ import annotations

from .config import DecoderConfig, EncoderConfig, GuavaConfig, NetworkConfig, PerseConfig

NETWORKS: dict[str, NetworkConfig] = {
    "paper": NetworkConfig(
        "paper",
        EncoderConfig(
            "sapiens", "sapiens_1b_epoch_173_torchscript.pt2", 1024, 1536, 16, frozen=True
        ),
        DecoderConfig(
            1536,
            64,
            32,
            width=1024,
            layers=8,
            heads=16,
            head_hidden=256,
            residual=False,
            checkpointing=True,
        ),
        262_144,
    ),
    "paper-small": NetworkConfig(
        "paper-small",
        decoder=DecoderConfig(core_grid=48, shell_grid=24, width=384, residual=False),
        max_gaussians=147_456,
    ),
    "paper-tiny": NetworkConfig(
        "paper-tiny",
        EncoderConfig(image_size=128, channels=48, stride=4, width=24, depth=1),
        DecoderConfig(
            features=48,
            core_grid=24,
            shell_grid=12,
            width=128,
            layers=2,
            heads=4,
            head_hidden=64,
            frequencies=8,
            residual=False,
        ),
        20_000,
    ),
    "guava": NetworkConfig(
        "guava",
        EncoderConfig("dinov2", "facebook/dinov2-base", 518, 768, 14, frozen=True),
        GuavaConfig(),
        149_000,
    ),
    "guava-base": NetworkConfig(
        "guava-base",
        decoder=GuavaConfig(
            uv_size=256,
            channels=16,
            upsamplings=2,
            template_features=64,
            vertex_code=64,
            identity=128,
            template_hidden=128,
            style=128,
            uv_levels=6,
            uv_channels=48,
            uv_bias=16,
            head_hidden=64,
            refiner_levels=6,
            max_width=128,
            photo_colors=True,
        ),
        max_gaussians=50_000,
    ),
    "guava-tiny": NetworkConfig(
        "guava-tiny",
        EncoderConfig(image_size=128, channels=48, stride=4, width=24, depth=1),
        GuavaConfig(
            uv_size=64,
            template_vertices=3500,
            channels=8,
            upsamplings=1,
            uv_features=16,
            template_features=32,
            vertex_code=16,
            identity=32,
            template_hidden=64,
            style=64,
            uv_levels=3,
            uv_channels=32,
            uv_bias=8,
            head_hidden=32,
            refiner_levels=3,
            max_width=64,
            photo_colors=True,
        ),
        6000,
    ),
    "perse": NetworkConfig("perse", decoder=PerseConfig(), max_gaussians=130_000),
    "perse-tiny": NetworkConfig(
        "perse-tiny",
        EncoderConfig(image_size=128, channels=48, stride=4, width=24, depth=1),
        PerseConfig(
            looks=16,
            code=16,
            point_code=16,
            frequencies=7,
            deform_width=64,
            deform_layers=3,
            width=96,
            layers=3,
        ),
        8000,
    ),
    "base": NetworkConfig(fewest_gaussians=25_000, usable_gaussians=262_144),
    "small": NetworkConfig(
        "small",
        EncoderConfig(image_size=160, channels=48, width=24, depth=1),
        DecoderConfig(
            features=48,
            core_grid=24,
            shell_grid=12,
            width=160,
            layers=4,
            heads=5,
            map_channels=24,
            head_hidden=64,
            frequencies=8,
            shape=False,
        ),
        40_000,
        fewest_gaussians=20_000,
        usable_gaussians=262_144,
    ),
    "tiny": NetworkConfig(
        "tiny",
        EncoderConfig(image_size=128, channels=32, width=16, depth=1),
        DecoderConfig(
            features=32,
            core_grid=16,
            shell_grid=8,
            width=96,
            layers=3,
            heads=4,
            map_channels=16,
            head_hidden=48,
            frequencies=6,
        ),
        12_000,
    ),
}
"""The configurations that have a name."""
