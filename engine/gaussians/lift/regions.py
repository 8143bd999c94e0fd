"""What a pixel shows: which limb, and whether skin or something worn over it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.csgraph import dijkstra

from ...body import Body
from ...core.cameras import project
from ...core.color import rgb_to_lab
from ...core.distances import find_nearest, measure_depth
from ...core.settings import register_settings
from ...core.threads import start_thread
from ...core.types import BoolArray, Camera, FloatArray, IntArray, Observation
from ...render.mesh import MeshBuffer, rasterize_mesh
from .collars import claim_collars
from .face_parts import INNER_LIPS
from .hand_pixels import Hand, find_bust, settle_hand_pixels
from .labels import GLASSES, HAIR, HAT, NONE, SKIN, NamesArray, Places, find_places
from .labels_cleanup import find_hat, find_parsed_hat
from .labels_glasses import DetectedGlasses, find_glasses
from .labels_parser import PARSED, ParserRuntime
from .labels_pixels import HeadCues, fine_texture, label_pixels
from .pixel_grids import dilate, erode, fill_polygon, neighbour_links, resize_nearest
from .pixel_smoother import PixelSmoother
from .shoe_pixels import settle_hem_pixels
from .skin_tone import S as SKIN_TONE
from .skin_tone import find_skin_color, measure_skin_tone
from .sleeve_ends import settle_sleeve_ends
from .sleeve_pixels import (
    Forearm,
    claim_bare_skin,
    claim_shaded_skin,
    release_other_cloth,
    settle_sleeve_pixels,
)

GROUPS = ("torso", "left_arm", "right_arm", "head", "left_leg", "right_leg")
TORSO, LEFT_ARM, RIGHT_ARM, HEAD, LEFT_LEG, RIGHT_LEG = range(6)
ARMS = (LEFT_ARM, RIGHT_ARM)
TRUNK_AND_LEGS = (TORSO, LEFT_LEG, RIGHT_LEG)
_GROUP_JOINTS = {
    LEFT_ARM: [16, 18, 20, *range(25, 40)],
    RIGHT_ARM: [17, 19, 21, *range(40, 55)],
    HEAD: [15, 22, 23, 24],
    LEFT_LEG: [1, 4, 7, 10],
    RIGHT_LEG: [2, 5, 8, 11],
}

_EYE_JOINTS = [23, 24]
_FOREARMS = ((18, 20), (19, 21))  # elbow and wrist
HANDS = ([20, *range(25, 40)], [21, *range(40, 55)])
"""Joints of the left and the right hand, the wrist first."""


@dataclass(frozen=True)
class RegionSettings:
    """Limbs, skin and head in the picture."""

    visible_hand: float = 0.35  # share of a hand's drawn pixels that must look like skin
    off_limb: float = 3.0  # how much farther a step counts beyond the limb's own silhouette
    hair_of_head: float = 0.18  # metres from the head within which loose hair moves with it
    beard_length: float = 0.3  # inter-ocular distances below the chin
    frame_cover: float = 0.4  # of a pixel that shows a frame of glasses
    bald: float = 0.5  # squared distance to the skin's tone below which a scalp is bald
    stubble: tuple[float, float] = (1.8, -2.5)
    """The same, wider, and least a*b* over the face's: stubble is greyer."""

    bald_afar: float = 0.2  # the same without a face: the scalp may lie over the forehead
    hairy: float = 0.85  # the parser's probability of hair over a scalp that is not bald then
    between_eyes: float = 0.063  # metres, of a body whose face was not found
    eyes_to_brows: float = 0.028  # metres, the same
    legs_shown: float = 0.3  # of the legs' vertices: with more in the frame, it shows them


S = register_settings("lift.regions", RegionSettings())


def vertex_groups(body: Body) -> IntArray:
    """Return the limb [V] (index into GROUPS) that holds each vertex most."""
    share = np.zeros((len(body.v_template), len(GROUPS)))
    for group, joints in _GROUP_JOINTS.items():
        share[:, group] = body.weights[:, joints].sum(1)
    share[:, TORSO] = 1.0 - share[:, 1:].sum(1)
    return np.asarray(share.argmax(1))


def hidden_below(
    mask: BoolArray, camera: Camera, vertices: FloatArray, groups: IntArray
) -> BoolArray:
    """Return the pixels [H, W] below a half-length person, where a table, say, hides the trunk.

    Empty where the frame shows the legs: then the person ends there.

    Args:
        mask: [H, W] the person.
        camera: of this grid.
        vertices: [V, 3] in the photo's pose, world space, metres.
        groups: [V] the limb of each vertex.
    """
    xy, depth = project(vertices[np.isin(groups, (LEFT_LEG, RIGHT_LEG))], camera)
    shown = (depth > 0) & (xy >= 0).all(1) & (xy < [camera.width, camera.height]).all(1)
    if not len(shown) or shown.mean() > S.legs_shown:
        return np.zeros_like(mask)
    return np.asarray(mask.any(0) & ~np.logical_or.accumulate(mask[::-1], axis=0)[::-1])


@dataclass(frozen=True)
class Regions:
    """Labels on one pixel grid.

    Attributes:
        mask: [H, W] pixels of the person.
        group: [H, W] int index into GROUPS, -1 outside.
        label: [H, W] int index into ``labels.LABELS``.
        skin: [H, W] pixels where the body's own surface is seen, or the glasses on it.
        face: [H, W] inside the oval of the face landmarks.
        mouth: [H, W] between the lips.
        hair: [H, W] pixels labelled as hair or a hat, also where it falls over the trunk.
        hidden: [F] triangles of a hand that something hides.
        body: the body's z-buffer.
        limb: one z-buffer for each group alone.
        trunk: for all but arms.
        places: where on the body each pixel lies.
        glasses: their frame, finer than this grid; None if there are none.
        skin_color: [3] median of the face's skin, see :func:`.skin_tone.find_skin_color`.
        unit: pixels of one inter-ocular distance.
    """

    mask: BoolArray
    group: IntArray
    label: IntArray
    skin: BoolArray
    face: BoolArray
    mouth: BoolArray
    hair: BoolArray
    hidden: BoolArray
    body: MeshBuffer
    limb: tuple[MeshBuffer, ...]
    trunk: MeshBuffer
    places: Places
    glasses: DetectedGlasses | None
    skin_color: FloatArray
    unit: float


def _label_groups(
    rgb: FloatArray,
    mask: BoolArray,
    seen_group: IntArray,
    limb: tuple[MeshBuffer, ...],
    unit: float,
) -> IntArray:
    """Grow the limbs from their surely seen cores over the person's pixels.

    A pixel goes to the core it is nearest to, where a step costs its length, more outside the
    limb's own silhouette, plus the colour edge it crosses: labels stop at edges, and cannot run
    far from their limb.
    """
    height, width = mask.shape
    lab = ndimage.gaussian_filter(rgb_to_lab(rgb), (1.0, 1.0, 0.0))[mask]
    row, col, pixels = neighbour_links(mask)
    length = pixels / unit
    edge = 0.05 * np.linalg.norm(lab[row] - lab[col], axis=-1)
    n = int(mask.sum())
    best = np.full(n, np.inf)
    label = np.full(n, -1)
    for group in range(len(GROUPS)):
        core = mask & (seen_group == group)
        if not core.any():
            continue
        depth = measure_depth(core)
        seeds = np.nonzero((depth > min(0.12 * unit, 0.5 * depth.max()))[mask])[0]
        away = np.where(dilate(limb[group].face >= 0, 1), 1.0, S.off_limb)[mask]
        cost = length * 0.5 * (away[row] + away[col]) + edge
        graph = sparse.csr_matrix((cost, (row, col)), (n, n))
        distance = dijkstra(graph, directed=False, indices=seeds, min_only=True)
        nearer = distance < best
        best[nearer], label[nearer] = distance[nearer], group
    group_map = np.full((height, width), -1)
    if (label < 0).all():
        label[:] = TORSO
    group_map[mask] = label
    if (label < 0).any():  # islands without a core: take the nearest label
        r, c, _ = find_nearest(group_map >= 0)
        group_map = np.where(mask, group_map[r, c], -1)
    return group_map


def _is_bald(scalp: FloatArray, to_skin: FloatArray, skin: FloatArray, found: bool) -> bool:
    """Whether the pixels of a scalp ([N, 3] L*a*b*, [N] distances) are skin of the tone [3]."""
    if len(scalp) < SKIN_TONE.few_pixels:
        return True
    distance, (_, a, b) = float(np.median(to_skin)), np.median(scalp, axis=0) - skin
    if not found:
        return distance < S.bald_afar
    return distance < S.bald or (distance < S.stubble[0] and min(a, b) > S.stubble[1])


def _is_hairy(parsed: FloatArray, scalp: BoolArray) -> bool:
    """Whether the parser sees hair or a hat on the pixels of a scalp [H, W]."""
    over = parsed[..., PARSED.index("hair")] + parsed[..., PARSED.index("hat")]
    return bool(scalp.any()) and float(np.median(over[scalp])) > S.hairy


def _beard(
    observation: Observation, scale: float, face: BoolArray, on_face: BoolArray, unit: float
) -> BoolArray:
    """[H, W] where hair would be a beard: below the nose, on the face or hanging from it."""
    if observation.face is None or not face.any():
        return np.zeros_like(face)
    rows, cols = np.mgrid[: face.shape[0], : face.shape[1]]
    points = observation.face[:468] * scale
    nose, chin = points[94, 1], points[152, 1]
    (left, right) = points[[172, 397], 0].min(), points[[172, 397], 0].max()  # the jaw's corners
    hanging = (rows > points[13, 1]) & (rows < chin + S.beard_length * unit)
    hanging &= (cols > left) & (cols < right)
    return np.asarray((face | on_face | hanging) & (rows > nose))


def hand_triangles(body: Body, joints: list[int]) -> BoolArray:
    """Return the triangles [F] that a hand's joints hold.

    Args:
        body: the body.
        joints: of the hand, one of ``HANDS``.
    """
    return np.asarray((body.weights[:, joints].sum(1) > 0.5)[body.f[:, 0]])


def _without_hidden_hands(
    body: Body, whole: MeshBuffer, mask: BoolArray, to_skin: FloatArray, observation: Observation
) -> IntArray:
    """[F, 3] the body's triangles, collapsed for unseen hands.

    A hand is unseen if it was not detected and there is no skin where the fitted body has it.
    """
    f = np.array(body.f)
    for joints, left in zip(HANDS, (True, False), strict=True):
        if any(seen.left == left for seen in observation.hands):
            continue
        hand = hand_triangles(body, joints)
        drawn = mask & (whole.face >= 0) & hand[whole.face]
        if drawn.sum() > 20 and (to_skin[drawn] < 5.0).mean() < S.visible_hand:
            f[hand] = f[hand][:, :1]  # no area: drawn nowhere, and the rows keep their numbers
    return f


@dataclass(frozen=True)
class _Pixels:
    """What is known of the pixels [H, W] before they are labelled.

    Attributes:
        mask: the person.
        lab: [H, W, 3] L*a*b*.
        tone: [3] L*a*b* of the skin.
        to_skin: squared distance to it.
        part: name of the body's part that is drawn there, empty beside it.
        group: limb.
        match: where the body is drawn, and the limb is its own.
        face: inside the oval of the landmarks.
        unit: pixels of one inter-ocular distance.
    """

    mask: BoolArray
    lab: FloatArray
    tone: FloatArray
    to_skin: FloatArray
    part: NamesArray
    group: IntArray
    match: BoolArray
    face: BoolArray
    unit: float

    @property
    def head(self) -> BoolArray:
        """[H, W] pixels of the head."""
        return np.asarray(self.mask & (self.group == HEAD))


@dataclass(frozen=True)
class _Outlines:
    """Where the face is.

    Attributes:
        face: [H, W] inside its oval.
        mouth: [H, W] between the lips. Both empty where no face was found; the rest is of the
            body's eyes then.
        brow: row above the brows.
        chin: row, or None.
        unit: pixels between the eyes.
    """

    face: BoolArray
    mouth: BoolArray
    brow: float
    chin: float | None
    unit: float


def _face_outlines(
    observation: Observation,
    scale: float,
    shape: tuple[int, int],
    body: Body,
    vertices: FloatArray,
    camera: Camera,
) -> _Outlines:
    if observation.face is None:
        nothing = np.zeros(shape, bool)
        held = body.weights[:, _EYE_JOINTS].sum(1)
        held = held if held.any() else body.weights[:, _GROUP_JOINTS[HEAD][0]]
        middle = held @ np.asarray(vertices, np.float64) / held.sum()
        (_, row), depth = project(middle, camera)
        metre = camera.K[1, 1] / max(float(depth), 1e-6)
        return _Outlines(
            nothing, nothing, row - S.eyes_to_brows * metre, None, S.between_eyes * metre
        )
    points = observation.face * scale
    unit = float(np.linalg.norm(points[468] - points[473]))
    return _Outlines(
        fill_polygon(points[:468], *shape),
        fill_polygon(points[list(INNER_LIPS)], *shape),
        float(points[[105, 334], 1].min() - 0.08 * unit),
        float(points[152, 1]),
        unit,
    )


def _look_at_head(
    p: _Pixels, drawn: BoolArray, observation: Observation, scale: float, face: _Outlines
) -> tuple[HeadCues, BoolArray]:
    """What the face says about the head.

    Args:
        p: the pixels.
        drawn: [H, W] where the body's head is drawn.
        observation: of the photo.
        scale: pixels of the grid for each pixel of the photo.
        face: the outlines of the face.

    Returns:
        The cues, and [H, W] where the body's face or an ear is drawn below the brows.
    """
    height, unit = len(p.mask), p.unit
    chin = face.chin
    if chin is None:
        chin = np.nonzero(drawn)[0].max() if drawn.any() else height
    above_brow = np.broadcast_to(np.mgrid[:height, :1][0] < face.brow, p.mask.shape)
    scalp = np.where(p.part != "", p.part == "scalp", above_brow & ~p.face) & p.head
    # What is dark well inside the oval is a beard, a brow or a shadow; on its edge it is hair.
    oval = p.face & (measure_depth(p.face) > 0.12 * unit) & ~above_brow
    on_face = np.isin(p.part, ["face", "ear"]) & ~above_brow
    beard = _beard(observation, scale, p.face, on_face, unit)
    core = erode(scalp, min(2, int(0.06 * unit)))
    head = HeadCues(
        oval=oval,
        beard=beard,
        above_brow=above_brow,
        skin=(oval & ~beard if oval.any() else on_face) & p.match & (p.to_skin < 5.0),
        scalp=core,
        below_chin=np.mgrid[:height, : p.mask.shape[1]][0] > chin,
        near=p.mask & ~np.isin(p.group, [*ARMS, LEFT_LEG, RIGHT_LEG]),
        unit=unit,
        bald=_is_bald(p.lab[core], p.to_skin[core], p.tone, observation.face is not None),
    )
    return head, on_face


def find_regions(
    rgb: FloatArray,
    mask: BoolArray,
    camera: Camera,
    vertices: FloatArray,
    body: Body,
    observation: Observation,
    scale: float,
    photo: FloatArray | None = None,
    parser: ParserRuntime | None = None,
    known: IntArray | None = None,
) -> Regions:
    """Label a pixel grid.

    Args:
        rgb: [H, W, 3] 0..1 foreground colours.
        mask: [H, W] the person.
        camera: of this grid.
        vertices: [V, 3] the body in the photo's pose, world space, metres.
        body: the person's own.
        observation: the landmarks, in pixels of the portrait.
        scale: pixels of this grid per pixel of the portrait.
        photo: [.., .., 3] the portrait itself, to look for glasses, or None.
        parser: labels the photo together with the rules; None: the rules alone.
        known: [.., ..] labels of the portrait on any grid, NONE where they are to be found.

    Raises:
        LikenessError: the parser's output is not finite.
    """
    height, width = mask.shape
    lab = rgb_to_lab(rgb)
    some = bool(mask.any())
    texture = start_thread(fine_texture, photo, mask) if some and photo is not None else None
    parsing = None
    if parser is not None and photo is not None and some:
        parsing = start_thread(parser.parse, photo, mask, camera, body, vertices)
    # Here, while those run: in a thread of its own, its factors would stay in that thread's memory.
    smoother = PixelSmoother(lab, mask) if some else None
    outlines = _face_outlines(observation, scale, (height, width), body, vertices, camera)
    face, unit = outlines.face, outlines.unit
    face_group = vertex_groups(body)[body.f[:, 0]]
    whole = rasterize_mesh(vertices, body.f, camera)
    heads = mask & (whole.face >= 0) & (face_group[whole.face] == HEAD)
    names = np.array(body.part_names)
    part = np.where(whole.face >= 0, names[body.face_part[whole.face]], "")
    tone = measure_skin_tone(lab, mask, part, observation, scale, unit)
    # Lightness varies with shading three times as much as hue does.
    to_skin = (((lab - tone) / [26.0, 9.0, 10.0]) ** 2).sum(-1)
    # From here on a hidden hand does not exist: a pocket's cloth belongs to the leg.
    f = _without_hidden_hands(body, whole, mask, to_skin, observation)
    whole = rasterize_mesh(vertices, f, camera)
    # Drawn alone, each limb shows its own front and back, also behind another.
    limb = tuple(rasterize_mesh(vertices, f[face_group == g], camera) for g in range(len(GROUPS)))
    trunk = rasterize_mesh(vertices, f[~np.isin(face_group, ARMS)], camera)
    on_body = whole.face >= 0
    seen_group = np.where(on_body, face_group[whole.face], -1)
    group = _label_groups(rgb, mask, seen_group, limb, max(unit, 4.0))
    trunk_like = ~np.isin(group, ARMS) & ~np.isin(seen_group, ARMS)
    match = on_body & mask & ((seen_group == group) | trunk_like)
    part = np.where(on_body, names[body.face_part[whole.face]], "")
    pixels = _Pixels(mask, lab, tone, to_skin, part, group, match, face, unit)
    head, on_face = _look_at_head(pixels, heads, observation, scale, outlines)
    parsed = None
    if parsing is not None:
        parsed = parsing.result()
        head = replace(head, bald=head.bald and not _is_hairy(parsed, head.scalp))
    places = find_places(whole, trunk, group, face_group, body, camera)
    label = np.full(mask.shape, NONE)
    if smoother is not None:
        strands = np.zeros(mask.shape) if texture is None else texture.result()
        label = label_pixels(lab, strands, mask, smoother, places, head, body, parsed)
    below = head.near & ~head.above_brow
    inside = head.oval if head.oval.any() else on_face
    label = claim_collars(label, lab, tone, below, inside, unit)
    label = settle_hem_pixels(label, lab, places, body)
    if parsed is not None:
        label = find_parsed_hat(label, parsed, pixels.head, unit)
    if not (label == HAT).any():
        label = find_hat(label, lab, pixels.head, outlines.brow, unit)
    if known is not None:
        given = resize_nearest(known, mask.shape)
        label = np.where(mask & (given != NONE), given, label)
    glasses = None if photo is None else find_glasses(photo, observation)
    drawn_arms = {arm: limb[arm] for arm in ARMS if (limb[arm].face >= 0).any()}
    silhouettes = {arm: dilate(drawn.face >= 0, 1) for arm, drawn in drawn_arms.items()}
    if silhouettes:
        group = claim_bare_skin(group, label, silhouettes, TRUNK_AND_LEGS)
    label = settle_sleeve_ends(group, label, lab, places.rest, ARMS)
    group, label = claim_shaded_skin(group, label, lab, places.rest[..., 0], drawn_arms, camera)
    hair = (label == HAIR) | (label == HAT)
    skin = (label == SKIN) & match
    # Hair hangs from the head and lies on the shoulders; no arm takes it along.
    near_head = ~on_body & (places.from_head < S.hair_of_head)
    group = np.where(hair & np.isin(group, ARMS), np.where(near_head, HEAD, TORSO), group)
    hidden = f[:, 0] == f[:, 1]
    handless = tuple(arm for arm in ARMS if (hidden & (face_group == arm)).any())
    group = release_other_cloth(group, label, places.rest[..., 0], ARMS, handless)
    forearms = [
        Forearm.of(arm, *joints, limb[arm], f[face_group == arm], body, camera)
        for arm, joints in zip(ARMS, _FOREARMS, strict=True)
        if arm in drawn_arms
    ]
    behind = {g: limb[g] for g in TRUNK_AND_LEGS}
    group = settle_sleeve_pixels(group, label, lab, forearms, behind)
    hands = [
        Hand.of(arm, joints, limb[arm], f[face_group == arm], body, vertices, camera, label == SKIN)
        for arm, joints in zip(ARMS, HANDS, strict=True)
        if not (hidden & hand_triangles(body, joints)).any()
    ]
    group = settle_hand_pixels(group, label, find_bust(places.part, body), hands, limb)
    if glasses is not None:  # thin as they are, the skin's surface goes on below them
        frame = glasses.on_grid(height, width, scale) > S.frame_cover
        label[frame & mask & (face | on_face) & ~hair] = GLASSES
    return Regions(
        mask=mask,
        group=group,
        label=label,
        skin=skin,
        face=face & mask,
        mouth=dilate(outlines.mouth, 1) & mask,
        hair=hair,
        hidden=hidden,
        body=whole,
        limb=limb,
        trunk=trunk,
        places=places,
        glasses=glasses,
        skin_color=find_skin_color(rgb, skin, face, part),
        unit=unit,
    )
