"""The decoders that a network may have: the first paper's, GUAVA's and PERSE's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from ..core.types import LikenessError

MAX_SIZE = 1e12


def check_sizes(config: Any, prefix: str, may_be_zero: Sequence[str] = ()) -> None:
    """Check the numbers of a configuration.

    Raises:
        LikenessError: An integer is an integer below 1, or a negative or non-finite number.
    """
    for f in fields(config):
        value = getattr(config, f.name)
        minimum = 1 if type(value) is int and f.name not in may_be_zero else 0
        if type(value) in (int, float) and not minimum <= value <= MAX_SIZE:
            raise LikenessError(
                f"{prefix}{f.name} is {str(value)[:40]}.",
                f"Give a finite number of at least {minimum}.",
            )


@dataclass(frozen=True)
class GuavaConfig:
    """GUAVA in place of the decoder: Gaussians with latent features, and a refiner (second paper).

    Its properties say what the Dual-UV grids, inputs and losses of the other decoder are here.

    Attributes:
        form: Always ``guava``; tells its files from those of a :class:`DecoderConfig`.
        uv_size: Texels along each side of the inverse texture map and of the UV branch's output.
        template_vertices: Vertices of the body with a Gaussian of the template branch, spread
            evenly; 0 is all. The other Gaussians, up to ``max_gaussians``, are the UV branch's.
        channels: Of a Gaussian; the first three are its colour.
        upsamplings: Doublings of the encoder's grid before features are projected.
        uv_features: Channels that the UV branch takes from the encoder.
        template_features: The same of the template branch.
        vertex_code: Learned channels of each vertex.
        identity: Channels of the identity code in the template branch.
        template_hidden: Hidden width of the template branch.
        style: Channels of the styles of both StyleUNets.
        uv_width: Channels of the UV branch's StyleUNet at full resolution; they double with each
            level, up to ``max_width``.
        uv_levels: Its halvings.
        uv_channels: Its outputs.
        uv_bias: Learned channels of each texel beside them.
        head_hidden: Hidden width of the two-layer heads.
        refiner_width: As ``uv_width``, of the refiner.
        refiner_levels: Its halvings.
        max_width: Of both StyleUNets.
        inverse_mapping: Give the UV branch what the photo shows of each texel. Off, only the
            identity code describes the person there (ablation).
        photo_colors: Start colours from the photo's, at vertices and visible texels, hidden texels
            from their mean (ours: what a network of few steps does not learn). Off, from grey.
        face_frames: Bind Gaussians to their triangles as equation 3 is written (``core.geometry.
            face_frames``) in training; avatars are bound again, in the photo's pose, to the smooth
            frames that draw them.
        uv_gaussians: Whether there is a UV branch (ablation).
        refiner: Whether pictures are refined (ablation).
    """

    form: str = "guava"
    uv_size: int = 512
    template_vertices: int = 0
    channels: int = 32
    upsamplings: int = 3
    uv_features: int = 32
    template_features: int = 128
    vertex_code: int = 128
    identity: int = 256
    template_hidden: int = 256
    style: int = 512
    uv_width: int = 16
    uv_levels: int = 7
    uv_channels: int = 96
    uv_bias: int = 32
    head_hidden: int = 128
    refiner_width: int = 16
    refiner_levels: int = 7
    max_width: int = 256
    inverse_mapping: bool = True
    photo_colors: bool = False
    face_frames: bool = False
    uv_gaussians: bool = True
    refiner: bool = True

    def __post_init__(self) -> None:
        check_sizes(self, "decoder.", may_be_zero=("template_vertices", "upsamplings"))
        if self.form != "guava":
            raise LikenessError(f"decoder.form is '{self.form}'.", "Leave it at 'guava'.")
        if self.channels < 3:
            raise LikenessError(
                f"decoder.channels is {self.channels}.", "Give at least 3, which are the colour."
            )
        if self.uv_size % 2**self.uv_levels:
            raise LikenessError(
                f"decoder.uv_size is {self.uv_size}, which cannot be halved {self.uv_levels} times "
                "(decoder.uv_levels).",
                "Choose a multiple, or fewer levels.",
            )

    @property
    def core_grid(self) -> int:
        """A cell of the core's grid is a texel."""
        return self.uv_size

    @property
    def map_size(self) -> int:
        """Texels along each side of the maps."""
        return self.uv_size

    samples_per_side: ClassVar[int] = 1
    patch: ClassVar[int] = 1
    shell_grid: ClassVar[int] = 1  # there is no shell: one sample, unused
    shell_offset: ClassVar[float] = 0.0
    masking: ClassVar[float] = 0.0
    residual: ClassVar[bool] = False


CATEGORIES = "hair hat beard glasses clothes earrings headphones brows scarf necklace"


@dataclass(frozen=True)
class PerseConfig:
    """PERSE in place of the decoder: one person with a latent space of attributes (third paper).

    Its properties say what the Dual-UV grids, inputs and losses of the first decoder are here.

    Attributes:
        form: Always ``perse``; tells its files from those of the other forms.
        categories: Names of the attributes, separated by spaces; each has a row of the code.
        looks: Most pairs of looks in each category.
        code: Channels d of a row.
        point_code: Learned channels of each point (ours; the paper has none).
        frequencies: Of the points' sinusoidal code.
        deform_width: Of MLP_d's layers.
        deform_layers: Of MLP_d.
        width: Of MLP_c's layers.
        layers: Of MLP_c.
        max_offset: Metres that MLP_d may move a point along each axis of its triangle.
        shell: Metres between the skin and the second layer of points.
    """

    form: str = "perse"
    categories: str = CATEGORIES
    looks: int = 64
    code: int = 32
    point_code: int = 0
    frequencies: int = 6
    deform_width: int = 128
    deform_layers: int = 4
    width: int = 512
    layers: int = 9
    max_offset: float = 0.25
    shell: float = 0.02

    def __post_init__(self) -> None:
        check_sizes(self, "decoder.", may_be_zero=("point_code",))
        if self.form != "perse":
            raise LikenessError(f"decoder.form is '{self.form}'.", "Leave it at 'perse'.")
        names = self.category_names
        unknown = sorted(set(names) - set(CATEGORIES.split()))
        if unknown or not names or len(set(names)) < len(names):
            raise LikenessError(
                f"decoder.categories is '{self.categories}'.",
                f"Give some of these, each once: {CATEGORIES}.",
            )

    @property
    def category_names(self) -> tuple[str, ...]:
        """The K categories."""
        return tuple(self.categories.split())

    # No feature of a photo is read: the smallest grids.
    core_grid: ClassVar[int] = 16
    map_size: ClassVar[int] = 16
    samples_per_side: ClassVar[int] = 1
    patch: ClassVar[int] = 1
    shell_grid: ClassVar[int] = 1
    shell_offset: ClassVar[float] = 0.0
    masking: ClassVar[float] = 0.0
    residual: ClassVar[bool] = False


@dataclass(frozen=True)
class DecoderConfig:
    """The decoder (supplement A.1).

    Its ``FORMS`` are other decoders that a network may have instead, by the value of their field
    ``form``.

    Attributes:
        features: C of the encoder's features.
        core_grid: Tokens along each side of the core's UV grid.
        shell_grid: Tokens along each side of the shell's UV grid, which is coarser.
        samples_per_side: Surface points along each side of a token's cell (ours).
        shell_offset: Metres between the body and its shell (ours: "a small offset distance").
        patch: Texels of the attribute map along each side of a core token.
        width: Of the self-attention layers.
        layers: Number of self-attention layers.
        heads: Of each self-attention layer.
        mlp_ratio: Hidden width of the layers relative to ``width`` (ours; 4 would make 8 layers of
            1024 more than the paper's 0.1 B parameters).
        map_channels: Channels of a texel after the unpatchify (ours).
        head_hidden: Hidden width of the two-layer heads.
        frequencies: N of the sinusoidal encoding of the position map (ours).
        max_offset: Metres that a Gaussian may move along each axis of its triangle.
        max_growth: Maximum factor on a scale (ours).
        max_shrink: Maximum factor on a scale's inverse (ours). Splats that only shrink leave holes,
            which only large pictures show.
        shell_tokens: Whether there are shell tokens (ablation).
        uv_position: Whether tokens get their UV position (ablation).
        residual: Correct the lift (ours). Off is the paper's form, in which the network creates
            the whole avatar, and which ignores the next three settings.
        keep_shown: Keep what the photo shows unchanged, see ``decoder.py`` (ours).
        max_gain: Maximum factor on all channels of a colour, and on its inverse (ours).
        max_tint: The same for each channel on top of that (ours).
        shape: Also change opacity, offset, rotation and scale, not only colours (ours).
        masking: Maximum share of the scattered features that training hides; 0 disables it.
        checkpointing: Recompute the layers' activations in the backward pass to save memory.
    """

    FORMS: ClassVar[dict[str, type]] = {"guava": GuavaConfig, "perse": PerseConfig}

    features: int = 128
    core_grid: int = 32
    shell_grid: int = 16
    samples_per_side: int = 4
    shell_offset: float = 0.02
    patch: int = 8
    width: int = 256
    layers: int = 6
    heads: int = 8
    mlp_ratio: float = 3.0
    map_channels: int = 32
    head_hidden: int = 128
    frequencies: int = 10
    max_offset: float = 0.05
    max_growth: float = 4.0
    max_shrink: float = 2.0
    shell_tokens: bool = True
    uv_position: bool = True
    residual: bool = True
    keep_shown: bool = True
    max_gain: float = 2.0
    max_tint: float = 1.2
    shape: bool = True
    masking: float = 0.5
    checkpointing: bool = False

    def __post_init__(self) -> None:
        check_sizes(self, "decoder.")
        for name in ("max_growth", "max_shrink", "max_gain", "max_tint"):
            if getattr(self, name) < 1.0:
                raise LikenessError(
                    f"decoder.{name} is {getattr(self, name)}.",
                    "Give a factor of at least 1, which lets nothing change.",
                )
        if self.width % self.heads:
            raise LikenessError(
                f"A width of {self.width} does not divide into {self.heads} heads.",
                "Choose a multiple.",
            )
        if not 0.0 <= self.masking < 1.0:
            raise LikenessError(
                f"decoder.masking is {self.masking}, not a share.",
                "Give a number from 0 to below 1; the paper's is 0.5.",
            )
        if not (self.residual or self.shape):
            raise LikenessError(
                "decoder.shape is off, but the network needs it unless decoder.residual is on.",
                "Switch decoder.shape on, or decoder.residual.",
            )

    @property
    def map_size(self) -> int:
        """Texels along each side of the attribute maps."""
        return self.core_grid * self.patch


AnyDecoder = DecoderConfig | GuavaConfig | PerseConfig


def binds_to_faces(decoder: AnyDecoder) -> bool:
    """Whether a network's Gaussians are in the frames of whole triangles."""
    return isinstance(decoder, GuavaConfig) and decoder.face_frames
