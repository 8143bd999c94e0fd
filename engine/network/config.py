"""What a network is made of: typed, saved beside its weights, compared field by field.

``paper`` follows the paper (section 4.1, supplement A.1), ``base`` is what a consumer's GPU trains,
``small`` what two CPU cores train over days, ``tiny`` is for tests. What the paper leaves open is
marked "ours".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..core.types import LikenessError
from ..files.untrusted import read_json

CONFIG_FILE = "config.json"

ENCODERS = ("own", "sapiens", "sapiens2", "dinov2")


@dataclass(frozen=True)
class EncoderConfig:
    """The image encoder.

    Attributes:
        kind: one of ENCODERS: our own small one, Sapiens v1 as TorchScript, and Sapiens2 or
            DINOv2 through ``transformers``.
        source: a file (TorchScript), a folder or a name on the hub; empty for our own.
        image_size: side of the square picture that it is given.
        channels: C of the features that it gives.
        stride: pixels of the picture per feature along each side.
        frozen: whether training leaves it as it is.
        width, depth: of our own one: channels of the first stage, blocks of each stage.
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
class DecoderConfig:
    """The decoder (supplement A.1).

    Attributes:
        features: C of the encoder's features.
        core_grid, shell_grid: tokens along each side of the two UV grids; the shell's is coarser.
        samples_per_side: surface points along each side of a token's cell (ours).
        shell_offset: metres between the body and its shell (ours: "a small offset distance").
        patch: texels of the attribute map along each side of a core token.
        width, layers, heads: of the self-attention layers. mlp_ratio: of their hidden width (ours;
            4 would make 8 layers of 1024 more than the paper's 0.1 B parameters).
        map_channels: of a texel after the unpatchify (ours). head_hidden: of the two-layer heads.
        frequencies: N of the sinusoidal encoding of the position map (ours).
        max_offset: metres that a Gaussian may be moved along each axis of its triangle.
        max_growth, max_shrink: largest factor on a scale, and on its inverse (ours). Splats that
            shrink alone leave holes, which only large pictures show.
        shell_tokens, uv_position, residual: switches of the ablations. Without ``residual`` the
            Gaussians start as blank texels instead of the lift.
        max_gain, max_tint: largest factor on a colour, and on its inverse: of all its channels,
            and of each beside that (ours). Without ``residual`` they have to reach from grey to
            white.
        shape: change opacity, offset, rotation and scale too, not colours alone (ours).
        keep_shown: leave alone what the photo shows, see ``decoder.py`` (ours).
        masking: largest share of the scattered features that training hides; 0 turns it off.
        checkpointing: recompute the layers' activations on the way back, to save memory.
    """

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

    @property
    def map_size(self) -> int:
        """Texels along each side of the attribute maps."""
        return self.core_grid * self.patch


@dataclass(frozen=True)
class NetworkConfig:
    """Encoder and decoder, and how many Gaussians the lift before them may make.

    Attributes:
        fewest_gaussians, max_gaussians: of the lifts that training shows it. Each reference has a
            budget of its own between them, so that the heads learn to mend lifts of any size; 0
            for the fewest is the same as the most.
        usable_gaussians: of the largest lift that it is given afterwards; 0 is no more than in
            training.
    """

    name: str = "base"
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    max_gaussians: int = 100_000
    fewest_gaussians: int = 0
    usable_gaussians: int = 0

    @property
    def budgets(self) -> tuple[int, int]:
        """The fewest and the most Gaussians of a lift that it learns from."""
        return self.fewest_gaussians or self.max_gaussians, self.max_gaussians

    @property
    def largest_lift(self) -> int:
        """Gaussians of the largest lift that it may be given."""
        return self.usable_gaussians or self.max_gaussians

    def __post_init__(self) -> None:
        encoder, decoder = self.encoder, self.decoder
        _check_sizes(self, "", may_be_zero=("fewest_gaussians", "usable_gaussians"))
        if self.fewest_gaussians > self.max_gaussians:
            raise LikenessError(
                f"fewest_gaussians is {self.fewest_gaussians}, more than max_gaussians "
                f"({self.max_gaussians}).",
                "Give at most as many, or 0 for lifts of one size.",
            )
        if encoder.kind not in ENCODERS:
            raise LikenessError(
                f"There is no encoder '{encoder.kind}'.", f"Choose one of: {', '.join(ENCODERS)}."
            )
        if encoder.channels != decoder.features:
            raise LikenessError(
                f"The encoder gives {encoder.channels} channels, the decoder wants "
                f"{decoder.features}.",
                "Set decoder.features to encoder.channels.",
            )
        if decoder.width % decoder.heads:
            raise LikenessError(
                f"A width of {decoder.width} does not divide into {decoder.heads} heads.",
                "Choose a multiple.",
            )
        if not 0.0 <= decoder.masking < 1.0:
            raise LikenessError(
                f"decoder.masking is {decoder.masking}, not a share.",
                "Give a number from 0 to below 1; the paper's is 0.5.",
            )


_LARGEST = 1e12


def _check_sizes(config: Any, prefix: str, may_be_zero: Sequence[str] = ()) -> None:
    """Raise the error of a whole number below 1, or of a number that is negative or none."""
    for f in fields(config):
        value = getattr(config, f.name)
        least = 1 if type(value) is int and f.name not in may_be_zero else 0
        if type(value) in (int, float) and not least <= value <= _LARGEST:
            raise LikenessError(
                f"{prefix}{f.name} is {str(value)[:40]}.",
                f"Give a finite number of at least {least}.",
            )


NETWORKS: dict[str, NetworkConfig] = {
    "paper": NetworkConfig(
        "paper",
        EncoderConfig(
            "sapiens", "sapiens_1b_epoch_173_torchscript.pt2", 1024, 1536, 16, frozen=True
        ),
        DecoderConfig(
            features=1536,
            core_grid=64,
            shell_grid=32,
            width=1024,
            layers=8,
            heads=16,
            head_hidden=256,
            checkpointing=True,
        ),
        262_144,
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

T = TypeVar("T")


def config_to_dict(config: Any) -> dict[str, Any]:
    """A config dataclass as JSON-able dictionary."""
    return asdict(config)


def config_from_dict(kind: type[T], values: Any, where: str) -> T:
    """A config dataclass from what :func:`config_to_dict` gave.

    Raises:
        LikenessError: a field that is not known, is missing or of another type; ``where`` names
            the file.
    """
    if not isinstance(values, dict):
        raise LikenessError(f"'{where}' holds no settings.", "Use the file that was saved.")
    blank: Any = kind()
    known = {f.name for f in fields(blank)}
    unknown, missing = sorted(set(values) - known), sorted(known - set(values))
    if unknown or missing:
        said = [f"unknown: {', '.join(unknown)}"] if unknown else []
        said += [f"missing: {', '.join(missing)}"] if missing else []
        raise LikenessError(
            f"'{where}' is of another version ({'; '.join(said)}).",
            "Use a network that this version of Likeness has made.",
        )
    given: dict[str, Any] = {}
    for name in known:
        value, default = values[name], getattr(blank, name)
        if is_dataclass(default):
            given[name] = config_from_dict(type(default), value, where)
            continue
        if isinstance(default, float) and type(value) is int and abs(value) < _LARGEST:
            value = float(value)
        if type(value) is not type(default):
            raise LikenessError(
                f"'{where}': {name} is {value!r}, not {type(default).__name__}.",
                "Use the file as it was saved.",
            )
        given[name] = value
    return kind(**given)


def diff_configs(a: Any, b: Any, prefix: str = "") -> list[str]:
    """What two configs of one type differ in, as ``decoder.width: 256, not 1024`` (a's, b's)."""
    out = []
    for f in fields(a):
        mine, other = getattr(a, f.name), getattr(b, f.name)
        if is_dataclass(mine):
            out += diff_configs(mine, other, f"{prefix}{f.name}.")
        elif mine != other:
            out.append(f"{prefix}{f.name}: {mine!r}, not {other!r}")
    return out


def override_fields(config: T, changes: dict[str, str]) -> T:
    """A copy with fields set by dotted names and text, as from a command line: all at once, since
    some only fit together.

    >>> with_fields(NETWORKS["base"], {"decoder.layers": "4"}).decoder.layers
    4

    Raises:
        LikenessError: there is no such field, or the text is no value of its type.
    """
    values = config_to_dict(config)
    for dotted, text in changes.items():
        _set_field(values, dotted.split("."), text, dotted)
    return config_from_dict(type(config), values, "the settings")


def _set_field(values: dict[str, Any], names: list[str], text: str, dotted: str) -> None:
    name, *rest = names
    value = values.get(name)
    if value is None or (rest and not isinstance(value, dict)):
        raise LikenessError(f"There is no setting '{dotted}'.", f"Known: {', '.join(values)}.")
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
        f"'{dotted}' cannot be '{text}'.", f"Give a value like the present one, {like!r}."
    )


def save_config(config: Any, folder: Path) -> None:
    """Write ``config.json`` into ``folder``."""
    text = json.dumps(config_to_dict(config), indent=2) + "\n"
    (folder / CONFIG_FILE).write_text(text, encoding="utf-8")


def load_config(kind: type[T], folder: Path) -> T:
    """Read ``config.json`` of ``folder``.

    Raises:
        LikenessError: it is missing, no JSON, or of another version.
    """
    path = folder / CONFIG_FILE
    try:
        values = read_json(path)
    except (OSError, ValueError) as error:
        raise LikenessError(
            f"'{path}' cannot be read: {error}.", "Use a folder that Likeness has written."
        ) from error
    return config_from_dict(kind, values, str(path))
