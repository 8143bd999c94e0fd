"""The configuration of a network: typed, saved beside its weights, compared field by field.

``presets.py`` has the configurations with a name. What the papers leave open is marked "ours".
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from ..core.types import LikenessError
from ..files.untrusted import read_json

CONFIG_FILE = "config.json"

ENCODERS = ("own", "sapiens", "sapiens2", "dinov2")


@dataclass(frozen=True)
class EncoderConfig:
    """The image encoder.

    Attributes:
        kind: One of ENCODERS: our own small one, Sapiens v1 as TorchScript, and Sapiens2 or
            DINOv2 through ``transformers``.
        source: A TorchScript file, a folder or a name on the hub; empty for our own.
        image_size: Side of its square input in pixels.
        channels: C of its features.
        stride: Input pixels per feature along each side.
        frozen: Whether training leaves it unchanged.
        width: Channels of the first stage (our own encoder only).
        depth: Blocks of each stage (our own encoder only).
    """

    kind: str = "own"
    source: str = ""
    image_size: int = 512
    channels: int = 128
    stride: int = 8
    frozen: bool = False
    width: int = 32
    depth: int = 2

    def __post_init__(self) -> None:
        _check_sizes(self, "encoder.")


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
        _check_sizes(self, "decoder.", may_be_zero=("template_vertices", "upsamplings"))
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

    FORMS: ClassVar[dict[str, type]] = {"guava": GuavaConfig}

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
        _check_sizes(self, "decoder.")
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


AnyDecoder = DecoderConfig | GuavaConfig


def binds_to_faces(decoder: AnyDecoder) -> bool:
    """Whether a network's Gaussians are in the frames of whole triangles."""
    return isinstance(decoder, GuavaConfig) and decoder.face_frames


@dataclass(frozen=True)
class NetworkConfig:
    """Encoder and decoder, and how many Gaussians the lift before them may make.

    Attributes:
        name: Name of the configuration.
        encoder: The image encoder.
        decoder: The decoder, of the first paper or of GUAVA.
        max_gaussians: Maximum of a lift in training; without a lift, the number of Gaussians of
            every avatar.
        fewest_gaussians: Minimum of a lift in training; 0 is ``max_gaussians``. Each reference
            has a budget of its own between the two, so that the heads learn to correct lifts of
            any size.
        usable_gaussians: Of the largest lift that it may be given afterwards; 0 is
            ``max_gaussians``.
        strength: Share (0..1) of its change to a lift's colours that avatars get; training and
            exports do not depend on it.
    """

    LATER_FIELDS: ClassVar[dict[str, Any]] = {"strength": 1.0}

    name: str = "base"
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    decoder: AnyDecoder = field(default_factory=DecoderConfig)
    max_gaussians: int = 100_000
    fewest_gaussians: int = 0
    usable_gaussians: int = 0
    strength: float = 1.0

    @property
    def budgets(self) -> tuple[int, int]:
        """Minimum and maximum Gaussians of a lift in training."""
        return self.fewest_gaussians or self.max_gaussians, self.max_gaussians

    @property
    def largest_lift(self) -> int:
        """Maximum Gaussians of a lift that it may be given."""
        return self.usable_gaussians or self.max_gaussians

    def __post_init__(self) -> None:
        encoder, decoder = self.encoder, self.decoder
        _check_sizes(self, "", may_be_zero=("fewest_gaussians", "usable_gaussians"))
        if self.fewest_gaussians > self.max_gaussians:
            raise LikenessError(
                f"fewest_gaussians is {self.fewest_gaussians}, more than max_gaussians "
                f"({self.max_gaussians}).",
                "Give at most max_gaussians, or 0 for lifts of one size.",
            )
        if not 0.0 <= self.strength <= 1.0:
            raise LikenessError(f"strength is {self.strength}.", "Give a share between 0 and 1.")
        if encoder.kind not in ENCODERS:
            raise LikenessError(
                f"The encoder '{encoder.kind}' is unknown.",
                f"Choose one of: {', '.join(ENCODERS)}.",
            )
        if isinstance(decoder, DecoderConfig) and encoder.channels != decoder.features:
            raise LikenessError(
                f"The encoder gives {encoder.channels} channels, the decoder takes "
                f"{decoder.features}.",
                "Set decoder.features to encoder.channels.",
            )


_MAX_SIZE = 1e12


def _check_sizes(config: Any, prefix: str, may_be_zero: Sequence[str] = ()) -> None:
    """Raise LikenessError for an integer below 1, or a negative or non-finite number."""
    for f in fields(config):
        value = getattr(config, f.name)
        minimum = 1 if type(value) is int and f.name not in may_be_zero else 0
        if type(value) in (int, float) and not minimum <= value <= _MAX_SIZE:
            raise LikenessError(
                f"{prefix}{f.name} is {str(value)[:40]}.",
                f"Give a finite number of at least {minimum}.",
            )


T = TypeVar("T")


def config_to_dict(config: Any) -> dict[str, Any]:
    """Convert a config dataclass into a JSON-able dictionary."""
    return asdict(config)


def config_from_dict(kind: type[T], values: Any, where: str) -> T:
    """Build a config dataclass from the dictionary that :func:`config_to_dict` returned.

    Args:
        kind: The dataclass; its FORMER_NAMES, if any, are accepted too, and its LATER_FIELDS may
            be missing.
        values: The dictionary, not validated yet.
        where: The file, for messages.

    Raises:
        LikenessError: A field is unknown, missing, of another type or out of range.
    """
    if not isinstance(values, dict):
        raise LikenessError(f"'{where}' does not hold settings.", "Use the file that was saved.")
    values = rename_former_keys(values, getattr(kind, "FORMER_NAMES", {}), where)
    values = {**getattr(kind, "LATER_FIELDS", {}), **values}
    blank: Any = kind()
    known = {f.name for f in fields(blank)}
    unknown, missing = sorted(set(values) - known), sorted(known - set(values))
    if unknown or missing:
        said = [f"unknown: {', '.join(unknown)}"] if unknown else []
        said += [f"missing: {', '.join(missing)}"] if missing else []
        raise LikenessError(
            f"'{where}' is of another version ({'; '.join(said)}).",
            "Use a file that this version of Likeness has written.",
        )
    given: dict[str, Any] = {}
    for name in known:
        value, default = values[name], getattr(blank, name)
        if is_dataclass(default):
            given[name] = config_from_dict(_kind_of(value, type(default)), value, where)
            continue
        if isinstance(default, float) and type(value) is int and abs(value) < _MAX_SIZE:
            value = float(value)
        if type(value) is not type(default):
            raise LikenessError(
                f"'{where}': {name} is {value!r}, not {type(default).__name__}.",
                "Use the file as it was saved.",
            )
        given[name] = value
    return kind(**given)


def _kind_of(values: Any, default: type) -> type:
    """The dataclass of a group of settings, which may be of one of the ``FORMS`` of another."""
    form = values.get("form") if isinstance(values, dict) else None
    forms: dict[Any, type] = getattr(default, "FORMS", {})
    return forms.get(form, default) if isinstance(form, str) else default


def rename_former_keys(
    values: Mapping[str, T], former: Mapping[str, str], where: str
) -> dict[str, T]:
    """Replace the keys that an earlier version used, with a DeprecationWarning.

    Args:
        values: What was read.
        former: Former key to present key. A former key beside its present one is left alone.
        where: The file, for the warning.

    >>> rename_former_keys({"steps": 3}, {"finer": "supersample"}, "config.json")
    {'steps': 3}
    """
    found = {old: new for old, new in former.items() if old in values and new not in values}
    if found:
        said = ", ".join(f"'{old}' is now '{new}'" for old, new in found.items())
        warnings.warn(
            f"'{where}' uses former names: {said}. They will stop working in a later version.",
            DeprecationWarning,
            stacklevel=3,
        )
    return {found.get(name, name): value for name, value in values.items()}


def diff_configs(a: Any, b: Any, prefix: str = "") -> list[str]:
    """List the fields in which two configs of one type differ.

    Returns:
        Lines like ``decoder.width: 256, not 1024`` (the value of a, that of b).
    """
    out = []
    for f in fields(a):
        mine, other = getattr(a, f.name), getattr(b, f.name)
        if type(mine) is not type(other):
            out.append(f"{prefix}{f.name}: {type(mine).__name__}, not {type(other).__name__}")
        elif is_dataclass(mine):
            out += diff_configs(mine, other, f"{prefix}{f.name}.")
        elif mine != other:
            out.append(f"{prefix}{f.name}: {mine!r}, not {other!r}")
    return out


def override_fields(config: T, changes: dict[str, str]) -> T:
    """Copy a config with fields overridden, all at once, since some only fit together.

    >>> override_fields(NetworkConfig(), {"decoder.layers": "4"}).decoder.layers
    4

    Args:
        config: The original.
        changes: Dotted names and values as text, as on a command line.

    Raises:
        LikenessError: A field is unknown, or its text is not a value of its type.
    """
    values = config_to_dict(config)
    former = getattr(type(config), "FORMER_NAMES", {})
    for dotted, text in rename_former_keys(changes, former, "the settings").items():
        _set_field(values, dotted.split("."), text, dotted)
    return config_from_dict(type(config), values, "the settings")


def _set_field(values: dict[str, Any], names: list[str], text: str, dotted: str) -> None:
    name, *rest = names
    value = values.get(name)
    if value is None or (rest and not isinstance(value, dict)):
        raise LikenessError(f"The setting '{dotted}' is unknown.", f"Known: {', '.join(values)}.")
    if not isinstance(value, dict):
        values[name] = _parsed(text, value, dotted)
    elif rest:
        _set_field(value, rest, text, dotted)
    else:
        inner = ", ".join(f"{dotted}.{name}" for name in value)
        raise LikenessError(f"'{dotted}' is a group of settings.", f"Set one of: {inner}.")


def _parsed(text: str, like: Any, dotted: str) -> Any:
    if isinstance(like, bool):
        words = {"true": True, "on": True, "false": False, "off": False}
        if text.lower() in words:
            return words[text.lower()]
    else:
        try:
            return type(like)(text)
        except ValueError:
            pass
    raise LikenessError(
        f"'{dotted}' cannot be '{text}'.", f"Give a value like the current one, {like!r}."
    )


def save_config(config: Any, folder: Path) -> None:
    """Write ``config.json`` into a folder."""
    text = json.dumps(config_to_dict(config), indent=2) + "\n"
    (folder / CONFIG_FILE).write_text(text, encoding="utf-8")


def load_config(kind: type[T], folder: Path) -> T:
    """Read ``config.json`` of a folder.

    Raises:
        LikenessError: It is missing, not JSON, or of another version.
    """
    path = folder / CONFIG_FILE
    try:
        values = read_json(path)
    except (OSError, ValueError) as error:
        raise LikenessError(
            f"'{path}' cannot be read: {error}.", "Use a folder that Likeness has written."
        ) from error
    return config_from_dict(kind, values, str(path))
