"""The options of a build. Light to import: the command line and Blender read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..core.options import check_options, option
from ..core.types import MAX_GAUSSIANS, LikenessError

MIN_GAUSSIANS = 5000
REFINE_CHOICES = ("off", "fast", "full")
"""The names of ``gaussians.refine.refine_gaussians.REFINE_LEVELS``."""
BELOW_CHOICES = ("full", "fade", "cut")
HELD_CHOICES = ("keep", "remove")
POLISH_CHOICES = ("off", "bake")


def person_option() -> Any:
    """The field ``person`` of options: which of several people, counted from 1."""
    return option(
        None,
        help="Which of several people, counted from the left from 1; the largest if not given.",
        metavar="N",
        min=1,
        wanted="a whole number from 1 on (persons are counted from 1, from the left)",
    )


def fov_option(help: str) -> Any:
    """The field ``fov`` of options: the field of view along the longer side, in degrees."""
    return option(None, help=help, unit="degrees", min=1, max=150)


def camera_pitch_option() -> Any:
    """The field ``camera_pitch`` of options: the camera's pitch, in degrees."""
    return option(
        None,
        help="Angle by which the camera looks down (negative: up), in degrees; estimated from how "
        "the person stands if not given.",
        unit="degrees",
        min=-60,
        max=60,
    )


NAME_MARK = "{name}"
"""Stands for the photo's name in the path of an estimate."""


def estimator_option() -> Any:
    """The field ``estimator`` of options: files that other programs wrote."""
    return option(
        (),
        help="Initial pose from another program (docs/ESTIMATORS.md); {name} stands for the "
        "photo's name. Repeatable: what is visible decides which estimator supplies a joint.",
        metavar="FILE",
        flags=("--estimator", "--estimate"),
    )


def smplx_option() -> Any:
    """The field ``smplx`` of options: the user's own model."""
    return option(None, help="Your SMPL-X model, which OSX's hands need.", metavar="NPZ")


def sapiens_option() -> Any:
    """The field ``sapiens`` of options: a folder with a keypoint model."""
    return option(
        None,
        help="Folder of a downloaded Sapiens2 pose model, whose keypoints are used for photos.",
        metavar="FOLDER",
    )


def person_index(person: int | None) -> int | None:
    """Index in the detectors' list of people, from 0, of a person counted from 1.

    Users count persons from 1 everywhere; only here the numbers become indices.
    """
    return None if person is None else person - 1


@dataclass(frozen=True)
class BuildOptions:
    """The options of a build; nothing in it is random except the order of a GPU's sums.

    Attributes:
        max_gaussians: upper limit of the number of Gaussians.
        person: which of several people, counted from the left from 1; the largest if None.
        fov: field of view along the photo's longer side in degrees, if it is known.
        camera_pitch: degrees by which the camera looks down, if that is known.
        estimator: initial poses from other programs (docs/ESTIMATORS.md); ``{name}`` stands for
            the photo's name.
        smplx: the user's own SMPL-X model file, which some of them need.
        sapiens: folder of a Sapiens2 pose model whose keypoints are used.
        refine: how long the lift is fitted to the photo: one of ``REFINE_CHOICES``.
        below: what follows below the photo's last row of pixels: one of ``BELOW_CHOICES``.
        held: what becomes of a thing in a hand: one of ``HELD_CHOICES``.
        network: what improves the lift: a network's folder, ``default`` for the one that comes
            with Likeness (also if empty), or ``none``.
        polish: whether a network changes the colours of what the photo does not show squarely: one
            of ``POLISH_CHOICES``.
        settings: tuning constants to override for this build, by their dotted names
            (``lift.texels.under_photo``); ``likeness info --settings`` lists them.

    Raises:
        LikenessError: a value is not allowed; the option and what it must be are named.
    """

    max_gaussians: int = option(
        MAX_GAUSSIANS,
        help="Upper limit of the number of splats.",
        metavar="N",
        min=MIN_GAUSSIANS,
        show_default=True,
    )
    person: int | None = person_option()
    fov: float | None = fov_option(
        "Field of view along the longer side, in degrees, if you know it."
    )
    camera_pitch: float | None = camera_pitch_option()
    estimator: tuple[str, ...] = estimator_option()
    smplx: str | None = smplx_option()
    sapiens: str | None = sapiens_option()
    refine: str = option(
        "fast",
        help="Time spent on fitting the splats to the photo: none, about 10 seconds, or about 35, "
        "on two idle cores.",
        choices=REFINE_CHOICES,
        show_default=True,
    )
    below: str = option(
        "full",
        help="What follows where the photo's frame ends: the whole person, a soft end, or a clean "
        "cut as of a bust.",
        choices=BELOW_CHOICES,
        show_default=True,
    )
    held: str = option(
        "keep",
        help="Whether a thing in a hand (a phone, a mug) stays with that hand, or is removed.",
        choices=HELD_CHOICES,
        show_default=True,
    )
    network: str = option(
        "default",
        help="Network that corrects the sides that the photo does not show: the one that comes "
        "with Likeness, none, or the folder of another.",
        metavar="DIR|default|none",
        show_default=True,
    )
    polish: str = option(
        "off",
        help="Whether a small network smooths blotches and streaks out of the colours of what the "
        "photo does not show squarely; it takes about 15 seconds on two idle cores.",
        choices=POLISH_CHOICES,
        show_default=True,
    )
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.network:
            object.__setattr__(self, "network", "default")
        check_options(self)

    def as_provenance(self) -> dict[str, Any]:
        """The options as an avatar records them, JSON-able.

        They name no folders of this computer, and have ``settings`` only where some changed.
        """
        options = {**asdict(self), "network": Path(self.network).name}
        options["estimator"] = [Path(file).name for file in self.estimator]
        for name in ("smplx", "sapiens"):
            options[name] = None if options[name] is None else Path(options[name]).name
        if not self.settings:
            del options["settings"]
        return options


def parse_settings(texts: tuple[str, ...]) -> dict[str, str]:
    """Name -> value of ``NAME=VALUE`` texts; the last one of a name counts.

    Raises:
        LikenessError: a text has another form.
    """
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise LikenessError(
                f"--set '{text}' is not a setting.", "Write --set NAME=VALUE; see info --settings."
            )
        settings[name.strip()] = value.strip()
    return settings
