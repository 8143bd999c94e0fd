"""The lift: from a photo and a fitted body to Gaussians, in closed form.

The body's mesh is carried out to what is worn (``dressed_mesh.py``), and three sets share the
budget on it: photo splats carry the sharpness (``photo_splats.py``), core texels the skin and shell
texels what is worn, all around (``texels.py``); what stands too far off the mesh gets a back of its
own (``far_side.py``). All are bound to the body's triangles.

A skirt is a mesh of its own beside the body's (``skirt.py``), a hat with a brim a surface around
the head (``hats.py``). Glasses are removed first and added last (``glasses.py``). Ears, lids, eyes
and mouth are finished separately (``ears.py``, ``face_finish.py``); finally the colours are
calibrated (``calibrate.py``).

Each stage's constants are one dataclass, registered under ``lift.<module>`` (``core/settings.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...body import Body
from ...core.distances import find_nearest
from ...core.settings import register_settings
from ...core.threads import start_thread
from ...core.types import (
    MAX_GAUSSIANS,
    BoolArray,
    BoundGaussians,
    Camera,
    FloatArray,
    IntArray,
    LikenessError,
    Matte,
    Observation,
    Pose,
    Track,
)
from ...imaging.resize import fit_size, resize, resize_rgba
from .accessories.glasses import add_glasses, relabel_hidden_splats, remove_glasses
from .accessories.hat_splats import (
    hat_layer,
    label_head,
    press_hair,
    settle_hat,
    split_hat,
    without_hat,
)
from .accessories.hats import fit_hat
from .accessories.shoes import fit_shoes, put_on_shoes
from .colors.colors_base import find_cloth_color
from .face.face_finish import complete_face, finish_face
from .face.lids import separate_eyes
from .garments.labels_network import LabelNetworkRuntime
from .garments.labels_surface import label_surface, worn_probability
from .grids.pixel_grids import erode, fit_grid
from .hair.hair_backing import back_hair
from .hair.hair_ends import continue_hair_below_frame
from .hair.hair_relief import measure_notches, raise_locks
from .hair.hair_strands import grow_strands
from .occlusion.arm_order import order_arms
from .occlusion.held_marks import mark_held_objects, mark_removed
from .occlusion.hidden_forearms import find_rims, hidden_forearm_distance, near_hidden_forearms
from .occlusion.hidden_hands import find_unreached_skin, reach_shown_hands, tuck_hidden_hands
from .photo.contact_shadows import find_contact_shadows
from .photo.photo_view import PhotoView
from .photo.skin_rims import doubt_skin_rims
from .photo.trust import repaint_photo
from .pixels.hand_pixels import find_sleeved_arms
from .pixels.labels_parser import ParserRuntime
from .pixels.regions import Regions, find_regions
from .shape.depth_sheets import find_depth_sheets, find_limb_borders
from .shape.dressed_mesh import fit_dressed_mesh
from .shape.flaps import assign_cloth_to_trunk, find_flaps
from .skirts.skirt import Skirt, fit_skirt
from .skirts.skirt_wearer import attach_skirt, settle_hem
from .splats.calibrate import calibrate_colors, fill_removed
from .splats.crumbs import drop_crumbs
from .splats.ears import finish_ears
from .splats.far_side import loose_layer
from .splats.frame_continuation import continue_beyond_frame
from .splats.parts import name_all, name_beard, name_labelled, name_shown, name_unknown
from .splats.photo_levels import make_photo_levels
from .splats.photo_splats import splat_sigma
from .splats.texel_samples import sample_texels, texel_fineness
from .splats.texels import texel_layer
from .surface.colors_occlusion import vertex_occlusion
from .surface.labels import HAIR, HAT, SHOES, UPPER
from .surface.limbs import ARMS, HANDS, HEAD, hand_triangles, vertex_groups
from .surface.nape import add_nape
from .surface.surfels import TriangleBinding

MIN_GAUSSIANS = 5_000


@dataclass(frozen=True)
class LiftSettings:
    """How the photo's pixels become splats."""

    texture_factor: int = 3  # times finer than that of labels the grid of textures is, along a side
    min_overlap: float = 0.1  # share of the person that the fitted body must cover


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
    region_pixels: int = 40_000

    @property
    def photo_budget(self) -> int:
        """Most Gaussians for the photo's pixels."""
        small = min(self.max_gaussians, self.small_budget)
        beyond = self.max_gaussians - small
        return int(self.photo_share * small + self.photo_share_beyond * beyond)

    def share_rest(self, spent: int, hat: bool, hair: bool) -> tuple[int, int, int]:
        """Share what is left once the photo's pixels, loose parts and the face have theirs.

        A hat and strands give way where the texels would get too little.

        Args:
            spent: Gaussians of the others.
            hat: whether there is a hat with a brim.
            hair: whether there are strands.

        Returns:
            The budgets of the texels, of the hat and of the strands.
        """
        left = self.max_gaussians - spent
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
    """

    gaussians: BoundGaussians
    body: Body
    skirt: Skirt | None = None
    label_shares: FloatArray | None = None
    pose: Pose | None = None
    wanted: Matte | None = None
    labels: IntArray | None = None
    plain_clothes: bool = False


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
        known: [.., ..] labels, as for :func:`label_photo`.
        reorder_arms: whether arms may move before or behind others, as the photo shows them.

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
    vertices, _ = body.vertices(track.pose)
    groups = vertex_groups(body)
    grid = options.region_pixels
    found = label_photo(matte, observation, track, body, vertices, grid, parser, known)
    for correct in (order_arms, reach_shown_hands) if reorder_arms else (reach_shown_hands,):
        pose = correct(found.regions, found.camera, body, track.pose)
        if pose is not track.pose:
            track = replace(track, pose=pose)
            vertices, _ = body.vertices(pose)
            found = label_photo(matte, observation, track, body, vertices, grid, parser, known)
    labelled = found.regions.label
    found = found.without(find_unreached_skin(found.regions, found.camera, body))
    if found.regions.head_cut:
        drawn = found.regions.limb[HEAD].face >= 0
        shown = found.regions.mask & (found.regions.group == HEAD)
        found = replace(found.without(shown), near_hidden=found.near_hidden | drawn)
    given = replace(matte, held=found.matte.held)
    matte, camera, regions, frame = found.matte, found.camera, found.regions, found.frame
    portrait, colors, alpha = found.portrait, found.colors, found.alpha
    track = replace(track, pose=tuck_hidden_hands(regions, camera, body, track.pose))
    vertices, _ = body.vertices(track.pose)
    hidden = None
    if labels is not None:
        hidden = labels.hidden_labels(regions, camera, body, vertices, colors)
    shares = label_surface(regions, camera, body, vertices, hidden)
    brimmed = fit_hat(regions, camera, body, vertices)
    shares = label_head(shares, brimmed, regions, camera, body, vertices)
    silhouette = regions
    if brimmed is not None:
        silhouette = without_hat(regions, brimmed, camera)
    hair, hat = shares[:, HAIR] > 0.5, shares[:, HAT] > 0.5
    shoes = start_thread(fit_shoes, regions, colors, camera, body, vertices, shares[:, SHOES])
    worn_over = worn_probability(shares)
    dressed = fit_dressed_mesh(
        silhouette, camera, body, vertices, groups, worn_over, hair, hat, found.near_hidden
    )
    regions = assign_cloth_to_trunk(regions, dressed, groups, camera)
    found = replace(found, regions=regions)
    found = found.without(find_flaps(regions, dressed, groups, camera))
    matte, regions, portrait = found.matte, found.regions, found.portrait
    given = replace(given, held=matte.held)
    dressed = put_on_shoes(dressed, shoes.result(), vertices)
    if brimmed is not None:
        dressed = press_hair(dressed, brimmed, regions, camera, body, vertices)
    if skirt is None and find_skirt:
        skirt = fit_skirt(regions, camera, body, track.pose, dressed)
    wearer = None
    if skirt is not None:
        wearer = attach_skirt(skirt, body, track.pose, regions, shares, dressed)
        body, vertices, groups = wearer.body, wearer.vertices, wearer.groups
        regions, shares, dressed = wearer.regions, wearer.shares, wearer.dressed
    hands = {arm: hand_triangles(body, joints) for arm, joints in zip(ARMS, HANDS, strict=True)}
    sleeved = find_sleeved_arms(hands, regions.group, regions.label, regions.body)
    sheets = find_depth_sheets(regions, dressed, groups, camera, [hands[a] for a in sleeved])
    if wearer is not None:
        sheets = settle_hem(sheets, wearer, camera)
    if brimmed is not None:
        sheets = settle_hat(sheets, brimmed, dressed, regions, camera)
    borders = find_limb_borders(sheets, regions.mask)
    borders = doubt_skin_rims(borders, regions, colors, camera)
    shadows = find_contact_shadows(colors, regions, sheets, borders, hands)
    same = portrait.foreground is matte.foreground
    given, matte = (replace(m, foreground=shadows.lighten(m.foreground)) for m in (given, matte))
    lit = matte.foreground if same else shadows.lighten(portrait.foreground)
    portrait = replace(portrait, foreground=lit)
    colors = shadows.lighten(colors)
    homes = TriangleBinding(
        body, vertices, groups[body.f[:, 0]], regions.hidden, regions.handless, sleeved
    )

    head_budget = int(options.face_share * options.max_gaussians)
    worn = None
    if frame is not None:
        worn = add_glasses(frame, portrait, matte, body, vertices, track, head_budget // 3)
    face_budget = head_budget - (0 if worn is None else len(worn))
    face = start_thread(complete_face, body, vertices, track, observation, matte, face_budget)
    h, w = matte.alpha.shape
    fine = fit_size(w, h, S.texture_factor * max(alpha.shape))
    view = PhotoView(
        camera, colors, alpha, regions, sheets, borders, resize(matte.foreground, *fine)
    )
    photo_budget = options.photo_budget
    loose_budget = int(options.loose_share * options.max_gaussians)
    far = start_thread(loose_layer, sheets, colors, alpha, regions, camera, homes, loose_budget)
    # On this thread: what a thread of its own allocates for the largest pictures is not given back.
    photo, grid_side = make_photo_levels(matte, track, view, homes, dressed, photo_budget)
    photo += back_hair(view, homes, dressed, photo_budget)
    loose = far.result()
    locks = continue_hair_below_frame([*photo, *loose], regions, dressed, camera, vertices, body)
    beyond_budget = int(options.beyond_share * options.max_gaussians)
    beyond = continue_beyond_frame(
        matte,
        track.camera,
        regions,
        dressed,
        shares,
        groups,
        body,
        vertices,
        beyond_budget,
        view.open_front,
    )
    fineness = texel_fineness(
        body, dressed.vertices, shares, regions, camera, view.prints.patterned
    )
    notches = 0.0 if brimmed else measure_notches(matte.alpha, regions, camera, body, vertices)
    spent = sum(len(part) for part in (*photo, *loose, locks, beyond)) + head_budget
    room, hat_budget, strand_budget = options.share_rest(
        spent, brimmed is not None, bool(hair.any())
    )
    samples, side = sample_texels(body, room, fineness)
    layer = texel_layer(
        view,
        samples,
        side,
        body,
        vertices,
        groups,
        dressed,
        shares,
        openness.result(),
        found.near_hidden,
        wearer,
    )
    completed, label = layer.completed, layer.label
    front = BoundGaussians.concatenate(photo)
    bare = len(body.f) if wearer is None else len(wearer.bare.f)
    texels = name_labelled(layer.gaussians, label, body, bare)
    loose = [name_shown(part, regions, camera, body, vertices, bare) for part in loose]
    beyond = name_shown(beyond, regions, camera, body, vertices, bare)
    worn_hat = []
    if brimmed is not None:
        held, front = split_hat(front, brimmed, view, body, vertices)
        crown = hat_layer(brimmed, view, body, vertices, hat_budget)
        worn_hat = [name_all(crown, "hat"), name_all(held, "hat")]
    front = name_shown(front, regions, camera, body, vertices, bare)
    front = repaint_photo(front, texels, completed, label, view, vertices, groups, body)
    layer = raise_locks(replace(layer, gaussians=texels), notches, view, vertices, body)
    texels = layer.gaussians
    angle = splat_sigma(grid_side) * max(w, h) / (grid_side * float(track.camera.K[0, 0]))
    strand_budget += room - len(texels)  # texels that would show in the photo's view are left out
    strands = grow_strands(layer, notches, angle, worn_hat, view, vertices, body, strand_budget)
    texels = homes.nape.rebind_hair(texels, label == HAIR, vertices)
    strands = homes.nape.rebind_hair(
        name_all(strands, "hair"), np.ones(len(strands), bool), vertices
    )
    everything = BoundGaussians.concatenate(
        [texels, strands, locks, *loose, beyond, *worn_hat, front]
    )
    everything = drop_crumbs(everything, body)
    everything = finish_ears(everything, body, vertices, regions, camera)
    everything = finish_face(everything, face.result(), body, face_budget)
    if frame is not None and worn is not None:
        everything = relabel_hidden_splats(everything, frame, body, vertices, track)
        everything = BoundGaussians.concatenate([everything, name_all(worn, "glasses")])
    everything = name_beard(name_unknown(everything, body), body, regions.skin_color)
    portrait, wanted = fill_removed(
        portrait, given, everything, track.camera, vertices, body, found.near_hidden
    )
    everything = calibrate_colors(
        everything, portrait, track.camera, vertices, body, grid_side, found.near_hidden
    )
    plain = bool((label == UPPER).any()) and find_cloth_color(view) is None
    return LiftResult(everything, body, skirt, shares, track.pose, wanted, labelled, plain)


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo whose pixels are labelled.

    Attributes:
        matte: with a clean rim, without glasses.
        portrait: the same with glasses.
        frame: [H, W] 0..1 how much of each pixel of the portrait was a frame of glasses, or None.
        regions: on the grid.
        camera: of the grid.
        colors: [H, W, 3] sRGB 0..1, on the grid.
        alpha: [H, W] 0..1, on the grid.
        near_hidden: [H, W] pixels beside forearms that something outside the matte hides, and of
            a head that the frame cuts.
    """

    matte: Matte
    portrait: Matte
    frame: FloatArray | None
    regions: Regions
    camera: Camera
    colors: FloatArray
    alpha: FloatArray
    near_hidden: BoolArray

    def without(self, gone: BoolArray) -> LabelledPhoto:
        """Return the photo with more pixels marked as removed.

        Args:
            gone: [H, W] on the grid.
        """
        matte, portrait = mark_removed(self.matte, gone), mark_removed(self.portrait, gone)
        regions = mark_held_objects(self.regions, matte.held)
        return replace(self, matte=matte, portrait=portrait, regions=regions)


def label_photo(
    matte: Matte,
    observation: Observation,
    track: Track,
    body: Body,
    vertices: FloatArray,
    region_pixels: int = LiftOptions.region_pixels,
    parser: ParserRuntime | None = None,
    known: IntArray | None = None,
) -> LabelledPhoto:
    """Label the photo's pixels, and remove glasses.

    Args:
        matte: of the portrait.
        observation: of the portrait.
        track: of the portrait.
        body: the person's own.
        vertices: [V, 3] of the body in the photo's pose, world space, metres.
        region_pixels: of the person, on the grid.
        parser: as for :func:`lift_photo`.
        known: [.., ..] labels of the portrait on any grid, NONE where they are to be found.

    Raises:
        LikenessError: the matte shows no person, or it misses the tracked body.
    """
    matte = clean_rim(matte)
    size = fit_grid(matte.alpha, region_pixels)
    if size is None:
        raise LikenessError(
            "The person could not be separated from the background.",
            "Use a photo where the person stands out, or one with an alpha channel.",
        )
    camera = track.camera.resized(*size)
    colors, alpha = resize_rgba(matte.foreground, matte.alpha, *size)
    regions = find_regions(
        colors,
        alpha > 0.5,
        camera,
        vertices,
        body,
        observation,
        size[0] / matte.alpha.shape[1],
        matte.foreground,
        parser,
        known,
    )
    if (regions.mask & (regions.body.face >= 0)).sum() < S.min_overlap * regions.mask.sum():
        raise LikenessError(
            "The fitted body lies beside the person in the photo.",
            "Use a photo that shows the person larger, upright and from the front.",
        )
    distance = hidden_forearm_distance(regions, body, camera)
    matte = mark_removed(matte, find_rims(regions, colors, distance))
    regions = mark_held_objects(regions, matte.held)
    without, frame = remove_glasses(matte, regions.glasses)
    if frame is not None:
        colors, alpha = resize_rgba(without.foreground, without.alpha, *size)
    near_hidden = near_hidden_forearms(distance)
    return LabelledPhoto(without, matte, frame, regions, camera, colors, alpha, near_hidden)


def clean_rim(matte: Matte) -> Matte:
    """Return the matte with its soft rim in the colours of solid pixels nearby.

    A half-transparent pixel's own colour is the least certain of all, and from the side a rim
    splat shows as a line.
    """
    solid = erode(matte.alpha > 0.97, max(1, round(min(matte.alpha.shape) / 500)))
    if not solid.any():
        return matte
    rows, cols, _ = find_nearest(solid)
    trust = np.clip((matte.alpha - 0.5) / 0.5, 0.0, 1.0)[..., None] ** 2
    near = matte.foreground[rows, cols]
    return replace(matte, foreground=trust * matte.foreground + (1.0 - trust) * near)
