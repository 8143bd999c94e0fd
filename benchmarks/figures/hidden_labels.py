"""What the lift says of the places that a photo does not show, against synthetic people's truth.

The truth is that of the body's atlas (engine/synth/atlas_truth.py): what covers each texel, and
its colour without light. Everything is weighted by the area that a texel stands for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...engine.body import Body
from ...engine.core.color import rgb_to_lab
from ...engine.core.geometry import vertex_normals
from ...engine.core.types import (
    JOINT_INDEX,
    LAYERS,
    BoolArray,
    BoundGaussians,
    FloatArray,
    IntArray,
)
from ...engine.dataset.atlas_people import ATLAS_LABELS, ATLAS_SIZE, AtlasPerson
from ...engine.dual_uv.sampling import SurfaceSamples, sample_surface
from ...engine.evaluation.protocols.observed_photos import ObservedPhoto, observe_truth
from ...engine.gaussians.lift.garments.labels_network import LabelNetworkRuntime, load_label_network
from ...engine.gaussians.lift.garments.labels_surface import labels_at
from ...engine.gaussians.lift.lift_photo import LiftOptions, LiftResult, lift_photo
from ...engine.gaussians.lift.pixels.labels_parser import ParserRuntime, load_parser
from ...engine.gaussians.lift.surface.labels import LABELS
from ...engine.synth.atlas_truth import AtlasTruthMaker
from ...engine.synth.figure import SynthContext, make_subject
from ...engine.synth.subject import RasterStudio, StageClock, draw_subject
from ...engine.synth.synth_options import SynthOptions
from ...engine.tracking.detectors import Detectors

REGIONS = ("in frame", "trunk back", "sides", "occluded front", "arms", "skin", "seen")
"""Where labels are compared: hidden texels, but ``seen``. ``in frame`` leaves out the legs of half
figures, and arms and all below the shoulders of heads; ``skin`` is that of them which truly is."""

NONE, SKIN = ATLAS_LABELS.index("none"), ATLAS_LABELS.index("skin")
TO_LIFT = np.array([LABELS.index("upper" if name == "outer" else name) for name in ATLAS_LABELS])
"""Row of the lift's labels for each of the atlas's."""

_FACING = 0.3  # normal's z at rest from which a place is front, or behind
_SHOULDERS = 0.2  # metres above the pelvis from which a place is in a head's frame
_SOLID = 0.3  # opacity of a splat whose colour shows
_OFFSET = 0.02  # of 1, so that black has a ratio
_SHOWN = 20  # samples from which a label's own light is found
_COLORED = ("in frame", "seen")


class HiddenScore(NamedTuple):
    """One person's figures, to be added up.

    Attributes:
        right: region -> square metres whose label is right.
        area: region -> square metres.
        color: ``in frame`` and ``seen`` -> square metres times the CIE Lab distance of colours.
        color_area: the same -> square metres whose colours are compared.
    """

    right: dict[str, float]
    area: dict[str, float]
    color: dict[str, float]
    color_area: dict[str, float]


def score_person(
    number: int,
    options: SynthOptions,
    context: SynthContext,
    maker: AtlasTruthMaker,
    detectors: Detectors,
    networks: LiftNetworks | None = None,
) -> HiddenScore:
    """Make a person and their photo, lift it from the true body and matte, and compare.

    Args:
        number: of the person.
        options: of the people, with one view.
        context: opened with them.
        maker: of the truth, opened with them.
        detectors: of faces and landmarks.
        networks: as for :func:`lift_shot`.

    Raises:
        LikenessError: nobody is found in the photo, or it cannot be lifted.
    """
    made = make_subject(number, options, context)
    subject = draw_subject(made, options, RasterStudio(context.surroundings.read), StageClock())
    body = context.dress.body
    shot = observe_truth(subject, 0, body, detectors)
    return score_lift(
        maker.make(number), lift_shot(shot, networks), shot.person, body, subject.framing
    )


class LiftNetworks(NamedTuple):
    """The small networks of the lift."""

    labels: LabelNetworkRuntime
    parser: ParserRuntime

    @staticmethod
    def load() -> LiftNetworks:
        """Load those of the product."""
        return LiftNetworks(load_label_network(), load_parser())


def lift_shot(
    shot: ObservedPhoto, networks: LiftNetworks | None = None, lift: LiftOptions | None = None
) -> LiftResult:
    """Lift a photo of a known body.

    Args:
        shot: the photo.
        networks: that say what covers the body; None: the rules alone.
        lift: how the budget is spent.

    Raises:
        LikenessError: it cannot be lifted.
    """
    return lift_photo(
        shot.matte,
        shot.observation,
        shot.track,
        shot.person,
        lift or LiftOptions(),
        find_skirt=shot.find_skirt,
        labels=networks.labels if networks else None,
        parser=networks.parser if networks else None,
    )


def score_lift(
    truth: AtlasPerson, lifted: LiftResult, person: Body, body: Body, framing: str
) -> HiddenScore:
    """Compare a lift with the truth; the photo is the truth's first view.

    Colours are compared in the photo's light: the truth's are multiplied, by channel and label,
    with the median ratio of the lift's to them where both are seen and the label is right. By
    label, since a lamp above makes shoulders brighter than the face, which is no fault of colours.

    Args:
        truth: over the atlas.
        lifted: from the photo.
        person: their own body.
        body: the default one, whose atlas it is.
        framing: ``head``, ``half`` or ``full``.
    """
    samples = sample_surface(body, ATLAS_SIZE)
    at = samples.row, samples.col
    true, seen = truth.label[at], truth.facing[0][at] > 0
    valid = true != NONE
    assert lifted.label_shares is not None
    ours = labels_at(lifted.label_shares, body.f[samples.triangle], samples.bary)
    right = ours == TO_LIFT[true]
    weight = texel_areas(samples, person)
    regions = find_regions(samples, person, framing)
    hidden = {name: valid & ~seen & mask for name, mask in regions.items()}
    hidden["skin"] = hidden["in frame"] & (true == SKIN)
    hidden["seen"] = valid & seen
    color, has = texel_colors(lifted.gaussians, body)
    color, has = color[at], has[at]
    albedo = truth.albedo[at] / 255.0
    light = fit_light(color, albedo, true, seen & valid & right & has)
    distance = np.linalg.norm(
        rgb_to_lab(np.clip(color, 0.0, 1.0)) - rgb_to_lab(np.clip(albedo * light, 0.0, 1.0)), axis=1
    )
    compared = {name: hidden[name] & has for name in _COLORED}
    return HiddenScore(
        {name: float(weight[mask & right].sum()) for name, mask in hidden.items()},
        {name: float(weight[mask].sum()) for name, mask in hidden.items()},
        {name: float(distance[mask] @ weight[mask]) for name, mask in compared.items()},
        {name: float(weight[mask].sum()) for name, mask in compared.items()},
    )


def fit_light(
    color: FloatArray, albedo: FloatArray, label: IntArray, shown: BoolArray
) -> FloatArray:
    """Return what the photo's light makes of each sample's colour, as factors [N, 3].

    Args:
        color: [N, 3] of the lift, sRGB 0..1.
        albedo: [N, 3] of the truth, the same.
        label: [N] of the truth. A label of which less than 20 samples are shown gets the factors
            of all that is shown.
        shown: [N] samples whose colours are the photo's; without any the factors are 1.
    """
    ratio = (color + _OFFSET) / (albedo + _OFFSET)
    light = np.ones_like(ratio)
    if shown.any():
        light[:] = np.median(ratio[shown], axis=0)
    for one in np.unique(label[shown]):
        mine = shown & (label == one)
        if mine.sum() >= _SHOWN:
            light[label == one] = np.median(ratio[mine], axis=0)
    return light


def find_regions(samples: SurfaceSamples, person: Body, framing: str) -> dict[str, BoolArray]:
    """Return which samples [N] lie in each region, seen or not."""
    part = np.array(person.part_names)[person.face_part[samples.triangle]]
    rest = np.asarray(person.v_template, np.float64)
    facing = samples.points(vertex_normals(rest, person.f), person.f)[:, 2]
    height = samples.points(rest, person.f)[:, 1] - person.J_template[JOINT_INDEX["pelvis"], 1]
    trunk, arms = part == "torso", np.isin(part, ("arm", "hand"))
    framed = np.ones(len(part), bool)
    if framing != "full":
        framed &= ~np.isin(part, ("leg", "foot"))
    if framing == "head":
        framed &= ~arms & (height > _SHOULDERS)
    return {
        "in frame": framed,
        "trunk back": trunk & (facing < -_FACING),
        "sides": trunk & (np.abs(facing) <= _FACING),
        "occluded front": trunk & (facing > _FACING),
        "arms": arms,
    }


def texel_areas(samples: SurfaceSamples, person: Body) -> FloatArray:
    """Return the area [N] in square metres that each sample stands for, at rest."""

    def twice(corners: FloatArray) -> FloatArray:  # of triangles, in space or in the atlas
        a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        if corners.shape[2] == 2:
            return np.asarray(np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]))
        return np.asarray(np.linalg.norm(np.cross(a, b), axis=1))

    surface = twice(np.asarray(person.v_template, np.float64)[person.f[samples.triangle]])
    chart = twice(np.asarray(person.atlas_vt, np.float64)[person.atlas_ft[samples.triangle]])
    return surface / np.maximum(chart * samples.size**2, 1e-12)


def texel_colors(gaussians: BoundGaussians, body: Body) -> tuple[FloatArray, BoolArray]:
    """Average the core's and the shell's colours over the atlas.

    Args:
        gaussians: of a lift; those of a skirt's own mesh are left out.
        body: the default one.

    Returns:
        colors: [S, S, 3] sRGB 0..1.
        has: [S, S] texels with a splat.
    """
    own = (gaussians.layer != LAYERS.index("photo")) & (gaussians.opacities > _SOLID)
    one = gaussians.take(own & (gaussians.triangle < len(body.f)))
    uv = np.einsum("nk,nkd->nd", one.bary, body.atlas_vt[body.atlas_ft[one.triangle]])
    col, row = np.clip((uv * ATLAS_SIZE).astype(int), 0, ATLAS_SIZE - 1).T
    cell: IntArray = row * ATLAS_SIZE + col
    count = np.bincount(cell, minlength=ATLAS_SIZE**2)
    total = [np.bincount(cell, one.colors[:, k], ATLAS_SIZE**2) for k in range(3)]
    mean = np.stack(total, 1) / np.maximum(count, 1)[:, None]
    return mean.reshape(ATLAS_SIZE, ATLAS_SIZE, 3), (count > 0).reshape(ATLAS_SIZE, ATLAS_SIZE)


def summarize_people(scores: Sequence[HiddenScore]) -> dict[str, Any]:
    """Return JSON-able figures of all people together; None where no place counts."""

    def share(part: Iterable[float], whole: Iterable[float]) -> float | None:
        area = sum(whole)
        return sum(part) / area if area > 0 else None

    labels = {}
    for name in REGIONS:
        right = share([s.right[name] for s in scores], [s.area[name] for s in scores])
        labels[name] = None if right is None else 100 * right
    return {
        "people": len(scores),
        "label_pct": labels["in frame"],
        "labels_pct": labels,
        "color_de": share(
            [s.color["in frame"] for s in scores], [s.color_area["in frame"] for s in scores]
        ),
        "color_seen_de": share(
            [s.color["seen"] for s in scores], [s.color_area["seen"] for s in scores]
        ),
    }


def format_labels_header() -> str:
    """Return the head of the table of :func:`format_labels`."""
    return f"{'person':<12}" + "".join(f"{name:>16}" for name in REGIONS) + f"{'colour dE':>11}"


def format_labels(name: str, figures: dict[str, Any]) -> str:
    """Return a line of the table: figures of :func:`summarize_people`."""
    cells = [(figures["labels_pct"][region], 16) for region in REGIONS]
    return f"{name:<12}" + "".join(
        f"{'-' if value is None else format(value, '.1f'):>{width}}"
        for value, width in (*cells, (figures["color_de"], 11))
    )
