"""Groups that figures are reported by: traits of the person, angle from the reference view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

INPUT = "input"
BINS: tuple[tuple[str, float, float], ...] = (
    ("0-30", 0.0, 30.0),
    ("30-60", 30.0, 60.0),
    ("60-120", 60.0, 120.0),
    ("120-180", 120.0, 180.0),
)
"""Degrees between a view and the reference view: name, from, to; 180 belongs to the last."""

FAR = ("30-60", "60-120", "120-180")
"""The bins of views that the photo does not show."""

TONES = (("light", 3), ("medium", 6), ("dark", 10))
"""Groups of the Monk scale of skin tones: name, and the last tone that belongs to it."""

GROUPS = ("sex", "age", "tone", "hair", "framing")

_SHORT = ("buzz", "crop", "fade", "side part", "slick back", "short", "pixie")
_CURLY = ("afro", "curl", "braid", "coil", "wavy", "locs", "dread")
_TIED = ("ponytail", "bun")


def angle_magnitude(degrees: float) -> float:
    """Compute the size of an angle, 0 to 180 degrees.

    >>> angle_magnitude(-350.0), angle_magnitude(190.0)
    (10.0, 170.0)
    """
    return abs((degrees + 180.0) % 360.0 - 180.0)


def angle_bin(angle: float) -> str:
    """Get the name of the bin in :data:`BINS` that holds an angle in degrees, 0 to 180.

    >>> angle_bin(29.9), angle_bin(30.0), angle_bin(180.0)
    ('0-30', '30-60', '120-180')
    """
    return next((name for name, _, end in BINS if angle < end), BINS[-1][0])


def subject_groups(facts: Mapping[str, Any], framing: str) -> dict[str, str]:
    """Get the groups that a person belongs to, as far as the facts in its shard say.

    Args:
        facts: Of the subject.
        framing: Of the subject.

    Returns:
        Kind of group (:data:`GROUPS`) -> group.

    >>> looks = {"hair": {"kind": "strands", "style": "curly crop"}}
    >>> traits = {"sex": "female", "age_band": "old", "tone": 7}
    >>> subject_groups({"traits": traits, "looks": looks}, "half")["tone"]
    'dark'
    """
    traits, looks = facts.get("traits"), facts.get("looks")
    out: dict[str, str] = {"framing": framing}
    if isinstance(traits, Mapping):
        for name, key in (("sex", "sex"), ("age", "age_band")):
            if isinstance(traits.get(key), str):
                out[name] = traits[key]
        tone = traits.get("tone")
        if isinstance(tone, int):
            out["tone"] = next((name for name, last in TONES if tone <= last), TONES[-1][0])
    hair = looks.get("hair") if isinstance(looks, Mapping) else None
    if isinstance(hair, Mapping):
        out["hair"] = hair_group(str(hair.get("kind", "")), str(hair.get("style", "")))
    return out


def hair_group(kind: str, style: str) -> str:
    """Get the group of hair, by the name of a style or asset.

    Args:
        kind: Of the hair; ``bald`` is without.
        style: The name.

    Returns:
        ``none``, ``short``, ``long``, ``curly`` or ``tied``.

    >>> [hair_group("library", name) for name in ("short03", "long01", "afro01", "ponytail01")]
    ['short', 'long', 'curly', 'tied']
    """
    if kind == "bald" or not style:
        return "none"
    for name, words in (("curly", _CURLY), ("tied", _TIED), ("short", _SHORT)):
        if any(word in style.lower() for word in words):
            return name
    return "long"


def percent_worse(figure: str, value: float, mean: float) -> float:
    """Compute by how many per cent a value is worse than a mean.

    Args:
        figure: Name of the figure; of PSNR and SSIM, more is better.
        value: The value.
        mean: The mean.

    >>> percent_worse("psnr_fg", 18.0, 20.0), round(percent_worse("ssim_fg", 0.7, 0.8))
    (10.0, 50)
    >>> round(percent_worse("lpips", 0.3, 0.2))
    50
    """
    if figure.startswith("psnr"):
        ours, whole = mean - value, mean
    elif "ssim" in figure:
        ours, whole = mean - value, 1.0 - mean
    else:
        ours, whole = value - mean, mean
    return 100.0 * ours / whole if whole else 0.0
