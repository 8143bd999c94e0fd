"""Opens other programs' estimates of a pose from the options of a build."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.types import LikenessError
from ..files.cache import get_or_load
from ..tracking.estimators import FileEstimator, FrameEstimator, KeypointEstimator
from ..tracking.estimators.model import ModelEstimator, is_model
from .options import NAME_MARK


@dataclass(frozen=True)
class Estimators:
    """Evidence for the fit beyond the project's own detectors.

    Attributes:
        poses: initial poses; what is visible decides whose a joint is.
        keypoints: other detectors, whose body and hand points are used where they are sure.
    """

    poses: tuple[FrameEstimator, ...] = ()
    keypoints: tuple[KeypointEstimator, ...] = ()


NO_ESTIMATORS = Estimators()


def open_estimators(
    files: Sequence[str | Path], smplx: str | Path | None, sapiens: str | Path | None, media: Path
) -> Estimators:
    """Open the estimators for one photo or video.

    Args:
        files: other programs' output or models, as for :func:`resolve_estimates`.
        smplx: the user's own SMPL-X model file, which some files need.
        sapiens: folder of a Sapiens2 pose model.
        media: the photo or video.

    Raises:
        LikenessError: ``sapiens`` is given, and torch is not installed or the model is unusable.
    """
    model = None if smplx is None else Path(smplx)
    poses: tuple[FrameEstimator, ...] = tuple(
        ModelEstimator(path, model) if is_model(path) else FileEstimator(path, smplx=model)
        for path in resolve_estimates(files, media.stem)
    )
    more = () if sapiens is None else (_open_sapiens(Path(sapiens)),)
    return Estimators(poses, (*more, *poses))


def resolve_estimates(files: Sequence[str | Path], name: str) -> list[Path]:
    """Get the paths of a photo's estimates.

    Args:
        files: paths, in which ``{name}`` stands for the photo's name.
        name: the photo's, without its suffix.

    >>> [path.name for path in resolve_estimates(["poses/{name}.npz"], "anna")]
    ['anna.npz']
    """
    return [Path(str(file).replace(NAME_MARK, name)) for file in files]


def _open_sapiens(folder: Path) -> KeypointEstimator:
    """Open Sapiens2, which stays open from one portrait to the next; only this imports torch."""
    try:
        from ..tracking.estimators.sapiens import SapiensKeypoints
    except ImportError as error:
        raise LikenessError(
            "Sapiens2 needs torch, which is not installed.",
            "Install the project with its extra .[sapiens], or leave Sapiens2 out.",
        ) from error
    return get_or_load("sapiens", folder, lambda: SapiensKeypoints(str(folder)))
