"""Dresses the body: what covers it, and the shape that this gives it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...body import Body
from ...core.threads import start_thread
from ...core.types import FloatArray, IntArray, Pose
from .accessories.hat_splats import label_head, press_hair, without_hat
from .accessories.hats import Hat, fit_hat
from .accessories.shoes import fit_shoes, put_on_shoes
from .garments.labels_network import LabelNetworkRuntime
from .garments.labels_surface import label_surface, worn_probability
from .label_photo import LabelledPhoto
from .shape.dressed_mesh import DressedMesh, fit_dressed_mesh
from .shape.flaps import assign_cloth_to_trunk, find_flaps
from .skirts.skirt import Skirt, fit_skirt
from .skirts.skirt_wearer import SkirtWearer, attach_skirt
from .surface.labels import HAIR, HAT, SHOES
from .surface.limbs import vertex_groups


@dataclass(frozen=True)
class DressedPerson:
    """A person in the photo's pose, with what they wear.

    Attributes:
        found: the labelled photo, without flaps of cloth.
        body: the person's own, with the skirt's mesh if there is one.
        vertices: [V, 3] of ``body``, world space, metres.
        groups: [V] limb of each vertex.
        shares: [V, L] 0..1 of the surface's labels.
        dressed: the worn surface.
        hat: one with a brim, or None.
        skirt: as a mesh of its own, or None.
        wearer: of the skirt, or None.
    """

    found: LabelledPhoto
    body: Body
    vertices: FloatArray
    groups: IntArray
    shares: FloatArray
    dressed: DressedMesh
    hat: Hat | None
    skirt: Skirt | None
    wearer: SkirtWearer | None

    @property
    def first_skirt_face(self) -> int:
        """The first row of ``body.f`` that is the skirt's."""
        return len((self.body if self.wearer is None else self.wearer.bare).f)


def dress_person(
    found: LabelledPhoto,
    body: Body,
    pose: Pose,
    vertices: FloatArray,
    skirt: Skirt | None = None,
    find_skirt: bool = True,
    labels: LabelNetworkRuntime | None = None,
) -> DressedPerson:
    """Find what covers the body all around, and carry its mesh out to that.

    Args:
        found: the labelled photo.
        body: the person's own.
        pose: of the photo.
        vertices: [V, 3] of the body in that pose, world space, metres.
        skirt: one that another photo of the same person showed.
        find_skirt: whether to look for a skirt if none is given.
        labels: says what covers the body where the photo does not show it; None: rules alone.
    """
    camera, regions, colors = found.camera, found.regions, found.colors
    groups = vertex_groups(body)
    hidden = None
    if labels is not None:
        hidden = labels.hidden_labels(regions, camera, body, vertices, colors)
    shares = label_surface(regions, camera, body, vertices, hidden)
    hat = fit_hat(regions, camera, body, vertices)
    shares = label_head(shares, hat, regions, camera, body, vertices)
    silhouette = regions if hat is None else without_hat(regions, hat, camera)
    shoes = start_thread(fit_shoes, regions, colors, camera, body, vertices, shares[:, SHOES])
    hair, felt = shares[:, HAIR] > 0.5, shares[:, HAT] > 0.5
    worn = worn_probability(shares)
    dressed = fit_dressed_mesh(
        silhouette, camera, body, vertices, groups, worn, hair, felt, found.near_hidden
    )
    found = replace(found, regions=assign_cloth_to_trunk(regions, dressed, groups, camera))
    found = found.without(find_flaps(found.regions, dressed, groups, camera))
    regions = found.regions
    dressed = put_on_shoes(dressed, shoes.result(), vertices)
    if hat is not None:
        dressed = press_hair(dressed, hat, regions, camera, body, vertices)
    if skirt is None and find_skirt:
        skirt = fit_skirt(regions, camera, body, pose, dressed)
    if skirt is None:
        return DressedPerson(found, body, vertices, groups, shares, dressed, hat, None, None)
    wearer = attach_skirt(skirt, body, pose, regions, shares, dressed)
    return DressedPerson(
        replace(found, regions=wearer.regions),
        wearer.body,
        wearer.vertices,
        wearer.groups,
        wearer.shares,
        wearer.dressed,
        hat,
        skirt,
        wearer,
    )
