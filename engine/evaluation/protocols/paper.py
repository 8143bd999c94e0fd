"""The paper's figures, and the data on which ours are measured instead."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A line of the paper's table 1.

    Attributes:
        setting: the test set.
        data: what it is, as the paper says.
        method: whose figures.
        nearest: our protocol that is most like it.
    """

    setting: str
    data: str
    method: str
    psnr: float
    ssim: float
    lpips: float
    nearest: str


_WILD = "100 real clips of upper bodies (OpenHumanVid)"
_WAN = "200 generated clips of upper bodies (Wan2.2)"
_FULL = "100 full-body pictures (SHHQ)"
_HEAD = "50 clips of talking heads (RenderMe360)"

TABLE: tuple[Row, ...] = (
    Row("Upper-Wild", _WILD, "the paper", 21.09, 0.8510, 0.1426, "reenact"),
    Row("Upper-Wild", _WILD, "GUAVA", 20.59, 0.7864, 0.1957, "reenact"),
    Row("Upper-Wild", _WILD, "LHM-HF", 13.95, 0.7835, 0.3335, "reenact"),
    Row("Upper-Wild", _WILD, "IDOL", 12.93, 0.7617, 0.3465, "reenact"),
    Row("Upper-Wan", _WAN, "the paper", 20.38, 0.7867, 0.1635, "reenact"),
    Row("Upper-Wan", _WAN, "GUAVA", 20.24, 0.7215, 0.1940, "reenact"),
    Row("Upper-Wan", _WAN, "LHM-HF", 12.04, 0.6664, 0.3626, "reenact"),
    Row("Upper-Wan", _WAN, "IDOL", 10.35, 0.5802, 0.5132, "reenact"),
    Row("Full-Body", _FULL, "the paper", 24.53, 0.8642, 0.0916, "input"),
    Row("Full-Body", _FULL, "LHM", 21.53, 0.9151, 0.0725, "input"),
    Row("Full-Body", _FULL, "IDOL", 18.51, 0.8753, 0.1256, "input"),
    Row("Head", _HEAD, "the paper", 19.04, 0.8526, 0.1613, "reenact"),
    Row("Head", _HEAD, "LAM, faces only", 17.19, 0.7526, 0.2207, "reenact"),
    Row("Head", _HEAD, "LAM", 14.81, 0.6789, 0.2613, "reenact"),
)
"""Blocks are named by their column heads and by whom they are compared with: the block with the
full-body methods IDOL and LHM is Full-Body, the one with LAM is Head."""

DIFFERS: dict[str, tuple[str, ...]] = {
    "all": (
        "Data: none of the paper's test sets is public with a list of its clips; ours are what "
        "--data names. Figures can be compared between our runs on the same data, and with the "
        "paper's only in size.",
        "The paper says neither at which resolution it compares, nor what stands behind the "
        "person, nor LPIPS's backbone. Ours: the person on grey (0.5), photos and frames at 512 "
        "pixels of the longer side, shards at their own size up to 512.",
        "'Of the person' counts the pixels that the truth or the drawing covers by more than "
        "half; the paper's figures seem to be of whole pictures.",
        "A person's views count as one: means are over views, then over people.",
    ),
    "input": (
        "The input view: the avatar of a photo beside that photo, as our own matting cuts it "
        "out. It tells how faithful the front is, and nothing about what the photo hides.",
        "Identity and landmarks are of the drawing and of the cut-out photo, by one detector.",
    ),
    "crossview": (
        "The paper has no such protocol; its supplement shows such views without figures. Our "
        "people are synthetic and rendered ('likeness synth'), so that every side is known.",
        "Angles are between a view and the reference view, about the vertical.",
    ),
    "crossview-true": (
        "The reference is given with the true body, camera and matte, as to training.",
    ),
    "crossview-tracked": (
        "As the other protocol of synthetic people, but through our own tracker.",
        "The reference is seen by our own tracker and matting, which do not know the lens. The "
        "fitted body is laid over the true one by a similarity of the vertices of trunk and head "
        "(without the pelvis at half length, without the trunk where only the head is in the "
        "frame): their place, size and turn are forgiven; the pose of all else, shape, matte and "
        "looks count.",
    ),
    "reenact": (
        "As in the paper: the first frame is the source, its avatar is driven by the tracked "
        "motion of the same video, with our own tracker. Shape and camera are of the whole clip.",
        "The truth is each frame through our matting, on grey; the paper does not say whether "
        "its backgrounds are left.",
    ),
    "cross-reenact": (
        "As in the second paper (10 sources, 8 videos; identity by ArcFace): each photo's avatar "
        "is moved by each video, from where it stands in the photo, seen by the photo's camera. "
        "Without ground truth, identity is the cosine between the drawn face and the photo's "
        "where a face is found.",
    ),
    "tracking": (
        "The paper has no figures of its tracker. The tracker is not told the lens. Joints and "
        "PVE are with pelvis on pelvis (neck on neck where the pelvis is not seen); PA-PVE after "
        "a similarity. Vertices outside of the frame do not count.",
    ),
    "estimators": (
        "The paper names the regimes of OSX, Multi-HMR, EMICA and HaMeR without figures. 'Told' is "
        "what an estimator says, before the fit: the angle to the truth of joints that the "
        "picture shows. Without files of real output, its errors are those that "
        "estimator_errors.toml states: assumptions, so told errors repeat them, and only the fits "
        "are measured.",
        "The measured map is in visibility.toml beside the report: "
        "--set tracking.visibility.map_file=visibility.toml uses it.",
    ),
}
