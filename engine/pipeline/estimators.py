"""Other programs' estimates of a pose, as options name them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.types import LikenessError
from ..tracking.estimators import FileEstimator, KeypointEstimator
from .options import NAME_MARK


@dataclass(frozen=True)
class Estimators:
    """What tells the fit more than the detectors do.

    Attributes:
        poses: poses to begin with; for each joint the last one that knows it counts.
        keypoints: another detector, whose body and hand points are used where it is sure.
    """

    poses: tuple[FileEstimator, ...] = ()
    keypoints: KeypointEstimator | None = None


NO_ESTIMATORS = Estimators()


def open_estimators(
    files: Sequence[str | Path], smplx: str | Path | None, sapiens: str | Path | None, media: Path
) -> Estimators:
    """The estimators for one photo or video.

    Args:
        files: other programs' output; ``{name}`` in a path stands for the photo's name.
        smplx: the user's own SMPL-X model file, which some files need.
        sapiens: folder of a Sapiens2 pose model.
        media: the photo or video.

    Raises:
        LikenessError: Sapiens2 is asked for, and torch is not installed.
    """
    model = None if smplx is None else Path(smplx)
    paths = [Path(str(file).replace(NAME_MARK, media.stem)) for file in files]
    return Estimators(tuple(FileEstimator(path, smplx=model) for path in paths), _sapiens(sapiens))


def _sapiens(folder: str | Path | None) -> KeypointEstimator | None:
    """Sapiens2 from a local folder; torch is imported only here."""
    if folder is None:
        return None
    try:
        from ..tracking.estimators.sapiens import SapiensKeypoints
    except ImportError as error:
        raise LikenessError(
            "Sapiens2 needs torch, which is not installed.",
            "Install the project with its extra .[sapiens], or do without Sapiens2.",
        ) from error
    return SapiensKeypoints(str(folder))
