"""Options of a generated set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .clip_generation import VideoOptions
from .models import MODELS, Placement
from .rewrite import RewriteOptions
from .view_editing import EditOptions
from .vocabulary import FOLDER


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
        per_shard: Prompts per shard.
    """

    prompts: int
    seed: int = 0
    rewrite: bool = True
    models: Mapping[str, str] = field(default_factory=dict)
    placement: Placement = field(default_factory=Placement)
    rewriting: RewriteOptions = field(default_factory=RewriteOptions)
    video: VideoOptions = field(default_factory=VideoOptions)
    edit: EditOptions = field(default_factory=EditOptions)
    vocabulary: Path = FOLDER
    frames: int = 4
    size: int = 512
    per_shard: int = 64

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
            "shards": {"frames": self.frames, "size": self.size, "per_shard": self.per_shard},
        }
        return {stage: every[stage] for stage in ("prompts", *stages)}

    def as_json(self) -> dict[str, Any]:
        """Convert to JSON for workers, which may have Likeness's own vocabulary elsewhere."""
        own = Path(self.vocabulary) == FOLDER
        return {**asdict(self), "vocabulary": "" if own else str(Path(self.vocabulary).absolute())}


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
        }
    )
