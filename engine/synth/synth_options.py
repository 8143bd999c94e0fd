"""Options of a set of synthetic people. Light to import: the command line reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.options import option
from ..core.types import LikenessError

FRAMINGS = {"head": 0.2, "half": 0.55, "full": 0.25}
"""Shares of a mixed set: as in the paper's, most views are of the upper body (section 4.1)."""

ENGINES = ("cycles", "raster")

SPLITS = ("all", "train", "test")
"""``all`` has no split: it is for looking at. Where a test set of the same library measures, don't
train on it; never measure with it."""

_LATER = {"attributes": 0, "between": 0}
"""Options that older sets lack, and what these were made with."""


@dataclass(frozen=True)
class SynthOptions:
    """Options of a set of synthetic people; the same options make the same pixels.

    Attributes:
        assets: folder of an asset library in MakeHuman's form; None: procedural looks only.
        characters: folders written by ``likeness convert``, which come first.
        motions: motion files whose frames are poses.
        environments: HDR pictures.
        seed: of everything that is random.
        split: of ``SPLITS``, the people, assets and lights to draw from.
        engine: ``cycles`` or ``raster``.
        size: pixels along the sides of the pictures.
        views: number of pictures of each person.
        poses: of each person; the views take turns to show them.
        attributes: edits of each person, an even number; 0: everybody once, as they are.
        between: people between the two edits of each pair.
        framing: ``head``, ``half``, ``full``, or ``mix`` (:data:`FRAMINGS`).
        samples: of Cycles for each pixel, at most.
        texture_size: pixels along the sides of the body's textures; 0 follows ``size``.
        depth: whether depth is stored.
        labels: whether part labels are stored.
        hold_out: one view in this many is held out of training, never the reference; 0: none.

    Raises:
        LikenessError: the framing, engine or split is not known, there are fewer views than
            poses, or the edits cannot be made.
    """

    seed: int = option(0, help="Random seed; 0 if not given.", metavar="N", min=0)
    size: int = option(
        512, help="Side of the pictures; 512 if not given.", unit="pixels", min=16, max=4096
    )
    views: int = option(
        12, help="Pictures of each person; 12 if not given.", metavar="N", min=1, max=100
    )
    poses: int = option(
        1,
        help="Poses, with expressions, of each person, shown in turn by the pictures; 1 if not "
        "given.",
        metavar="N",
        min=1,
        max=100,
    )
    attributes: int = option(
        0,
        help="Edits of each person, in pairs: another hat, beard, cut and so on; all else stays.",
        metavar="N",
        min=0,
        max=1000,
    )
    between: int = option(
        0, help="Steps between the two edits of a pair.", metavar="N", min=0, max=100
    )
    framing: str = option(
        "mix",
        help="Part of the body that the pictures show; mix if not given.",
        choices=("head", "half", "full", "mix"),
    )
    engine: str = option(
        "cycles",
        help="Renderer: Blender's path tracer, or our own rasteriser.",
        choices=ENGINES,
        show_default=True,
    )
    samples: int = option(
        48,
        help="Samples of Cycles for each pixel, at most; 48 if not given.",
        metavar="N",
        min=1,
        max=65536,
    )
    texture_size: int = option(
        0,
        help="Side of the skin's texture; follows --size if not given.",
        unit="pixels",
        min=64,
        max=8192,
    )
    assets: str | None = option(
        None,
        help="Asset library in MakeHuman's layout; without one all looks are procedural.",
        metavar="DIR",
    )
    motions: tuple[str, ...] = option(
        (),
        help="Motion files whose frames are poses; else poses are generated. Repeatable.",
        metavar="FILE|DIR",
    )
    environments: tuple[str, ...] = option(
        (),
        help="HDR pictures that light; else Blender's own, and procedural skies. Repeatable.",
        metavar="FILE|DIR",
    )
    characters: tuple[str, ...] = option(
        (),
        help="Character that 'likeness convert' has made; they come first. Repeatable.",
        metavar="DIR",
    )
    depth: bool = option(True, help="Also store depth (the default).")
    labels: bool = option(True, help="Also store part labels (the default).")
    split: str = option(
        "all",
        help="Only the people, assets and lights that training may see (train), or the others "
        "(test); all if not given.",
        choices=SPLITS,
    )
    hold_out: int = option(
        0,
        help="Hold every Nth view back from training, for measuring; 0 for none.",
        metavar="N",
        min=0,
        show_default=True,
    )

    def __post_init__(self) -> None:
        for name, known in (
            ("framing", (*FRAMINGS, "mix")),
            ("engine", ENGINES),
            ("split", SPLITS),
        ):
            if getattr(self, name) not in known:
                raise LikenessError(
                    f"'{getattr(self, name)}' is not a known {name}.",
                    f"Choose one of: {', '.join(known)}.",
                )

        if self.attributes % 2 or (self.between and not self.attributes):
            raise LikenessError(
                f"{self.attributes} edits of a person do not make pairs.", "Give an even number."
            )
        if self.attributes and self.characters:
            raise LikenessError(
                "Characters stay as they are: their hair and clothes cannot be edited.",
                "Make families of synthetic people alone.",
            )
        if self.poses > self.views:
            raise LikenessError(
                f"{self.views} views cannot show {self.poses} poses.",
                "Give at least as many views as poses.",
            )

    @property
    def texture(self) -> int:
        """Pixels along the sides of the body's textures: half as fine as the closest picture."""
        return self.texture_size or min(max(2 * self.size, 512), 2048)


def family_size(edits: int, between: int) -> int:
    """Number of members of a family: the person, the edits, and what lies between their pairs.

    >>> family_size(40, 0), family_size(40, 5)
    (41, 141)
    """
    return 1 + edits // 2 * (2 + between)


def fill_later_options(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Give the options of an older set the fields that did not exist then.

    >>> fill_later_options({"seed": 3}, {"seed": 3, "attributes": 0})
    {'seed': 3, 'attributes': 0}

    Args:
        before: What the set was begun with.
        now: What it is to be continued with.
    """
    return {**before, **{k: v for k, v in _LATER.items() if k in now and k not in before}}
