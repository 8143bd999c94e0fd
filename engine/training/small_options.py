"""Options of training a small network. Light to import: the command line reads them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from ..core.options import check_options, option


@dataclass(frozen=True)
class SmallRunOptions:
    """What the commands that train a small network share.

    Attributes:
        steps: Of the whole run.
        minutes: After which this session stops; None for no limit.
        export: Folder to write the network into as it is shipped; None trains.
        about: What its card says of data, commands, figures and limits.

    Raises:
        LikenessError: A value is not allowed; the option and what it must be are named.
    """

    steps: int = option(
        30_000, help="Number of steps of the whole run, 8 samples each.", min=1, show_default=True
    )
    minutes: float | None = option(
        None, help="Stop after this time; the same command goes on.", min=0, min_open=True
    )
    export: Path | None = option(
        None,
        help="Do not train: write RUN's network into DIR in the form shipped with Likeness.",
        metavar="DIR",
    )
    about: Path | None = option(
        None,
        help="With --export: what the card says of data, commands, figures and limits.",
        metavar="JSON",
    )

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def limit(self) -> float:
        """Minutes after which this session stops; infinite without a limit."""
        return math.inf if self.minutes is None else self.minutes


@dataclass(frozen=True)
class LabelOptions(SmallRunOptions):
    """Options of the network that labels what a photo does not show.

    Attributes:
        lifts: Folder of lifted pictures of the people.
        make_lifts: Of how many people to lift pictures; None trains.
        measure: Whether to measure the run's network instead of training.
    """

    lifts: Path | None = option(
        None,
        help="Folder of lifted pictures of these people, from which a third of the samples comes.",
        metavar="DIR",
    )
    make_lifts: int | None = option(
        None,
        help="Do not train: fill --lifts with lifted pictures of the first N people.",
        metavar="N",
        min=1,
    )
    measure: bool = option(
        False,
        help="Do not train: measure RUN's network on the people of --data, which should be of the "
        "test split, and on their --lifts.",
    )


@dataclass(frozen=True)
class ParserOptions(SmallRunOptions):
    """Options of the network that labels what a photo shows.

    Attributes:
        make_pictures: Of how many people to draw pictures; None trains.
        assets: Library of assets for these people.
        split: Of which people and assets they are.
        seed: Of these people.
        engine: What draws their colours.
        measure: Whether to measure the parser in use instead of training.
    """

    make_pictures: int | None = option(
        None,
        help="Do not train: fill --data with pictures of N people, four of each.",
        metavar="N",
        min=1,
    )
    assets: str | None = option(
        None, help="With --make-pictures: as for 'likeness synth'.", metavar="LIBRARY"
    )
    split: str = option(
        "train",
        help="With --make-pictures: as for 'likeness synth'.",
        choices=("train", "test"),
        show_default=True,
    )
    seed: int = option(31, help="With --make-pictures: of the people.", min=0, show_default=True)
    engine: str = option(
        "raster",
        help="With --make-pictures: as for 'likeness synth'.",
        choices=("raster", "cycles"),
        show_default=True,
    )
    measure: bool = option(
        False,
        help="Do not train: measure the parser that Likeness uses on --data, which should be of "
        "the test split.",
    )


@dataclass(frozen=True)
class PolishOptions(SmallRunOptions):
    """Options of the network that polishes avatars.

    Attributes:
        make_pairs: Shards of people to fill the data with; None trains.
        size: Pixels of the pictures' sides.
        measure: Whether to measure the network in use instead of training.
    """

    make_pairs: Path | None = option(
        None,
        help="Do not train: lift the people of these shards, and fill --data with views of them.",
        metavar="SHARDS",
    )
    size: int = option(
        320, help="With --make-pairs: side of the pictures.", unit="pixels", min=128, max=2048
    )
    measure: bool = option(
        False,
        help="Do not train: measure the network that Likeness uses on --data, which should be of "
        "the test split.",
    )
