"""The head below the hair: scalp, hairline, ears and neck in the person's own skin.

The photo shows none of it. Its tone follows the skin that is seen beside it, and farther off the
face's usual tone in the photo's light.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from ..body.extension import NAPE
from ..body.model import Body
from ..core import noise
from ..core.color import rgb_to_lab
from ..core.geometry import vertex_normals
from ..core.interpolation import smoothstep
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, LAYERS, PARTS, Avatar, BoolArray, FloatArray, IntArray
from ..gaussians.lift.colors.colors_base import beard_area
from ..gaussians.relight.photo_shade import turn_to_camera
from .avatar_wearer import place_at_rest
from .brow_hairs import find_brow_field, find_brow_raise
from .head_shape import head_shape
from .mesh_splats import make_discs, scatter_evenly
from .skin_tone import BareSkin, SkinTone


@dataclass(frozen=True)
class BareHeadSettings:
    """What goes with the hair, and the skin that comes in its place."""

    beside: float = 0.012  # metres from hair from which on skin shows its own colour
    shaded: float = 0.005  # metres on the body beside hair within which skin has its shade
    cell: float = 0.0005  # metres, of the grid in which that is measured
    shadow: float = 0.02  # metres within which darker skin has more of it,
    dark: float = 5.0  # by so many units of L*
    border: float = 0.045  # metres from hair within which skin may have taken the hair's colour
    unlike: float = 9.0  # Lab distance to the expected skin from which on it has,
    towards: tuple[float, float] = (0.2, 0.45)  # and share of the way to the hair's: head, neck
    wisp: float = 0.65  # share of that way from which on it is hair that is called skin,
    wisp_beside: float = 0.02  # within so many metres of hair
    fades: float = 0.05  # metres over which completed skin passes into the face's usual tone
    other: float = 26.0  # Lab distance to that tone beyond which a colour is not skin
    eye: tuple[float, float] = (0.022, 0.013)  # metres beside and above an eye that stay
    eye_up: float = 0.002  # metres above the eye of the middle of that
    brow: float = 0.5  # reach of a brow that stays, and the same beyond its ends:
    brow_ends: float = 0.15  # what lies there may be a fringe
    brow_dark: float = 10.0  # units of L* below the skin, from which on it is a brow,
    fringe: float = 0.006  # metres on the body from a fringe,
    lid: float = 0.010  # and above the eye
    few: int = 40  # splats of it that tell how high it lies
    mouth: tuple[float, float] = (0.030, 0.014)  # the same of the mouth
    shoulder: float = 0.07  # metres from the neck to which the trunk is completed, too
    raised: float = 0.005  # metres above the head from which on skin beside hair is a stray
    grazed: float = 0.03  # metres from hair within which skin goes that the photo hardly faces,
    grazing: float = 0.45  # with cosines to the camera below this
    nape: float = 0.10  # metres from hair within which raised skin of neck and back is one
    spacing: float = 0.0021  # metres between splats,
    coarse: float = 0.0028  # and below hair
    sigma: float = 1.05  # standard deviation of a splat in steps of the spacing
    covered: float = 0.95  # opacity of what is kept above which no splat is added
    stands: float = 0.010  # metres by which the photo's skin may stand off the body,
    levels: float = 0.025  # and over which completed skin beside it comes down
    near: int = 32  # splats of skin that say how high a place stands; fewer say nothing
    below: float = 0.7  # height of completed cloth over that of the cloth beside it
    woven: int = 16  # splats of that cloth whose mean colour it has
    blotches: float = 0.020  # unevenness of the skin over some millimetres
    shine: float = 0.05  # of a bald head at its brightest
    shine_power: float = 14.0
    stubble: float = 0.42  # share of the hair's colour in a shaved scalp
    speckle: float = 0.22  # of it from place to place
    hairline: tuple[float, float] = (0.002, 0.014)  # metres within the hairline: from none to all
    undercoat: tuple[float, float] = (0.005, 0.016)  # the same below hair


S = register_settings("wardrobe.bare_head", BareHeadSettings())

_PHOTO = LAYERS.index("photo")
_HAIR, _FACE, _SKIN, _UPPER = (PARTS.index(name) for name in ("hair", "face", "skin", "upper"))
_FILLED = ("scalp", "face", "ear", "neck", "shoulder")


class HeadSkin:
    """The skin of a head in the photo, and what of the avatar's splats is hair.

    Args:
        avatar: with its attributes.
        own: [N] which of its Gaussians are the photo's and shown.

    Attributes:
        hair: [N] hair, and strays of skin that took its colour or place.
        wisps: [N] of those, what is called skin and has all of the hair's colour.
        beside: [N] metres on the body from skin to hair; infinite far off, and for all else.
    """

    def __init__(self, avatar: Avatar, own: BoolArray) -> None:
        body: Body = avatar.body
        bound = avatar.gaussians
        self._avatar, self._body = avatar, body
        self._rest = np.asarray(body.v_template, np.float64)
        self._normals = vertex_normals(self._rest, body.f)
        self._posed = vertex_normals(body.vertices(avatar.pose)[0], body.f)
        self._head = head_shape(self._rest, body)
        corner = body.f[bound.triangle]
        self._feet = np.einsum("nk,nkd->nd", bound.bary, self._rest[corner])
        self._points = place_at_rest(bound, body)
        self._part_names = np.array(body.part_names)[body.face_part]
        neck = cKDTree(self._rest[body.part_vertices("neck")])
        trunk = np.nonzero(self._part_names == "torso")[0]
        close = neck.query(self._rest[body.f[trunk]].mean(1))[0] < S.shoulder
        self._part_names = self._part_names.astype("U16")
        self._part_names[trunk[close]] = "shoulder"
        self._own = own
        labelled = own & (bound.part == _HAIR)
        skin = own & np.isin(bound.part, [_FACE, _SKIN])
        loose = skin & (self._part_names[bound.triangle] == NAPE)
        skin &= np.isin(self._part_names[bound.triangle], _FILLED)
        self.beside = np.full(len(bound), np.inf)
        self._raised = 0.0  # metres, of the brows
        self.hair = labelled
        self.wisps = labelled & False
        hair = np.asarray(bound.colors[labelled], np.float64)
        self._hair_lab = rgb_to_lab(np.median(hair, axis=0) if len(hair) else np.zeros(3))
        if labelled.any() and skin.any():
            self.hair = labelled | loose | self._find_strays(labelled, skin)
        self._skin = skin & ~self.hair
        self._learn_tone(self._skin)

    def _find_strays(self, hair: BoolArray, skin: BoolArray) -> BoolArray:
        """[N] skin beside hair that has its colour, or lies where it lay."""
        bound, body = self._avatar.gaussians, self._body
        points = self._points
        distance = np.full(len(bound), np.inf)
        distance[skin] = cKDTree(points[hair]).query(points[skin], distance_upper_bound=S.nape)[0]
        out = np.einsum("nd,nd->n", points - self._feet, self._normals_at(bound.triangle))
        beside = self.beside
        cells = np.unique(np.round(self._feet[hair] / S.cell), axis=0) * S.cell  # many lie alike
        tree = cKDTree(cells)
        beside[skin] = tree.query(self._feet[skin], distance_upper_bound=S.border)[0]
        self._find_brows(skin & (beside > S.fringe))
        kept = self._is_feature(self._feet)
        if (self._own & (bound.part == PARTS.index("beard"))).any():
            kept |= beard_area(body)[body.f[bound.triangle]].mean(1) > 0.2
        photo = bound.layer == _PHOTO
        high = np.where(photo, 2.0, 1.0) * S.raised
        raised = skin & (distance < S.border) & (np.abs(out) > high) & ~kept
        place = self._part_names[bound.triangle]
        raised |= skin & np.isin(place, ("scalp", "ear"))
        neck = np.isin(place, ("neck", "shoulder"))
        facing = turn_to_camera(self._posed[body.f[bound.triangle]].mean(1), self._avatar)[:, 2]
        raised &= ~(photo & neck)
        raised |= skin & neck & (distance < S.nape) & ~photo
        raised |= skin & neck & (distance < S.nape) & (out > high) & (facing < 0.0)
        raised |= skin & ~neck & (distance < S.grazed) & (facing < S.grazing) & ~kept
        raised |= skin & ~kept & (distance < S.border) & (beside < S.shaded)
        core = skin & ~raised & (distance > S.beside)
        if core.sum() < S.near:
            return np.asarray(raised)
        self._learn_tone(core)
        rows = np.nonzero(skin & ~raised & (distance < S.border) & ~kept)[0]
        wanted = self._tone.tone(bound.triangle[rows], bound.bary[rows])
        least = np.where((neck & photo)[rows], S.towards[1], S.towards[0])
        lab = rgb_to_lab(np.asarray(bound.colors[rows], np.float64))
        raised[rows[self._is_hairy(lab, rgb_to_lab(wanted), least)]] = True
        dark = rgb_to_lab(wanted)[:, 0] - lab[:, 0] > S.dark
        raised[rows[dark & (beside[rows] < S.shadow)]] = True
        wisps = self._is_hairy(lab, rgb_to_lab(wanted), S.wisp) & (distance[rows] < S.wisp_beside)
        self.wisps[rows[wisps]] = True
        return np.asarray(raised)

    def _is_hairy(
        self, lab: FloatArray, expected: FloatArray, least: float | FloatArray
    ) -> BoolArray:
        """[K] skin of these colours lies on the way from the expected one to the hair's."""
        apart, way = lab - expected, self._hair_lab - expected
        share = (apart * way).sum(-1) / np.maximum((way**2).sum(-1), 1.0)
        return np.asarray((np.linalg.norm(apart, axis=-1) > S.unlike) & (share > least))

    def _find_brows(self, skin: BoolArray) -> None:
        """Learn how much higher the photo's brows lie than the landmarks say."""
        if self._body.landmarks is None:
            return
        eye = np.asarray(self._body.J_template)[JOINT_INDEX["left_eye_smplhf"]]
        near = skin & (self._avatar.gaussians.layer == _PHOTO)
        near &= self._feet[:, 1] > eye[1] + S.lid
        rows = np.nonzero(near)[0]
        rows = rows[find_brow_field(self._body, self._rest, self._feet[rows]) > 0.5]
        if len(rows) < S.few:
            return
        light = rgb_to_lab(np.asarray(self._avatar.gaussians.colors[rows], np.float64))[:, 0]
        dark = rows[light < np.quantile(light, 0.8) - S.brow_dark]
        if len(dark) >= S.few:
            self._raised = find_brow_raise(self._body, self._rest, self._feet[dark])

    def _is_feature(self, at: FloatArray) -> BoolArray:
        """[K] places at rest, metres, on eyes, brows or the mouth."""
        eyes = np.asarray(self._body.J_template)[
            [JOINT_INDEX["left_eye_smplhf"], JOINT_INDEX["right_eye_smplhf"]]
        ] + [0.0, S.eye_up, 0.0]
        mouth = self._rest[self._body.part_vertices("lips")].mean(0)
        out = np.zeros(len(at), bool)
        for middle, size in ((eyes[0], S.eye), (eyes[1], S.eye), (mouth, S.mouth)):
            away = (at[:, :2] - middle[:2]) / size
            out |= (away**2).sum(1) < 1.0
        if self._body.landmarks is not None:
            level = at - [0.0, self._raised, 0.0]
            out |= find_brow_field(self._body, self._rest, level, S.brow, S.brow_ends) > 0.5
        return np.asarray(out & (at[:, 2] > self._head.centre[2]))

    def _normals_at(self, triangle: IntArray) -> FloatArray:
        return np.asarray(self._normals[self._body.f[triangle]].mean(1))

    def _learn_tone(self, skin: BoolArray) -> None:
        """Learn the face's usual tone, and how the skin that is seen differs from it.

        Raises:
            LikenessError: there is hardly any skin.
        """
        self._tone = SkinTone(
            self._avatar,
            skin,
            S.fades,
            S.other,
            lambda lab, usual: self._is_hairy(lab, usual, S.towards[0]),
        )

    def cover(
        self, seed: int, stubble: FloatArray | None = None, below_hair: float | None = None
    ) -> BareSkin:
        """Make the skin that the hair hid.

        Args:
            seed: of its unevenness.
            stubble: [3] sRGB 0..1 of cropped hair in the scalp; None for a bald one.
            below_hair: 0..1 share of its colour below new hair; None for cropped hair alone.
        """
        body = self._body
        faces = np.nonzero(np.isin(self._part_names, _FILLED))[0]
        spacing = S.spacing if below_hair is None else S.coarse
        pick, bary = scatter_evenly(self._rest[body.f[faces]], spacing)
        triangle = faces[pick]
        bare = ~self._find_covered(triangle, bary)
        triangle, bary = triangle[bare], bary[bare]
        corner = body.f[triangle]
        at = np.einsum("nk,nkd->nd", bary, self._rest[corner])
        normals = np.einsum("nk,nkd->nd", bary, self._normals[corner])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        color = self._tone.tone(triangle, bary)
        uneven = noise.fractal_noise(at, seed, 0.012, 3) + 0.7 * noise.fractal_noise(
            at, seed + 1, 0.004, 2
        )
        color = color * (1.0 + S.blotches * uneven)[:, None]
        scalp = self._part_names[triangle] == "scalp"
        inward = np.where(scalp, self._head.hairline.query(at)[0], 0.0)
        inward += 0.003 * noise.fractal_noise(at, seed + 2, 0.008, 3)
        start = S.hairline if below_hair is None else S.undercoat
        grown = scalp * smoothstep(inward, *start)
        upwards = np.clip(normals @ [0.0, 0.8, 0.6], 0.0, 1.0) ** S.shine_power
        if stubble is None:
            color = color + (S.shine * upwards * grown)[:, None]
        else:
            speckle = 1.0 + S.speckle * np.random.default_rng([seed, 5]).normal(size=len(at))
            dense = S.stubble if below_hair is None else below_hair
            share = np.clip(dense * grown * speckle, 0.0, 0.95)[:, None]
            color = color * (1.0 - share) + share * stubble
        splats = make_discs(
            at + self.find_height(at)[:, None] * normals,
            normals,
            np.full(len(at), S.sigma * spacing),
            np.clip(color, 0.0, 1.0),
            np.full(len(at), 0.95),
        )
        part = np.where(np.isin(self._part_names[triangle], ("neck", "shoulder")), _SKIN, _FACE)
        return self._dress(BareSkin(splats, triangle, bary, part), normals)

    def find_height(self, at: FloatArray) -> FloatArray:
        """Return how high [K] completed skin stands, which follows the photo's beside it, metres.

        Args:
            at: [K, 3] on the head at rest, metres.
        """
        bound = self._avatar.gaussians
        front = np.isin(self._part_names[bound.triangle], ("face", "scalp"))
        rows = np.nonzero(self._skin & front & (bound.opacities > 0.5))[0]
        if len(rows) < S.near:
            return np.zeros(len(at))
        apart = self._points[rows] - self._feet[rows]
        height = (apart * self._normals_at(bound.triangle[rows])).sum(1)
        distance, near = cKDTree(self._feet[rows]).query(at, S.near)
        lift = np.clip(np.median(height[near], axis=1), -S.stands, S.stands)
        return np.asarray(lift * np.exp(-((distance[:, 0] / S.levels) ** 2)))

    def _dress(self, bare: BareSkin, normals: FloatArray) -> BareSkin:
        """The same, with cloth where the hair hid some: it goes on from what is seen beside it."""
        bound = self._avatar.gaussians
        # Skin that goes with the hair says as well that there was no cloth.
        rows = np.nonzero(self._own & np.isin(bound.part, [_SKIN, _FACE, _UPPER]))[0]
        low = np.nonzero(self._part_names[bare.triangle] == "shoulder")[0]
        if not len(rows) or not len(low):
            return bare
        at = np.asarray(bare.splats.means[low], np.float64)
        around = rows[cKDTree(self._feet[rows]).query(at, S.woven)[1]]
        near = around[:, 0]
        cloth = bound.part[near] == _UPPER
        low, near, around = low[cloth], near[cloth], around[cloth]
        alike = (bound.part[around] == _UPPER)[..., None]
        out = np.einsum("nd,nd->n", self._points[near] - self._feet[near], normals[low])
        means, colors = np.array(bare.splats.means), np.array(bare.splats.colors)
        part = np.array(bare.part)
        means[low] += (S.below * np.maximum(out, 0.0))[:, None] * normals[low]
        colors[low] = (alike * bound.colors[around]).sum(1) / alike.sum(1)
        part[low] = _UPPER
        splats = replace(bare.splats, means=means.astype(np.float32), colors=colors)
        return BareSkin(splats, bare.triangle, bare.bary, part)

    def _find_covered(self, triangle: IntArray, bary: FloatArray) -> BoolArray:
        """[K] places of the head over which skin or cloth of the photo stays."""
        bound = self._avatar.gaussians
        names = ("face", "skin", "eyes", "mouth", "beard")
        stays = np.isin(bound.part, [PARTS.index(name) for name in names])
        cloth = self._part_names[bound.triangle] == "shoulder"
        stays |= cloth & (bound.part == PARTS.index("upper"))
        stays &= self._own & ~self.hair & (bound.opacities > 0.3)
        rows = np.nonzero(stays)[0]
        if not len(rows):
            return np.zeros(len(triangle), bool)
        at = np.einsum("nk,nkd->nd", bary, self._rest[self._body.f[triangle]])
        distance, near = cKDTree(self._feet[rows]).query(at, min(12, len(rows)))
        own = bound.take(rows)
        sigma = np.sort(np.asarray(own.scales, np.float64), axis=1)[:, 1:].mean(1)
        alpha = np.clip(own.opacities[near] * np.exp(-0.5 * (distance / sigma[near]) ** 2), 0, 0.99)
        shown = 1.0 - np.prod(1.0 - alpha, axis=1) > S.covered
        if self.hair.any():
            far = cKDTree(self._feet[self.hair]).query(at)[0] > S.border
            shown |= far & (self._part_names[triangle] == "face")
        return np.asarray(shown | self._is_feature(at))
