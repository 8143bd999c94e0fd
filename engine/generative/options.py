"""Options of a generated set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..core.options import option
from ..pipeline.options import estimator_option, smplx_option
from .clip_generation import VideoOptions
from .models import MODELS, Placement
from .rewrite import RewriteOptions
from .view_editing import EditOptions
from .vocabulary import FOLDER

STAGES = ("prompts", "rewrite", "videos", "views", "shards")
_MODEL = "Another model, by a name that Likeness knows or its folder"


@dataclass(frozen=True)
class ModelSources:
    """Models other than the default ones: names in ``weights.WEIGHTS``, or folders.

    Attributes:
        rewrite: Of the language model.
        videos: Of the video model.
        views: Of the image model.
    """

    rewrite: str | None = option(
        None,
        help=f"{_MODEL}: a chat model of transformers.",
        metavar="NAME|DIR",
        flags=("--language-model",),
    )
    videos: str | None = option(
        None, help=f"{_MODEL}: a WanPipeline.", metavar="NAME|DIR", flags=("--video-model",)
    )
    views: str | None = option(
        None,
        help=f"{_MODEL}: a QwenImageEdit(Plus)Pipeline.",
        metavar="NAME|DIR",
        flags=("--image-model",),
    )

    def by_stage(self) -> dict[str, str]:
        """Map the stages to their sources; folders are absolute, as workers may run elsewhere."""
        return {
            stage: str(Path(source).absolute()) if Path(source).is_dir() else source
            for stage, source in asdict(self).items()
            if source
        }


@dataclass(frozen=True)
class GenerateOptions:
    """Options of a generated set.

    Attributes:
        prompts: Number of scenes; a larger number continues the folder's set.
        seed: Of everything.
        rewrite: Whether the language model is used; else templates are filmed unchanged.
        models: Stage -> name in ``weights.WEIGHTS`` or folder, where not the default.
        placement: Where the models run.
        rewriting: Of the language model.
        video: Of the clips.
        edit: Of the turned views.
        vocabulary: Its folder.
        frames: Frames of a clip that become views.
        size: Of the views, in pixels.
        estimator: Other programs' poses of the clips (docs/ESTIMATORS.md); ``{name}`` stands for a
            clip's name, ``{frame}`` for the frame.
        smplx: The user's own SMPL-X model file, which some of them need.
        body: The body that is tracked and trained on, where not the default one.
        per_shard: Prompts per shard.
    """

    prompts: int = option(
        help="Number of scenes; a larger number later extends the set.",
        metavar="N",
        min=1,
        max=1_000_000,
    )
    seed: int = option(0, help="Random seed.", metavar="N", min=0, show_default=True)
    rewrite: bool = option(
        True,
        help="Have a language model rewrite the scenes (the default), or film them as composed.",
    )
    models: Mapping[str, str] = field(default_factory=dict)
    placement: Placement = field(default_factory=Placement)
    rewriting: RewriteOptions = field(default_factory=RewriteOptions)
    video: VideoOptions = field(default_factory=VideoOptions)
    edit: EditOptions = field(default_factory=EditOptions)
    vocabulary: Path = FOLDER
    frames: int = option(
        4,
        help="Frames of each clip that become views, besides the sides and the back.",
        metavar="N",
        min=1,
        flags=("--views",),
        show_default=True,
    )
    size: int = option(
        512, help="Side of the views.", unit="pixels", min=64, max=2048, show_default=True
    )
    estimator: tuple[str, ...] = estimator_option()
    smplx: str | None = smplx_option()
    body: str | None = option(
        None, help="Another body: a file of 'likeness body prepare'.", metavar="NPZ"
    )
    per_shard: int = option(
        64, help="Scenes in each tar file.", metavar="N", min=1, show_default=True
    )

    def fixed(self, stages: Sequence[str]) -> dict[str, Any]:
        """Get what must stay the same in one folder once these stages have begun, by stage."""
        names = {k: Path(self.models.get(k, MODELS[k].weights)).name for k in MODELS}
        dtype = self.placement.dtype
        every = {
            "prompts": {"seed": self.seed, "vocabulary": Path(self.vocabulary).name},
            "rewrite": {"model": names["rewrite"], "dtype": dtype, **asdict(self.rewriting)},
            "videos": {
                "model": names["videos"],
                "dtype": dtype,
                "rewrite": self.rewrite,
                **asdict(self.video),
            },
            "views": {"model": names["views"], "dtype": dtype, **asdict(self.edit)},
            "shards": {
                "frames": self.frames,
                "size": self.size,
                "per_shard": self.per_shard,
                **({"estimator": [Path(f).name for f in self.estimator]} if self.estimator else {}),
                **({} if self.body is None else {"body": Path(self.body).name}),
            },
        }
        return {stage: every[stage] for stage in ("prompts", *stages)}

    def as_json(self) -> dict[str, Any]:
        """Convert to JSON for workers, which may have Likeness's own vocabulary elsewhere."""
        own = Path(self.vocabulary) == FOLDER
        return {
            **asdict(self),
            "vocabulary": "" if own else str(Path(self.vocabulary).absolute()),
            "estimator": [str(Path(file).absolute()) for file in self.estimator],
            "smplx": None if self.smplx is None else str(Path(self.smplx).absolute()),
            "body": None if self.body is None else str(Path(self.body).absolute()),
        }


def parse_options(said: Mapping[str, Any]) -> GenerateOptions:
    """Parse the JSON of :meth:`GenerateOptions.as_json`."""
    return GenerateOptions(
        **{
            **said,
            "placement": Placement(**said["placement"]),
            "rewriting": RewriteOptions(**said["rewriting"]),
            "video": VideoOptions(**said["video"]),
            "edit": EditOptions(**said["edit"]),
            "vocabulary": Path(said["vocabulary"] or FOLDER),
            "estimator": tuple(said["estimator"]),
        }
    )
