"""The options of a measurement. Light to import: the command line reads them."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.options import option
from ...core.types import MAX_GAUSSIANS, LikenessError
from ...pipeline.options import MIN_GAUSSIANS, REFINE_CHOICES, estimator_option, smplx_option

PROTOCOLS = ("input", "crossview", "reenact", "cross-reenact", "tracking", "estimators")


@dataclass(frozen=True)
class EvalOptions:
    """What is measured, and how.

    Attributes:
        protocols: of :data:`PROTOCOLS`.
        data: files, folders, patterns of shards.
        network: as for a build.
        refine: as for a build; also compares the last of lift and network refined.
        limit: upper limit of the photos, people or videos of each protocol.
        views: upper limit of the views of each of them, besides the reference.
        max_frames: upper limit of the frames tracked in a video.
        tracked: whether ``crossview`` uses our own tracker.
        max_gaussians: as for a build.
        lpips: ``auto``, ``none`` or a backbone.
        face_model: a file or name; None for the usual.
        features: an ONNX file for FID and KID; None leaves them out.
        estimator: as for a build; ``{name}`` is the photo's or video's name, or the view's key in
            the report with an underscore for the slash.
        smplx: as for a build.

    Raises:
        LikenessError: ``refine`` is unknown.
    """

    protocols: tuple[str, ...]
    data: tuple[str, ...] = option(
        help="A photo, a video, a folder of them, or shards of 'likeness synth'. Repeatable.",
        metavar="PATH",
    )
    network: str = option(
        "none",
        help="Also measure a trained network that improves the lift.",
        metavar="DIR|default|none",
        show_default=True,
    )
    refine: str = option(
        "off",
        help="Also measure the network's avatar (the lift's without a network) fitted to the "
        "photo.",
        choices=REFINE_CHOICES,
        show_default=True,
    )
    limit: int | None = option(
        None, help="Upper limit of the photos, people or videos.", metavar="N", min=1
    )
    views: int | None = option(
        None,
        help="Upper limit of the views of each besides the reference; if not given all of "
        "synthetic people, 24 frames of a video, 8 of each photo and video in cross-reenact, and 2 "
        "for tracking.",
        metavar="N",
        min=1,
    )
    max_frames: int | None = option(
        None, help="Upper limit of the frames tracked in a video.", metavar="N", min=2
    )
    tracked: bool = option(
        False,
        help="Give crossview no ground truth: our own tracker and matting look at the reference "
        "view.",
    )
    max_gaussians: int = option(
        MAX_GAUSSIANS,
        help="Upper limit of the number of splats.",
        metavar="N",
        min=MIN_GAUSSIANS,
        show_default=True,
    )
    lpips: str = option(
        "auto",
        help="Backbone of LPIPS; auto takes one that is installed, or reports why there is none.",
        choices=("auto", "lpips-alex", "lpips-vgg", "none"),
        show_default=True,
    )
    face_model: str | None = option(
        None,
        help="Face-recognition network for the identity figure; SFace, if installed, if not given.",
        metavar="ONNX|NAME",
    )
    features: str | None = option(
        None,
        help="Network whose features FID, KID and the consistency of clips compare; without it "
        "they are left out.",
        metavar="ONNX",
    )
    estimator: tuple[str, ...] = estimator_option()
    smplx: str | None = smplx_option()

    def __post_init__(self) -> None:
        if self.refine not in REFINE_CHOICES:
            raise LikenessError(
                f"'{self.refine}' is not a level of refining.",
                f"Choose one of: {', '.join(REFINE_CHOICES)}.",
            )
