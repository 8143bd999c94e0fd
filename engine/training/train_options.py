"""Options of a training session. Light to import: the command line reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..core.options import check_options, option
from ..core.types import LikenessError


@dataclass(frozen=True)
class TrainOptions:
    """What a user may choose for a training session, besides the run's own configuration.

    Attributes:
        data: Shards, as :func:`.shards.shard_files` takes them.
        config: Name or file of the configuration; None for the run's own.
        changes: ``NAME=VALUE`` for each setting of the configuration that differs.
        steps: Of the configuration; None leaves it.
        workers: Of the configuration; None leaves it.
        validate: Shards of other people, for validation.
        device: ``auto``, ``cpu`` or ``cuda``.
        references: Folder of lifted photos, which other runs may share; None uses the run's folder.
        lift_only: Number of processes that only lift the photos; None trains.
        onnx: Whether to export the network at the end, for use without torch.
        export_weights: Folder to write the run's network into as it is shipped; None trains.
        body: The body that the shards' shapes and poses belong to; None for the default one.

    Raises:
        LikenessError: A value is not allowed; the option and what it must be are named.
    """

    data: tuple[str, ...] = option(
        (),
        help="Folder of shards, a pattern like 'shard-{000000..000099}.tar', or a file. Required; "
        "repeatable.",
        metavar="SHARDS",
    )
    config: str | None = option(
        None,
        help="Configuration: paper, paper-small, paper-tiny, guava, guava-base, guava-tiny, base, "
        "small, tiny, or a file like a run's config.json; if not given, the one of RUN.",
        metavar="NAME|JSON",
    )
    changes: tuple[str, ...] = option(
        (),
        help="Another value for a setting, as in --set lr=2e-4. Repeatable.",
        metavar="NAME=VALUE",
        flags=("--set",),
    )
    steps: int | None = option(None, help="Number of steps; same as --set steps=N.", min=1)
    workers: int | None = option(
        None, help="Number of data workers; same as --set workers=N.", min=0
    )
    validate: tuple[str, ...] = option(
        (), help="Shards of other people, to validate the network on. Repeatable.", metavar="SHARDS"
    )
    device: str = option(
        "auto",
        help="Device to train on. For several GPUs: torchrun --nproc-per-node N -m likeness train "
        "...",
        choices=("auto", "cpu", "cuda"),
        show_default=True,
    )
    references: Path | None = option(
        None,
        help="Folder of the lifted photos, for several runs on the same data; in RUN if not given.",
        metavar="DIR",
    )
    lift_only: int | None = option(
        None,
        help="Only lift the photos, in N processes, so that the run does not wait for it.",
        metavar="N",
        min=1,
    )
    onnx: bool = option(True, help="Also export the network to ONNX (the default).")
    export_weights: Path | None = option(
        None,
        help="Write RUN's network into DIR in the form shipped with Likeness, and do not train.",
        metavar="DIR",
    )
    body: Path | None = option(None, help="Another body file.", metavar="NPZ")

    def __post_init__(self) -> None:
        check_options(self)

    def settings(self) -> dict[str, str]:
        """Get the values of the configuration's settings that differ, by name.

        Raises:
            LikenessError: A change is not of the form ``NAME=VALUE``.

        >>> TrainOptions(changes=("lr=2e-4",), steps=10).settings()
        {'lr': '2e-4', 'steps': '10'}
        """
        settings = {}
        for text in self.changes:
            name, equals, value = text.partition("=")
            if not (name and equals and value):
                raise LikenessError(f"--set '{text}' is not a setting.", "Write --set NAME=VALUE.")
            settings[name] = value
        given = {"steps": self.steps, "workers": self.workers}
        return settings | {name: str(value) for name, value in given.items() if value is not None}
