"""A picture of a synthetic person, and the truth about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...body import Body
from ...core.cameras import project
from ...core.geometry import vertex_normals
from ...core.types import BoolArray, Camera, FloatArray, IntArray, Portrait
from ...dataset.backgrounds import random_background
from ...render.mesh import rasterize_mesh
from ...synth.environment_light import environment_picture
from ...synth.figure import SynthContext, dress_wearer
from ...synth.person_parts import Wearer
from ...synth.raster import PreparedFigure, draw_figure, prepare_figure, render_truth
from ...wardrobe.dress import PosedBody, pose_body
from .person import RandomPerson

SUPERSAMPLING = 2
TEXTURE_SIZE = 1024  # texels along a side of the body's atlas
SURFACE_TOLERANCE = 0.006  # metres by which a vertex may lie behind the z-buffer and be seen
HIDDEN_BEHIND = 0.08  # metres of another body part in front of a joint that hide it
MIN_FACING = 0.05  # cosine between a vertex's normal and the line of sight
BODY_JOINTS = 22
SENSOR_NOISE = np.float32(0.008)
_LIGHT, _BACKGROUND, _NOISE = range(12, 15)  # random streams besides those of dress_wearer


@dataclass(frozen=True)
class Truth:
    """What is true in a picture.

    Attributes:
        vertices: [V, 3] metres, the photo camera's space.
        joints: [55, 3] metres, the photo camera's space.
        rotations: [55, 3, 3] world rotation of each joint.
        alpha: [H, W] float32, how much of each pixel the person covers (hair and clothes too).
        vertex_visible: [V] in the frame, facing the camera, and hidden by nothing (z-buffer).
        joint_visible: [22] body joints in the frame, see :func:`visible_joints`.
    """

    vertices: FloatArray
    joints: FloatArray
    rotations: FloatArray
    alpha: FloatArray
    vertex_visible: BoolArray
    joint_visible: BoolArray


@dataclass(frozen=True)
class PersonScene:
    """A dressed person under light, ready to be drawn from any camera.

    Attributes:
        person: who it is.
        posed: the body.
        prepared: body, clothes and hair with the light that reaches them.
        behind: [H, W, 3] background of the person's photo, sRGB 0..1.
    """

    person: RandomPerson
    posed: PosedBody
    prepared: PreparedFigure
    behind: FloatArray

    def draw(self, camera: Camera) -> FloatArray:
        """Draw what a camera sees: [H, W, 4] float32 sRGB 0..1, straight alpha, no background."""
        return draw_figure(self.prepared, camera, SUPERSAMPLING)

    def draw_over(self, camera: Camera, behind: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Draw the person over a background.

        Args:
            camera: any.
            behind: [H, W, 3] of the camera's size, sRGB 0..1.

        Returns:
            The picture [H, W, 3] and the person's alpha [H, W], float32.
        """
        rgba = self.draw(camera)
        alpha = rgba[..., 3:]
        return np.asarray(alpha * rgba[..., :3] + (1.0 - alpha) * behind), alpha[..., 0]


def make_scene(world: SynthContext, person: RandomPerson) -> PersonScene:
    """Dress a person and light the scene; the same for the same person.

    Raises:
        LikenessError: an asset of the library is missing or broken.
    """

    def rng(step: int) -> np.random.Generator:
        return np.random.default_rng([person.seed, step])

    posed = pose_body(world.dress, person.betas, person.pose)
    expression = np.asarray(person.pose.expression)
    wearer = Wearer(
        world.dress, posed, person.traits, person.betas, expression, world.library, TEXTURE_SIZE
    )
    lighting = world.surroundings.random_lighting(rng(_LIGHT))
    environment = environment_picture(lighting, world.surroundings.read)
    prepared = prepare_figure(dress_wearer(wearer, rng), lighting, environment)
    behind = random_background(person.camera.height, person.camera.width, rng(_BACKGROUND))
    return PersonScene(person, posed, prepared, behind)


def render_person(world: SynthContext, person: RandomPerson) -> tuple[Portrait, Truth]:
    """Draw a person's photo; see :func:`take_photo`.

    Raises:
        LikenessError: an asset of the library is missing or broken.
    """
    return take_photo(make_scene(world, person))


def take_photo(scene: PersonScene) -> tuple[Portrait, Truth]:
    """The person's photo with a sensor's noise, and the truth about it.

    The photo is as if loaded from a file, without alpha.
    """
    person, posed, camera = scene.person, scene.posed, scene.person.camera
    body = posed.dress.body
    rgb, alpha = scene.draw_over(camera, scene.behind)
    noise = np.random.default_rng([person.seed, _NOISE]).standard_normal(rgb.shape, np.float32)
    portrait = Portrait(
        rgb=np.clip(rgb + noise * SENSOR_NOISE, 0.0, 1.0).astype(np.float32),
        alpha=None,
        path=Path(f"person-{person.seed}.png"),
        original_size=(camera.width, camera.height),
    )
    large = camera.resized(camera.width * SUPERSAMPLING, camera.height * SUPERSAMPLING)
    front, _ = render_truth(scene.prepared, large)
    truth = Truth(
        vertices=posed.vertices,
        joints=posed.joints,
        rotations=posed.R,
        alpha=alpha,
        vertex_visible=visible_vertices(posed.vertices, body.f, front, large),
        joint_visible=visible_joints(posed.vertices, posed.joints, body, large),
    )
    return portrait, truth


def _pixels(points: FloatArray, camera: Camera) -> tuple[IntArray, IntArray, FloatArray, BoolArray]:
    """Column, row (clipped), depth and whether the point is in the frame."""
    xy, depth = project(points, camera)
    xy = np.nan_to_num(xy)
    inside = (depth > 0) & (xy >= 0).all(-1) & (xy < [camera.width, camera.height]).all(-1)
    col = np.clip(xy[..., 0], 0, camera.width - 1).astype(np.int64)
    row = np.clip(xy[..., 1], 0, camera.height - 1).astype(np.int64)
    return col, row, depth, inside


def visible_vertices(
    vertices: FloatArray, f: IntArray, depth: FloatArray, camera: Camera
) -> BoolArray:
    """[V] vertices in the frame that face the camera and lie at the z-buffer's depth.

    Args:
        vertices: [V, 3] metres, the camera's space (it stands at the origin).
        f: [F, 3] triangles.
        depth: [H, W] metres of the nearest surface, inf where there is none.
        camera: of the depth.
    """
    col, row, z, inside = _pixels(vertices, camera)
    sight = -vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    facing = (vertex_normals(vertices, f) * sight).sum(1) > MIN_FACING
    first = depth[row, col]
    near = np.isfinite(first) & (z <= first + SURFACE_TOLERANCE)
    out: BoolArray = inside & facing & near
    return out


def visible_joints(
    vertices: FloatArray, joints: FloatArray, body: Body, camera: Camera
) -> BoolArray:
    """[22] body joints that the picture shows.

    A joint is seen when it lies in the frame and the bare body's first surface at its pixel is
    less than 8 cm in front of it, beyond the thickness of the flesh around the joint (its distance
    to the nearest vertex at rest): an arm in front of the trunk hides the trunk's joints.

    Args:
        vertices: [V, 3] metres, of the posed person.
        joints: [55, 3] metres, of the posed person.
        body: gives the triangles and the joints at rest.
        camera: any, in the same space.
    """
    depth = rasterize_mesh(vertices, body.f, camera).depth
    col, row, z, inside = _pixels(joints[:BODY_JOINTS], camera)
    flesh = np.array(
        [
            np.linalg.norm(body.v_template - joint, axis=1).min()
            for joint in body.J_template[:BODY_JOINTS]
        ]
    )
    out: BoolArray = inside & (z - depth[row, col] < HIDDEN_BEHIND + flesh)
    return out
