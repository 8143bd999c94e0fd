"""The lift of one photo, from its pixels to the person's Gaussians."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...body import Body
from ...core.settings import register_settings
from ...core.threads import start_thread
from ...core.types import (
    MAX_GAUSSIANS,
    BoundGaussians,
    FloatArray,
    IntArray,
    LikenessError,
    Matte,
    Observation,
    Pose,
    Track,
)
from ...imaging.resize import fit_size, resize
from .accessories.glasses import add_glasses, relabel_hidden_splats
from .accessories.hat_splats import hat_layer, settle_hat, split_hat
from .colors.colors_base import find_cloth_color
from .dress_person import DressedPerson, dress_person
from .face.face_finish import complete_face, finish_face
from .face.lids import separate_eyes
from .garments.labels_network import LabelNetworkRuntime
from .garments.labels_surface import find_bare_face
from .hair.far_hair import settle_far_hair
from .hair.hair_backing import back_hair
from .hair.hair_ends import continue_hair_below_frame
from .hair.hair_relief import measure_notches, raise_locks
from .hair.hair_strands import grow_strands
from .label_photo import REGION_PIXELS, label_and_pose
from .photo.contact_shadows import find_contact_shadows
from .photo.photo_view import PhotoView
from .photo.skin_rims import doubt_skin_rims
from .photo.trust import repaint_photo
from .pixels.hand_pixels import find_sleeved_arms
from .pixels.labels_parser import ParserRuntime
from .shape.depth_sheets import find_depth_sheets, find_limb_borders
from .shape.ear_places import Ears
from .skirts.skirt import Skirt
from .skirts.skirt_wearer import settle_hem
from .splats.calibrate import calibrate_colors, fill_removed
from .splats.crumbs import drop_crumbs, lay_sleeves_on_upper_arms
from .splats.ears import finish_ears
from .splats.far_side import loose_layer
from .splats.frame_continuation import continue_beyond_frame
from .splats.parts import name_all, name_beard, name_labelled, name_shown, name_unknown
from .splats.photo_levels import make_photo_levels
from .splats.photo_splats import splat_sigma
from .splats.texel_colors import color_texels
from .splats.texel_samples import sample_texels, texel_fineness
from .splats.texels import texel_layer
from .surface.colors_occlusion import vertex_occlusion
from .surface.labels import HAIR, UPPER
from .surface.limbs import ARMS, HANDS, hand_triangles
from .surface.nape import add_nape
from .surface.surfels import TriangleBinding

MIN_GAUSSIANS = 5_000


@dataclass(frozen=True)
class LiftSettings:
    """How the photo's pixels become splats."""

    texture_factor: int = 3  # times finer than that of labels the grid of textures is, along a side


S = register_settings("lift", LiftSettings())


@dataclass(frozen=True)
class LiftOptions:
    """How the budget is spent; what the shares leave goes to the texels.

    Attributes:
        max_gaussians: never exceeded.
        small_budget: of which the photo's pixels get more than of what is beyond it.
        photo_share: most of a small budget (0..1) for the photo's pixels.
        photo_share_beyond: the same of the rest, which folds behind need more.
        loose_share: the same for the far side of loose parts.
        face_share: the same for the completed eyes and mouth.
        hat_share: the same for a hat with a brim.
        strand_share: the same for the strands of unseen hair.
        beyond_share: the same for the cloth that goes on beyond the frame.
        texel_share: least of the budget for the texels.
        region_pixels: pixels of the person on the grid that labels and depths are found on.
    """

    max_gaussians: int = MAX_GAUSSIANS
    small_budget: int = 60_000
    photo_share: float = 0.62
    photo_share_beyond: float = 0.5
    loose_share: float = 0.15
    face_share: float = 0.08
    hat_share: float = 0.08
    strand_share: float = 0.055
    beyond_share: float = 0.07
    texel_share: float = 0.05
    region_pixels: int = REGION_PIXELS

    @property
    def photo_budget(self) -> int:
        """Most Gaussians for the photo's pixels."""
        small = min(self.max_gaussians, self.small_budget)
        beyond = self.max_gaussians - small
        return int(self.photo_share * small + self.photo_share_beyond * beyond)

    def share_rest(self, left: int, hat: bool, hair: bool) -> tuple[int, int, int]:
        """Share what is left once the photo's pixels, loose parts and the face have theirs.

        A hat and strands give way where the texels would get too little.

        Args:
            left: Gaussians that the others leave.
            hat: whether there is a hat with a brim.
            hair: whether there are strands.

        Returns:
            The budgets of the texels, of the hat and of the strands.
        """
        wanted = [hat * self.hat_share, hair * self.strand_share]
        spare = max(left / self.max_gaussians - self.texel_share, 0.0)
        scale = min(1.0, spare / max(sum(wanted), 1e-9)) * self.max_gaussians
        for_hat, for_strands = (int(scale * share) for share in wanted)
        return left - for_hat - for_strands, for_hat, for_strands


@dataclass(frozen=True)
class LiftResult:
    """The result of lifting a photo.

    Attributes:
        gaussians: bound to ``body``.
        body: the person's own, with the skirt's mesh if there is one.
        skirt: that mesh, or None.
        label_shares: [V, len(LABELS)] 0..1, the labels of ``body``'s vertices; None if unknown.
        pose: the photo's, with the hands that it does not show out of sight; None if unknown.
        wanted: the matte that the Gaussians should show: the photo's without shadows that limbs
            throw on others; None if unknown.
        labels: [H, W] of the photo's pixels on a grid; None if unknown.
        plain_clothes: whether the photo shows none, so that they are plain grey.
        ears: how its ears differ from the fitted ones; None if unknown.
    """

    gaussians: BoundGaussians
    body: Body
    skirt: Skirt | None = None
    label_shares: FloatArray | None = None
    pose: Pose | None = None
    wanted: Matte | None = None
    labels: IntArray | None = None
    plain_clothes: bool = False
    ears: Ears | None = None


def lift_photo(
    matte: Matte,
    observation: Observation,
    track: Track,
    body: Body,
    options: LiftOptions = LiftOptions(),
    skirt: Skirt | None = None,
    find_skirt: bool = True,
    labels: LabelNetworkRuntime | None = None,
    parser: ParserRuntime | None = None,
    nape: bool = True,
    known: IntArray | None = None,
    reorder_arms: bool = True,
    ears: Ears | None = None,
) -> LiftResult:
    """Turn a tracked portrait into Gaussians bound to the person's body.

    Args:
        matte: of the portrait.
        observation: of the portrait.
        track: of the portrait.
        body: the person's own (``Body.personalised(track.betas)``).
        options: how the budget is spent.
        skirt: one that another photo of the same person showed.
        find_skirt: whether to look for a skirt if none is given.
        labels: says what covers the body where the photo does not show it; None: rules alone.
        parser: says what the photo shows, together with rules; None: rules alone.
        nape: whether the body gets the piece that holds hair beside the neck.
        known: [.., ..] labels, as for :func:`.label_photo.label_photo`.
        reorder_arms: whether arms may move before or behind others, as the photo shows them.
        ears: those that another photo of the same person showed; None: as this photo shows them.

    Raises:
        LikenessError: the budget is below ``MIN_GAUSSIANS``, the matte shows no person, or it
            misses the tracked body.
    """
    if options.max_gaussians < MIN_GAUSSIANS:
        raise LikenessError(
            f"{options.max_gaussians} Gaussians are too few for a person.",
            f"Allow at least {MIN_GAUSSIANS}.",
        )
    body = separate_eyes(add_nape(body) if nape else body)
    openness = start_thread(vertex_occlusion, body)
    posed = label_and_pose(
        matte, observation, track, body, options.region_pixels, parser, known, reorder_arms, ears
    )
    track, body = posed.track, posed.body
    person = dress_person(posed.found, body, track.pose, posed.vertices, skirt, find_skirt, labels)
    body, vertices, found = person.body, person.vertices, person.found
    seen = _see_person(person, matte)
    head_budget = int(options.face_share * options.max_gaussians)
    worn = None
    if found.frame is not None:
        worn = add_glasses(
            found.frame, seen.portrait, seen.matte, body, vertices, track, head_budget // 3
        )
    face_budget = head_budget - (0 if worn is None else len(worn))
    face = start_thread(complete_face, body, vertices, track, observation, seen.matte, face_budget)
    pixels = _splat_pixels(person, seen, track, options)
    left = options.max_gaussians - head_budget - pixels.spent
    surface = _splat_surface(person, seen, pixels, track, openness.result(), left, options)
    everything = BoundGaussians.concatenate(surface.layers)
    everything = lay_sleeves_on_upper_arms(everything, track.camera, vertices, body)
    everything = drop_crumbs(everything, body)
    everything = finish_ears(everything, body, vertices, found.regions, found.camera)
    everything = finish_face(everything, face.result(), body, face_budget)
    if found.frame is not None and worn is not None:
        everything = relabel_hidden_splats(everything, found.frame, body, vertices, track)
        everything = BoundGaussians.concatenate([everything, name_all(worn, "glasses")])
    everything = name_beard(name_unknown(everything, body), body, found.regions.skin_color)
    portrait, wanted = fill_removed(
        seen.portrait, seen.given, everything, track.camera, vertices, body, found.near_hidden
    )
    everything = calibrate_colors(
        everything, portrait, track.camera, vertices, body, pixels.grid_side, found.near_hidden
    )
    return LiftResult(
        everything,
        body,
        person.skirt,
        person.shares,
        track.pose,
        wanted,
        posed.labels,
        surface.upper_wear and find_cloth_color(seen.view) is None,
        posed.ears,
    )


@dataclass(frozen=True)
class _SeenPerson:
    """The photo over the dressed person, without the shadows that limbs throw.

    Attributes:
        view: on the grid of labels.
        homes: bind splats to the body's triangles.
        matte: without glasses.
        portrait: with glasses.
        given: as it came, with the same removed objects.
    """

    view: PhotoView
    homes: TriangleBinding
    matte: Matte
    portrait: Matte
    given: Matte


def _see_person(person: DressedPerson, given: Matte) -> _SeenPerson:
    """Lay the photo over the dressed person; ``given`` is the matte as it came."""
    found, body, dressed, groups = person.found, person.body, person.dressed, person.groups
    regions, camera = found.regions, found.camera
    hands = {arm: hand_triangles(body, joints) for arm, joints in zip(ARMS, HANDS, strict=True)}
    sleeved = find_sleeved_arms(hands, regions.group, regions.label, regions.body)
    bare_face = find_bare_face(body, person.shares)
    sheets = find_depth_sheets(
        regions, dressed, groups, camera, [hands[a] for a in sleeved], bare_face
    )
    if person.wearer is not None:
        sheets = settle_hem(sheets, person.wearer, camera)
    if person.hat is not None:
        sheets = settle_hat(sheets, person.hat, dressed, regions, camera)
    sheets = settle_far_hair(
        sheets, regions, person.vertices, groups, person.shares, dressed, body, camera
    )
    borders = find_limb_borders(sheets, regions.mask)
    borders = doubt_skin_rims(borders, regions, found.colors, camera)
    shadows = find_contact_shadows(found.colors, regions, sheets, borders, hands)

    def lighten(matte: Matte) -> Matte:
        return replace(matte, foreground=shadows.lighten(matte.foreground))

    matte = lighten(found.matte)
    no_glasses = found.portrait.foreground is found.matte.foreground
    portrait = (
        replace(found.portrait, foreground=matte.foreground)
        if no_glasses
        else lighten(found.portrait)
    )
    height, width = matte.alpha.shape
    fine = fit_size(width, height, S.texture_factor * max(found.alpha.shape))
    view = PhotoView(
        camera,
        shadows.lighten(found.colors),
        found.alpha,
        regions,
        sheets,
        borders,
        resize(matte.foreground, *fine),
    )
    homes = TriangleBinding(
        body, person.vertices, groups[body.f[:, 0]], regions.hidden, regions.handless, sleeved
    )
    return _SeenPerson(view, homes, matte, portrait, lighten(replace(given, held=found.matte.held)))


@dataclass(frozen=True)
class _PixelLayers:
    """What the photo's pixels become.

    Attributes:
        front: splats of the pixels, without those on a hat with a brim.
        brim: those, or none.
        around: the far side of loose parts, and what goes on below the frame.
        spent: number of all these.
        grid_side: longer side of the picture in which the coarser splats are a pixel apart.
    """

    front: BoundGaussians
    brim: BoundGaussians | None
    around: list[BoundGaussians]
    spent: int
    grid_side: float


def _splat_pixels(
    person: DressedPerson, seen: _SeenPerson, track: Track, options: LiftOptions
) -> _PixelLayers:
    """Make the photo's splats, and what goes on from them behind and below the frame."""
    body, vertices, dressed, groups = person.body, person.vertices, person.dressed, person.groups
    view, homes, matte = seen.view, seen.homes, seen.matte
    regions, camera = view.regions, view.camera
    loose_budget = int(options.loose_share * options.max_gaussians)
    far = start_thread(
        loose_layer, view.sheets, view.colors, view.alpha, regions, camera, homes, loose_budget
    )
    # On this thread: what a thread of its own allocates for the largest pictures is not given back.
    budget = options.photo_budget
    photo, grid_side = make_photo_levels(matte, track, view, homes, dressed, budget)
    photo += back_hair(view, homes, dressed, budget)
    loose = far.result()
    locks = continue_hair_below_frame([*photo, *loose], regions, dressed, camera, vertices, body)
    beyond = continue_beyond_frame(
        matte,
        track.camera,
        regions,
        dressed,
        person.shares,
        groups,
        body,
        vertices,
        int(options.beyond_share * options.max_gaussians),
        view.open_front,
    )
    spent = sum(len(part) for part in (*photo, *loose, locks, beyond))

    def name(part: BoundGaussians) -> BoundGaussians:
        return name_shown(part, regions, camera, body, vertices, person.first_skirt_face)

    front, brim = BoundGaussians.concatenate(photo), None
    if person.hat is not None:
        brim, front = split_hat(front, person.hat, view, body, vertices)
    around = [locks, *(name(part) for part in loose), name(beyond)]
    return _PixelLayers(name(front), brim, around, spent, grid_side)


@dataclass(frozen=True)
class _SurfaceLayers:
    """All layers of a person but face and glasses.

    Attributes:
        layers: texels first, the photo's splats last.
        upper_wear: whether there is any.
    """

    layers: list[BoundGaussians]
    upper_wear: bool


def _splat_surface(
    person: DressedPerson,
    seen: _SeenPerson,
    pixels: _PixelLayers,
    track: Track,
    openness: FloatArray,
    left: int,
    options: LiftOptions,
) -> _SurfaceLayers:
    """Cover the whole person with texels, and what stands off them behind: hair and a hat.

    Args:
        person: the person.
        seen: the photo over the person.
        pixels: the photo's splats.
        track: of the portrait.
        openness: [V] 0..1 of the body without the skirt, of :func:`vertex_occlusion`.
        left: most Gaussians.
        options: how the budget is spent.
    """
    body, vertices, hat = person.body, person.vertices, person.hat
    view, found = seen.view, person.found
    regions, camera = view.regions, view.camera
    fineness = texel_fineness(
        body, person.dressed.vertices, person.shares, regions, camera, view.prints.patterned
    )
    notches = 0.0 if hat else measure_notches(seen.matte.alpha, regions, camera, body, vertices)
    hair = bool((person.shares[:, HAIR] > 0.5).any())
    room, hat_budget, strand_budget = options.share_rest(left, hat is not None, hair)
    samples, side = sample_texels(body, room, fineness)
    colored = color_texels(
        view,
        samples,
        side,
        body,
        vertices,
        person.groups,
        person.dressed,
        person.shares,
        openness,
        person.wearer,
    )
    layer = texel_layer(
        colored,
        view,
        samples,
        side,
        body,
        vertices,
        person.groups,
        person.dressed,
        found.near_hidden,
        person.wearer,
    )
    label = layer.label
    texels = name_labelled(layer.gaussians, label, body, person.first_skirt_face)
    hats = []
    if hat is not None and pixels.brim is not None:
        crown = hat_layer(hat, view, body, vertices, hat_budget)
        hats = [name_all(crown, "hat"), name_all(pixels.brim, "hat")]
    front = repaint_photo(
        pixels.front, texels, layer.completed, label, view, vertices, person.groups, body
    )
    layer = raise_locks(replace(layer, gaussians=texels), notches, view, vertices, body)
    texels = layer.gaussians
    side_pixels, focal = max(seen.matte.alpha.shape), float(track.camera.K[0, 0])
    angle = splat_sigma(pixels.grid_side) * side_pixels / (pixels.grid_side * focal)
    strand_budget += room - len(texels)  # texels that would show in the photo's view are left out
    strands = grow_strands(layer, notches, angle, hats, view, vertices, body, strand_budget)
    nape = seen.homes.nape
    texels = nape.rebind_hair(texels, label == HAIR, vertices)
    strands = nape.rebind_hair(name_all(strands, "hair"), np.ones(len(strands), bool), vertices)
    layers = [texels, strands, *pixels.around, *hats, front]
    return _SurfaceLayers(layers, bool((label == UPPER).any()))
