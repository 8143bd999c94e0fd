"""What a pixel shows: which limb, and whether skin or something worn over it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ....body import Body
from ....core.cameras import project
from ....core.color import rgb_to_lab
from ....core.settings import register_settings
from ....core.threads import start_thread
from ....core.types import BoolArray, Camera, FloatArray, IntArray, Observation
from ....render.mesh import MeshBuffer, rasterize_mesh
from ...squareness import drawn_cosines
from ..grids.pixel_grids import dilate, resize_nearest
from ..grids.pixel_smoother import PixelSmoother
from ..surface.labels import GLASSES, HAIR, HAT, NONE, SKIN, Places, find_places
from ..surface.limbs import (
    ARM_CHAINS,
    ARMS,
    GROUPS,
    HANDS,
    HEAD,
    LEFT_LEG,
    RIGHT_LEG,
    TORSO,
    TRUNK_AND_LEGS,
    hand_triangles,
    vertex_groups,
)
from .brims import find_brim
from .cloth_rims import release_cloth_rims
from .collars import claim_collars
from .far_cheek import find_beyond_cheek, find_far_side, measure_yaw
from .hair_edges import settle_hair_edge
from .hand_pixels import Hand, find_bust, measure_hands_beside, settle_hand_pixels
from .head_pixels import UnlabelledPixels, find_face_outlines, find_head_cues, is_hairy, is_head_cut
from .labels_cleanup import claim_hair_beside_face, find_hat, find_parsed_hat, release_lit_skin
from .labels_glasses import DetectedGlasses, find_glasses
from .labels_parser import PARSED, ParserRuntime
from .labels_pixels import fine_texture, label_pixels
from .limb_pixels import find_hidden_hands, grow_limbs
from .shoe_pixels import settle_hem_pixels
from .skin_coats import label_skin_coats
from .skin_tone import find_skin_color, measure_skin_tone
from .sleeve_ends import settle_sleeve_ends
from .sleeve_pixels import (
    Forearm,
    claim_bare_skin,
    claim_shaded_skin,
    find_upper_arm,
    pixel_size,
    release_other_cloth,
    settle_sleeve_pixels,
)


@dataclass(frozen=True)
class RegionSettings:
    """Limbs, skin and head in the picture."""

    hair_of_head: float = 0.18  # metres from the head within which loose hair moves with it
    frame_cover: float = 0.4  # of a pixel that shows a frame of glasses
    beside_arm: float = 0.012  # metres beside a fitted arm within which skin may still be its own
    beside_face: float = 0.05  # metres from the head within which skin may be hair
    legs_shown: float = 0.3  # of the legs' vertices: with more in the frame, it shows them


S = register_settings("lift.regions", RegionSettings())


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
        handless: the arms whose hands something hides.
        hidden: [F] triangles of those hands.
        beyond_cheek: [H, W] 0..1 how far hair hangs behind the far cheek of a turned head.
        hands_beside: [H, W] metres along the view axis of the hand drawn at a pixel or beside it.
        head_cut: the frame cuts the head below the eyes, so that no face is found and the fitted
            head's features lie beside the photo's.
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
    handless: tuple[int, ...]
    hidden: BoolArray
    beyond_cheek: FloatArray
    hands_beside: FloatArray
    head_cut: bool
    body: MeshBuffer
    limb: tuple[MeshBuffer, ...]
    trunk: MeshBuffer
    places: Places
    glasses: DetectedGlasses | None
    skin_color: FloatArray
    unit: float

    @property
    def off_head(self) -> BoolArray:
        """[H, W] pixels of the person beside head and face."""
        return np.asarray(self.mask & ~self.face & (self.group != HEAD))


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
    outlines = find_face_outlines(observation, scale, (height, width), body, vertices, camera)
    face, unit = outlines.face, outlines.unit
    vertex_group = vertex_groups(body)
    face_group = vertex_group[body.f[:, 0]]
    whole = rasterize_mesh(vertices, body.f, camera)
    heads = mask & (whole.face >= 0) & (face_group[whole.face] == HEAD)
    names = np.array(body.part_names)
    part = np.where(whole.face >= 0, names[body.face_part[whole.face]], "")
    tone = measure_skin_tone(lab, mask, part, observation, scale, unit)
    # Lightness varies with shading three times as much as hue does.
    to_skin = (((lab - tone) / [26.0, 9.0, 10.0]) ** 2).sum(-1)
    # From here on a hidden hand does not exist: a pocket's cloth belongs to the leg.
    handless = find_hidden_hands(body, whole, mask, to_skin, observation, parsing)
    hand_of = {arm: hand_triangles(body, joints) for arm, joints in zip(ARMS, HANDS, strict=True)}
    any_hand = np.any(list(hand_of.values()), axis=0)
    hidden = np.any([(arm in handless) & hand for arm, hand in hand_of.items()], axis=0)
    # Without an area it is drawn nowhere, and the rows keep their numbers.
    f = np.where(hidden[:, None], body.f[:, :1], body.f)
    whole = rasterize_mesh(vertices, f, camera)
    # Drawn alone, each limb shows its own front and back, also behind another.
    limb = tuple(rasterize_mesh(vertices, f[face_group == g], camera) for g in range(len(GROUPS)))
    trunk = rasterize_mesh(vertices, f[~np.isin(face_group, ARMS)], camera)
    on_body = whole.face >= 0
    seen_group = np.where(on_body, face_group[whole.face], -1)
    group = grow_limbs(lab, mask, seen_group, limb, max(unit, 4.0))
    trunk_like = ~np.isin(group, ARMS) & ~np.isin(seen_group, ARMS)
    match = on_body & mask & ((seen_group == group) | trunk_like)
    part = np.where(on_body, names[body.face_part[whole.face]], "")
    pixels = UnlabelledPixels(mask, lab, tone, to_skin, part, group, match, face, unit)
    head, on_face = find_head_cues(pixels, heads, observation, scale, outlines)
    parsed = None
    if parsing is not None:
        parsed = parsing.result()
        head = replace(head, bald=head.bald and not is_hairy(parsed, head.scalp))
    places = find_places(whole, trunk, group, face_group, body, camera)
    label = np.full(mask.shape, NONE)
    if smoother is not None:
        strands = np.zeros(mask.shape) if texture is None else texture.result()
        label = label_pixels(lab, strands, mask, smoother, places, head, body, parsed)
    below = head.near & ~head.above_brow
    inside = head.oval if head.oval.any() else on_face
    label = claim_collars(label, lab, tone, below, inside, unit)
    label = settle_hem_pixels(label, lab, places, body)
    nearest = names[places.part]
    metres = pixel_size(whole, camera) if on_body.any() else 0.0
    label = label_skin_coats(label, lab, group, places, nearest, head.skin, metres)
    if parsed is not None:
        beside = ~face & (places.from_head < S.beside_face)
        likely = parsed[..., PARSED.index("hair")]
        label = claim_hair_beside_face(label, lab, tone, likely, beside, unit)
        skin = parsed[..., PARSED.index("skin")]
        label = release_lit_skin(label, lab, tone, skin, pixels.head, unit)
        label = find_parsed_hat(label, parsed, pixels.head, unit)
    yaw = measure_yaw(vertices, vertex_group == HEAD, body)
    facing = np.where(on_body, drawn_cosines(whole, vertices, body, camera), 0.0)
    glasses = None if photo is None else find_glasses(photo, observation)
    frame = np.zeros_like(mask)
    if glasses is not None:
        frame = glasses.on_grid(height, width, scale) > S.frame_cover
    far = find_far_side(face, yaw) & pixels.head & ~outlines.features & ~frame
    label = settle_hair_edge(label, lab, far, facing, unit)
    for find in (find_brim, find_hat):
        if not (label == HAT).any():
            label = find(label, lab, pixels.head, outlines.brow, unit)
    if known is not None:
        given = resize_nearest(known, mask.shape)
        label = np.where(mask & (given != NONE), given, label)
    drawn_arms = {arm: limb[arm] for arm in ARMS if (limb[arm].face >= 0).any()}
    silhouettes = {
        arm: dilate(drawn.face >= 0, max(round(S.beside_arm / pixel_size(drawn, camera)), 1))
        for arm, drawn in drawn_arms.items()
    }
    if silhouettes:
        upper = {
            arm: find_upper_arm(drawn, f[face_group == arm], body, camera)
            for arm, drawn in drawn_arms.items()
        }
        group = claim_bare_skin(group, label, silhouettes, upper)
    label = settle_sleeve_ends(group, label, lab, places.rest)
    group, label = release_cloth_rims(group, label, lab)
    group, label = claim_shaded_skin(group, label, lab, places.rest[..., 0], drawn_arms, camera)
    hair = (label == HAIR) | (label == HAT)
    skin = (label == SKIN) & match
    # Hair hangs from the head and lies on the shoulders; no arm takes it along.
    near_head = ~on_body & (places.from_head < S.hair_of_head)
    group = np.where(hair & np.isin(group, ARMS), np.where(near_head, HEAD, TORSO), group)
    hands = [
        Hand.of(arm, joints, limb[arm], f[face_group == arm], body, vertices, camera, label == SKIN)
        for arm, joints in zip(ARMS, HANDS, strict=True)
        if arm not in handless
    ]
    pointing = {hand.group: hand.forearm for hand in hands if hand.forearm.any()}
    group = release_other_cloth(group, label, lab, places.rest[..., 0], pointing, handless)
    forearms = [
        Forearm.of(arm, *ARM_CHAINS[arm][1:], drawn, f[face_group == arm], body, camera)
        for arm, drawn in drawn_arms.items()
    ]
    behind = {g: limb[g] for g in TRUNK_AND_LEGS}
    group = settle_sleeve_pixels(group, label, lab, forearms, behind)
    group = settle_hand_pixels(group, label, find_bust(places.part, body), hands, limb)
    if glasses is not None:  # thin as they are, the skin's surface goes on below them
        label[frame & mask & (face | on_face) & ~hair] = GLASSES
    seen_face = face & mask
    bare_head = on_body & (label == SKIN) & (group == HEAD)
    head_facing = np.where(on_body & (seen_group != HEAD), 1.0, facing)
    return Regions(
        mask=mask,
        group=group,
        label=label,
        skin=skin,
        face=seen_face,
        mouth=dilate(outlines.mouth, 1) & mask,
        hair=hair,
        handless=handless,
        hidden=hidden,
        beyond_cheek=find_beyond_cheek(bare_head, label == HAIR, head_facing, yaw),
        hands_beside=measure_hands_beside(whole, any_hand, camera),
        head_cut=not seen_face.any() and is_head_cut(camera, body, vertices),
        body=whole,
        limb=limb,
        trunk=trunk,
        places=places,
        glasses=glasses,
        skin_color=find_skin_color(rgb, skin, face, part),
        unit=unit,
    )
