"""The configuration of a network: typed, saved beside its weights, compared field by field.

``presets.py`` has the configurations with a name. What the papers leave open is marked "ours".
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from ..core.types import LikenessError
from ..files.untrusted import read_json
from .decoder_config import (
    MAX_SIZE,
    AnyDecoder,
    DecoderConfig,
    GuavaConfig,
    PerseConfig,
    binds_to_faces,
    check_sizes,
)

__all__ = [
    "AnyDecoder",
    "DecoderConfig",
    "GuavaConfig",
    "NetworkConfig",
    "PerseConfig",
    "binds_to_faces",
]

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
        check_sizes(self, "encoder.")


@dataclass(frozen=True)
class NetworkConfig:
    """Encoder and decoder, and how many Gaussians the lift before them may make.

    Attributes:
        name: Name of the configuration.
        encoder: The image encoder.
        decoder: The decoder, of the first paper, of GUAVA or of PERSE.
        max_gaussians: Maximum of a lift in training; without a lift, the number of Gaussians of
            every avatar.
        fewest_gaussians: Minimum of a lift in training; 0 is ``max_gaussians``. Each reference
            has a budget of its own between the two, so that the heads learn to correct lifts of
            any size.
        usable_gaussians: Of the largest lift that it may be given afterwards; 0 is
            ``max_gaussians``.
        strength: Share (0..1) of its change to a lift's colours that avatars get; training and
            exports do not depend on it.
        keep_levels: Whether avatars get its change without what follows from the part (skin, hair,
            upper wear) and the colour alone (:func:`.apply.keep_levels`); training and exports do
            not depend on it.
    """

    LATER_FIELDS: ClassVar[dict[str, Any]] = {"strength": 1.0, "keep_levels": False}

    name: str = "base"
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    decoder: AnyDecoder = field(default_factory=DecoderConfig)
    max_gaussians: int = 100_000
    fewest_gaussians: int = 0
    usable_gaussians: int = 0
    strength: float = 1.0
    keep_levels: bool = False

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
        check_sizes(self, "", may_be_zero=("fewest_gaussians", "usable_gaussians"))
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
        if isinstance(default, float) and type(value) is int and abs(value) < MAX_SIZE:
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
