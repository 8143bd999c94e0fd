"""Scanning a character from all around: the detectors' landmarks in space, and its surface.

The character is drawn by our own z-buffer, so each pixel's place is known: face landmarks are put
back onto the surface; those of body and hands, which lie inside, are triangulated.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial import cKDTree

from ...bake.plain_render import SUPERSAMPLING, render_plain, triangulate
from ...body.names import POSE_MIRROR
from ...core.cameras import camera_position, intrinsics, look_at, project, unproject
from ...core.types import Camera, FloatArray, IntArray
from ...render.mesh import MeshBuffer, rasterize_mesh
from ...tracking.detectors import Detectors, Roi
from ...tracking.observation import Candidate, find_candidates
from .character import HAIRY, CharacterSurface

YAWS = tuple(range(0, 360, 30))
PITCH, FAR = 4.0, 3.2  # degrees; metres to a figure of 1.7 m, in its own size
PICTURE, CLOSE_PICTURE, HAND_PICTURE = 512, 448, 288
MIN_AGREEMENT = 0.5
"""Share of what pictures show of a body that must be in one place in space; else it is none."""
BRIGHTER = 0.55  # gamma of a second look
UNLIKELY = 0.3
"""Trust in a body without a face: seen from behind, left and right are easily taken for each
other."""
FACE_YAWS, FACE_PITCHES = (-28.0, -14.0, 0.0, 14.0, 28.0), (-8.0, 8.0)
FACING = 0.35  # cosine, as in the body's own landmarks (body/bake/landmarks.py)
MIN_FACES, MIN_HANDS, MIN_BODIES = 3, 3, 3
HAND_SIDES = tuple(
    (yaw, pitch) for pitch in (0.0, 45.0, -45.0) for yaw in (0, 60, 120, 180, 240, 300)
)
HAND_MISS = 0.03  # metres by which a hand found in a close view may miss the wrist
VOXEL = {"body": 0.0045, "fine": 0.0018}  # metres between points of the cloud


@dataclass(frozen=True)
class Landmarks3D:
    """Landmarks in space, metres; weights are 0 (not found) to 1.

    Attributes:
        pose: [33, 3] body landmarks.
        pose_weight: [33].
        face: [478, 3] face landmarks.
        face_weight: [478].
        hands: by side (True: left) landmarks [21, 3] and weights [21].
        views: how many pictures showed a body, a face, a left and a right hand.
    """

    pose: FloatArray
    pose_weight: FloatArray
    face: FloatArray
    face_weight: FloatArray
    hands: dict[bool, tuple[FloatArray, FloatArray]]
    views: dict[str, int]


@dataclass(frozen=True)
class PointCloud:
    """Points of the visible surface.

    Attributes:
        points: [N, 3] metres.
        normals: [N, 3] unit, towards the camera that sees them.
        face: [N] triangle.
    """

    points: FloatArray
    normals: FloatArray
    face: IntArray


@dataclass
class SurfaceScanner:
    """Pictures of one surface, and the cloud of all that they show.

    Attributes:
        surface: the character's.
        detectors: of landmarks in its pictures.
        size: of the figure, in units of an adult's.
        gamma: of the pictures' colours; under 1 they are brighter than the character.
        triangles: [F] which of the whole surface's triangles these are; None: they are all.
        seen: the cloud's parts.
    """

    surface: CharacterSurface
    detectors: Detectors
    size: float = 1.0
    gamma: float = 1.0
    triangles: IntArray | None = None
    seen: list[PointCloud] = field(default_factory=list)

    def __post_init__(self) -> None:
        used = self.surface.vertices[np.unique(self.surface.f)]
        self.centre = (used.min(0) + used.max(0)) / 2
        self.reach = float(np.linalg.norm(used - self.centre, axis=1).max())

    def camera(
        self, target: FloatArray, reach: float, yaw: float, pitch: float, size: int
    ) -> Camera:
        """A camera whose picture is filled by a sphere.

        Args:
            target: [3] the sphere's centre, metres.
            reach: the sphere's radius, metres.
            yaw: of the camera about the target, degrees.
            pitch: of the camera about the target, degrees.
            size: of the square picture, pixels.
        """
        distance = 6.0 * reach
        focal = 0.48 * size * np.sqrt(distance**2 - reach**2) / reach
        return Camera(
            look_at(target, distance, yaw, pitch), intrinsics(focal, size, size), size, size
        )

    def picture(self, camera: Camera, keep: str = "") -> tuple[FloatArray, MeshBuffer]:
        """Draw the surface.

        Args:
            camera: to draw it from.
            keep: key of :data:`VOXEL` under which the points join the cloud, or "".

        Returns:
            [H, W, 3] the picture, sRGB 0..1, and its z-buffer at twice the size.
        """
        position = camera_position(camera)
        light = (
            position
            - self.centre
            + np.array([0.3, 0.6, 0.0]) * np.linalg.norm(position - self.centre)
        )
        rgb, buffer = render_plain(
            self.surface.vertices, self.surface.f, self.surface.paint, camera, light
        )
        if keep:
            self._keep(camera, buffer, VOXEL[keep])
        return (rgb if self.gamma == 1.0 else rgb**self.gamma), buffer

    def glance(self, camera: Camera, keep: str) -> None:
        """Add a view to the cloud only."""
        large = camera.resized(camera.width * SUPERSAMPLING, camera.height * SUPERSAMPLING)
        self._keep(
            camera, rasterize_mesh(self.surface.vertices, self.surface.f, large), VOXEL[keep]
        )

    def _keep(self, camera: Camera, buffer: MeshBuffer, voxel: float) -> None:
        f, vertices = self.surface.f, self.surface.vertices
        covered = np.flatnonzero(buffer.face.ravel() >= 0)
        if not len(covered):
            return
        face = buffer.face.ravel()[covered]
        corners = vertices[f[face]]
        points = np.einsum("pk,pkc->pc", buffer.bary.reshape(-1, 3)[covered], corners)
        first = voxel_downsample(points, voxel * self.size)
        points, face = points[first], face[first]
        a, b, c = np.moveaxis(vertices[f[face]], 1, 0)
        normals = np.cross(b - a, c - a)
        length = np.linalg.norm(normals, axis=1)
        normals /= np.maximum(length, 1e-20)[:, None]
        sight = camera_position(camera) - points
        sight /= np.linalg.norm(sight, axis=1, keepdims=True)
        facing = (normals * sight).sum(1)
        normals *= np.where(facing < 0, -1.0, 1.0)[:, None]
        good = (length > 1e-14) & (np.abs(facing) > 0.15)
        row = face[good] if self.triangles is None else self.triangles[face[good]]
        self.seen.append(PointCloud(points[good], normals[good], row))

    def bared(self, gamma: float = 1.0) -> SurfaceScanner:
        """A scanner that ignores what is named hair, hat or glasses; the cloud is shared."""
        keep = ~np.isin(self.surface.label, HAIRY)
        if not keep.any():
            return replace(self, gamma=gamma)
        whole = self.surface
        surface = replace(
            whole,
            f=whole.f[keep],
            label=whole.label[keep],
            part=whole.part[keep],
            row=whole.row[keep],
        )
        return replace(self, surface=surface, gamma=gamma, triangles=np.flatnonzero(keep))

    def cloud(self) -> PointCloud:
        """Join all that was seen; what several pictures show counts once."""
        points = np.concatenate([c.points for c in self.seen])
        normals = np.concatenate([c.normals for c in self.seen])
        face = np.concatenate([c.face for c in self.seen])
        # The two sides of a thin sheet stay apart.
        side = (normals > 0) @ np.array([1, 2, 4])
        first = voxel_downsample(points, VOXEL["fine"] * self.size, side)
        return PointCloud(points[first], normals[first], face[first])


def voxel_downsample(points: FloatArray, cell: float, kind: IntArray | None = None) -> IntArray:
    """Choose the first point in each cell of a grid.

    Args:
        points: [N, 3] metres.
        cell: side of a cell, metres.
        kind: [N] 0..7; with it the first point of each kind in a cell.

    Returns:
        [K] rows of the chosen points.
    """
    place = np.floor((points - points.min(0)) / cell).astype(np.int64)
    size = place.max(0) + 1
    key = (place[:, 0] * size[1] + place[:, 1]) * size[2] + place[:, 2]
    if kind is not None:
        key = 8 * key + kind
    return np.asarray(np.unique(key, return_index=True)[1])


def detect_landmarks(looker: SurfaceScanner) -> Landmarks3D | None:
    """Find body, face and hands in pictures from all sides; None when no person is seen."""
    best: Landmarks3D | None = None
    # A second look where hair hid the face, or the picture was dark.
    for eyes in (looker, looker.bared(BRIGHTER)):
        found = _bodies(eyes)
        if len(found) < MIN_BODIES:
            continue
        pose, weight, agree = _body_points(*map(list, zip(*found)))
        if agree < MIN_AGREEMENT:
            continue
        face, face_weight, shown = _face_points(eyes, pose, weight)
        views = {"body": len(found), "face": shown}
        if best is None or shown > best.views["face"]:
            best = Landmarks3D(pose, weight, face, face_weight, {}, views)
        if shown >= MIN_FACES:
            break
    return None if best is None else _with_hands(looker, best)


def _with_hands(looker: SurfaceScanner, marks: Landmarks3D) -> Landmarks3D:
    hands, hand_views = {}, {}
    for left in (True, False):
        points, trust, count = _hand_points(looker, marks.pose, marks.pose_weight, left)
        hand_views["left hand" if left else "right hand"] = count
        if count >= MIN_HANDS:
            hands[left] = (points, trust)
    return replace(marks, hands=hands, views={**marks.views, **hand_views})


def _bodies(looker: SurfaceScanner) -> list[tuple[Camera, Candidate]]:
    """The largest person of each picture around that shows one."""
    out = []
    for yaw in YAWS:
        camera = looker.camera(looker.centre, looker.reach, yaw, PITCH, PICTURE)
        rgb, _ = looker.picture(camera, "body")
        found = find_candidates(rgb, looker.detectors)
        if found:
            out.append((camera, max(found, key=lambda one: float(one.person.mask.sum()))))
    return out


def complete_cloud(looker: SurfaceScanner) -> None:
    """Add what level views miss: from above and below, and under what is named hair."""
    for pitch in (50.0, -50.0):
        for yaw in (0, 60, 120, 180, 240, 300):
            looker.glance(looker.camera(looker.centre, looker.reach, yaw, pitch, PICTURE), "body")
    if np.isin(looker.surface.label, HAIRY).any():
        under = looker.bared()
        for yaw in (0, 60, 120, 180, 240, 300):
            under.glance(looker.camera(looker.centre, looker.reach, yaw, 20.0, PICTURE), "body")


def _body_points(
    cameras: list[Camera], bodies: list[Candidate]
) -> tuple[FloatArray, FloatArray, float]:
    """Points [33, 3], weights [33], and the share of what was seen that agrees on them."""
    pixels = np.stack([one.person.landmarks for one in bodies])
    seen = np.stack([one.person.visibility for one in bodies]).clip(0.02)
    faced = np.array([one.face is not None for one in bodies])
    trust = seen * np.where(faced, 1.0, UNLIKELY)[:, None]
    mirror = np.array(POSE_MIRROR)
    points, miss = _triangulated(cameras, pixels, trust)
    for _ in range(4):  # views from behind in which left and right were taken for each other
        at = np.stack([project(points, camera)[0] for camera in cameras])
        away = np.linalg.norm(pixels - at, axis=2).mean(1)
        swapped = np.linalg.norm(pixels[:, mirror] - at, axis=2).mean(1)
        wrong = swapped < away
        if not wrong.any():
            break
        pixels[wrong], trust[wrong] = pixels[wrong][:, mirror], trust[wrong][:, mirror]
        points, miss = _triangulated(cameras, pixels, trust)
    if _looks_back(points):
        points, miss, trust = points[mirror], miss[:, mirror], trust[:, mirror]
    close, sure = miss < 0.04, trust > 0.06
    agree = (close & sure).sum(0)
    weight = np.where(agree >= 2, np.minimum(1.0, agree / 4), 0.0)
    return points, weight, float((close & sure).sum() / max(int(sure.sum()), 1))


def _triangulated(
    cameras: list[Camera], pixels: FloatArray, trust: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Points [33, 3], and by how much each view's rays miss them [C, 33]."""
    pairs = [triangulate(cameras, pixels[:, k], trust[:, k]) for k in range(pixels.shape[1])]
    return np.stack([point for point, _ in pairs]), np.stack([miss for _, miss in pairs], 1)


def _looks_back(pose: FloatArray) -> bool:
    """Whether toes and nose point away from where shoulders and hips would have the front."""
    front = np.radians(facing_yaw(pose))
    ahead = pose[31] - pose[29] + pose[32] - pose[30] + pose[0] - (pose[7] + pose[8]) / 2
    return bool(ahead @ [np.sin(front), 0.0, np.cos(front)] < 0)


def facing_yaw(pose: FloatArray) -> float:
    """Degrees about +y to which the trunk faces, from shoulders and hips.

    Args:
        pose: [33, 3] body landmarks, metres.
    """
    across = pose[11] - pose[12] + pose[23] - pose[24]
    return float(np.degrees(np.arctan2(-across[2], across[0])))


def _face_points(
    looker: SurfaceScanner, pose: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray, int]:
    ears = (pose[7] + pose[8]) / 2
    out, trust = np.zeros((478, 3)), np.zeros(478)
    if min(weight[[0, 7, 8]]) <= 0:
        return out, trust, 0
    across = pose[7] - pose[8]
    front = float(np.degrees(np.arctan2(-across[2], across[0])))
    reach = 1.1 * max(float(np.linalg.norm(across)), 0.07 * looker.size)
    hits = []
    for pitch in FACE_PITCHES:
        for yaw in FACE_YAWS:
            middle = 0.6 * ears + 0.4 * pose[0]
            camera = looker.camera(middle, reach, front + yaw, pitch, CLOSE_PICTURE)
            rgb, buffer = looker.picture(camera, "fine")
            found = looker.detectors.face_landmarks(rgb)
            if found is not None and found.score > 0.5:
                hits.append(_onto_surface(looker.surface, buffer, camera, found.landmarks))
    for yaw in (90, 180, 270):
        looker.glance(looker.camera(ears, reach, front + yaw, 10.0, CLOSE_PICTURE), "fine")
    if len(hits) < MIN_FACES:
        return out, trust, len(hits)
    stack = np.stack(hits)
    count = np.isfinite(stack[..., 0]).sum(0)
    good = count >= MIN_FACES
    out[good] = np.nanmedian(stack[:, good], axis=0)
    spread = np.nanmedian(np.linalg.norm(stack[:, good] - out[good], axis=2), axis=0)
    trust[good] = 1.0 / (1.0 + (spread / (0.003 * looker.size)) ** 2)
    return out, trust, len(hits)


def _onto_surface(
    surface: CharacterSurface, buffer: MeshBuffer, camera: Camera, pixels: FloatArray
) -> FloatArray:
    """[478, 3] where the pixels meet the surface squarely enough, nan elsewhere."""
    size = buffer.depth.shape[0]
    place = np.clip((pixels * SUPERSAMPLING).astype(int), 0, size - 1)
    depth = buffer.depth[place[:, 1], place[:, 0]]
    face = buffer.face[place[:, 1], place[:, 0]]
    out = np.full((len(pixels), 3), np.nan)
    hit = np.flatnonzero(face >= 0)
    points = unproject(pixels[hit], depth[hit], camera)
    a, b, c = np.moveaxis(surface.vertices[surface.f[face[hit]]], 1, 0)
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)
    sight = camera_position(camera) - points
    sight /= np.linalg.norm(sight, axis=1, keepdims=True)
    good = np.abs((normal * sight).sum(1)) > FACING
    out[hit[good]] = points[good]
    return out


def _hand_points(
    looker: SurfaceScanner, pose: FloatArray, weight: FloatArray, left: bool
) -> tuple[FloatArray, FloatArray, int]:
    elbow, wrist, pinky, index = (13, 15, 17, 19) if left else (14, 16, 18, 20)
    points, trust = np.zeros((21, 3)), np.zeros(21)
    if min(weight[wrist], weight[elbow]) <= 0:
        return points, trust, 0
    along = pose[wrist] - pose[elbow]
    length = min(float(np.linalg.norm(along)), 0.3 * looker.size)
    along = along / max(float(np.linalg.norm(along)), 1e-9)
    knuckles = weight[index] > 0 and weight[pinky] > 0
    centre = (pose[index] + pose[pinky]) / 2 if knuckles else pose[wrist] + 0.35 * length * along
    reach = 0.11 * looker.size
    cameras, pixels, scores = [], [], []
    for yaw, pitch in HAND_SIDES:
        camera = looker.camera(centre, reach, yaw, pitch, HAND_PICTURE)
        rgb, _ = looker.picture(camera, "fine")
        whole = Roi((HAND_PICTURE / 2, HAND_PICTURE / 2), float(HAND_PICTURE))
        hands = looker.detectors.hands_in(rgb, [whole])
        at, depth = project(pose[wrist], camera)
        reachable = HAND_MISS * 2 * looker.size * camera.K[0, 0] / float(depth)
        near = [
            h
            for h in hands
            if np.hypot(*(h.landmarks[0] - at)) < reachable and (h.left > 0.5) == left
        ]
        if near:
            cameras.append(camera)
            pixels.append(near[0].landmarks)
            scores.append(near[0].score)
    if len(cameras) < MIN_HANDS:
        return points, trust, len(cameras)
    for k in range(21):
        points[k], miss = triangulate(cameras, np.stack(pixels)[:, k], np.array(scores))
        agree = miss < 0.012 * looker.size
        trust[k] = min(1.0, agree.sum() / 4) if agree.sum() >= 2 else 0.0
    return points, trust, len(cameras)


def build_tree(cloud: PointCloud, turn_weight: float) -> cKDTree:
    """A tree for nearest points whose normals agree: ``turn_weight`` metres per unit of normal."""
    return cKDTree(np.concatenate([cloud.points, turn_weight * cloud.normals], 1))
