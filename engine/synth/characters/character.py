"""A foreign character: its meshes as displayed, its rig, and its size brought to metres."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.types import BoolArray, FloatArray, IntArray, LikenessError
from ...files.untrusted import read_npz, wrap_parser_errors
from ...wardrobe.mesh_parts import LABEL, MeshPart
from ...wardrobe.tables import parse_names
from ..parts_file import load_parts

RIG_FILE = "rig.npz"
LOWEST, HIGHEST = 0.4, 3.0
"""Metres between which a character's height is left as it is."""
UNITS = {"centimetres": 0.01, "millimetres": 0.001, "inches": 0.0254, "decimetres": 0.1}
ADULT = 1.7
SEEN_THROUGH = 0.5  # mean alpha below which a triangle does not count as a surface

_WORDS = {
    "brow": ("brow", "lash"),
    "hair": ("hair", "beard", "moustache", "mustache", "ponytail", "bangs"),
    "glasses": ("glasses", "goggles", "spectacles"),
    "hat": ("hat", "cap", "helmet", "hood", "beanie", "fedora"),
    "shoes": ("shoe", "boot", "sneaker", "sandal", "heels"),
    "scarf": ("scarf",),
    "jewellery": ("earring", "necklace", "jewel"),
    "mouth": ("teeth", "tongue", "mouth", "gums"),
    "eye": ("eye", "eyes", "cornea", "iris", "sclera", "eyeball"),
    "clothes": parse_names(
        "cloth, shirt, pants, trousers, jeans, dress, skirt, jacket, coat, suit, top, tops, "
        "bottom, outfit, sweater, shorts, sock, vest, hoodie, uniform, glove, garment, apparel"
    ),
}
"""Words in the names of meshes and materials, by label; the first label with one counts."""
_WITHIN = 4  # letters from which a word also counts inside a longer one


def guess_label(*names: str) -> str:
    """Guess the label of a mesh or material from its names; ``other`` where they don't say.

    >>> [guess_label(x) for x in ("Wolf3D_Hair", "Ch36_Shirt", "Body", "eyelashes01")]
    ['hair', 'clothes', 'other', 'brow']
    >>> [guess_label(x) for x in ("What", "Top Hat", "LeftEye", "male_worksuit01")]
    ['other', 'hat', 'eye', 'clothes']
    """
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", " ".join(names))
    words = re.findall(r"[a-z]+", text.lower())
    for label, known in _WORDS.items():
        for stem in known:
            if stem in words or (len(stem) >= _WITHIN and any(stem in word for word in words)):
                return label
    return "other"


@dataclass(frozen=True)
class CharacterRig:
    """Bones in the shown pose.

    Attributes:
        names: of the bones.
        heads: [B, 3] where they begin, in the parts' unit.
        tails: [B, 3] where they end, in the parts' unit.
    """

    names: tuple[str, ...]
    heads: FloatArray
    tails: FloatArray


@dataclass(frozen=True)
class Character:
    """A foreign figure, standing in engine axes (y up), posed as its file shows it.

    Attributes:
        name: of the file.
        parts: meshes.
        rig: None for a bare mesh.
        scale: factor from the file's units to those of ``parts`` and ``rig``.
        turn: [3, 3] rotation by which it was turned upright.
        notes: what was assumed about it.
    """

    name: str
    parts: tuple[MeshPart, ...]
    rig: CharacterRig | None
    scale: float = 1.0
    turn: FloatArray = field(default_factory=lambda: np.eye(3))
    notes: tuple[str, ...] = ()

    @property
    def vertices(self) -> FloatArray:
        """[V, 3] of all parts."""
        return np.concatenate([part.vertices for part in self.parts])

    def moved(self, scale: float = 1.0, turn: FloatArray | None = None) -> Character:
        """The same character, scaled about the origin and turned.

        Args:
            scale: factor on all lengths.
            turn: [3, 3] rotation; None: not turned.
        """
        R = np.eye(3) if turn is None else turn

        def there(points: FloatArray) -> FloatArray:
            return np.asarray(scale * (np.asarray(points, np.float64) @ R.T))

        parts = tuple(replace(part, vertices=there(part.vertices)) for part in self.parts)
        rig = self.rig
        if rig is not None:
            rig = CharacterRig(rig.names, there(rig.heads), there(rig.tails))
        return replace(self, parts=parts, rig=rig, scale=self.scale * scale, turn=R @ self.turn)

    def noted(self, note: str) -> Character:
        """The same character with another note."""
        return replace(self, notes=(*self.notes, note))


def load_character(folder: Path, name: str) -> Character:
    """Read what ``addon/characters.py`` took out of a user's file.

    Raises:
        LikenessError: it holds nothing that a person could consist of.
    """
    parts = load_parts(folder)
    rig = None
    path = folder / RIG_FILE
    if path.is_file():
        try:
            rig = _rig(read_npz(path, ("names", "heads", "tails")))
        except (OSError, ValueError) as error:
            raise LikenessError(f"'{path}' cannot be read ({error}).", "Convert again.") from error
    return Character(name, parts, rig)


def _rig(arrays: dict[str, NDArray[Any]]) -> CharacterRig:
    with wrap_parser_errors():
        names = tuple(str(n) for n in arrays["names"])
        ends = {name: np.asarray(arrays[name], np.float64) for name in ("heads", "tails")}
    for name, places in ends.items():
        if places.shape != (len(names), 3) or not np.isfinite(places).all():
            raise ValueError(f"the bones' {name} are not {len(names)} places")
    return CharacterRig(names, ends["heads"], ends["tails"])


def save_rig(rig: CharacterRig, folder: Path) -> None:
    """Write the rig beside the parts."""
    with (folder / RIG_FILE).open("wb") as file:
        np.savez(file, names=np.array(rig.names), heads=rig.heads, tails=rig.tails)


def scale_to_metres(character: Character) -> Character:
    """The character at a person's size; its notes say what was assumed.

    Raises:
        LikenessError: the meshes have no extent.
    """
    # The longest side: a lying figure is not a dwarf, one with spread arms not a giant.
    height = float(np.ptp(_solid_vertices(character), axis=0).max())
    if not np.isfinite(height) or height <= 0:
        raise LikenessError(
            f"'{character.name}' contains no body: its meshes have no extent.",
            "Give a file with a person's mesh.",
        )
    if LOWEST <= height <= HIGHEST:
        return character
    for unit, metres in UNITS.items():
        if 1.2 <= height * metres <= 2.3:
            note = f"It is {height:.4g} units long, taken for {unit}."
            return character.moved(metres).noted(note)
    scale = ADULT / height
    note = f"It is {height:.4g} units long, in an unknown unit; it was scaled to {ADULT} m."
    return character.moved(scale).noted(note)


def _solid_vertices(character: Character) -> FloatArray:
    return np.concatenate([part.vertices[part.f].reshape(-1, 3) for part in character.parts])


@dataclass(frozen=True)
class CharacterSurface:
    """All opaque triangles, as one mesh.

    Attributes:
        parts: of the character.
        vertices: [V, 3] float64, metres.
        f: [F, 3].
        label: [F] uint8 rows of :data:`~..person_parts.LABELS`.
        part: [F] row of the parts.
        row: [F] triangle of that part.
    """

    parts: tuple[MeshPart, ...]
    vertices: FloatArray
    f: IntArray
    label: NDArray[np.uint8]
    part: IntArray
    row: IntArray

    def paint(self, face: IntArray, bary: FloatArray) -> FloatArray:
        """Look up the colours at points of the surface.

        Args:
            face: [P] triangles.
            bary: [P, 3] barycentric coordinates.

        Returns:
            [P, 3] sRGB 0..1.
        """
        out = np.zeros((len(face), 3))
        for k, part in enumerate(self.parts):
            mine = np.flatnonzero(self.part[face] == k)
            if len(mine):
                out[mine] = sample_texels(part, self.row[face[mine]], bary[mine])[:, :3]
        return out


def sample_texels(part: MeshPart, face: IntArray, bary: FloatArray) -> FloatArray:
    """Look up the nearest texels at points of a part.

    Args:
        part: with its texture.
        face: [P] triangles of the part.
        bary: [P, 3] barycentric coordinates.

    Returns:
        [P, 4] sRGB and alpha, 0..1.
    """
    color = part.material.color
    height, width = color.shape[:2]
    uv = np.einsum("pk,pkc->pc", bary, part.uv[face])
    column = np.clip((uv[:, 0] % 1.0 * width).astype(int), 0, width - 1)
    row = np.clip((uv[:, 1] % 1.0 * height).astype(int), 0, height - 1)
    return np.asarray(color[row, column] / 255.0)


_INSIDE = np.array([[4, 1, 1], [1, 4, 1], [1, 1, 4], [2, 2, 2]]) / 6.0


def opaque_faces(part: MeshPart) -> BoolArray:
    """[F] triangles of which most is solid."""
    alpha = np.zeros(len(part.f))
    for bary in _INSIDE:
        alpha += sample_texels(part, np.arange(len(part.f)), np.tile(bary, (len(part.f), 1)))[:, 3]
    return np.asarray(alpha / len(_INSIDE) >= SEEN_THROUGH)


def split_cards(parts: Sequence[MeshPart]) -> tuple[MeshPart, ...]:
    """Split parts into solid triangles and cards that one can see through.

    Characters often keep lashes or hair in the mesh of the body, with one picture for all.
    """
    out: list[MeshPart] = []
    for part in parts:
        if part.material.color[..., 3].min() == 255:
            out.append(part)
            continue
        corners = np.concatenate([_INSIDE, np.eye(3) * 0.94 + 0.02])
        rows = np.arange(len(part.f))
        solid = np.all(
            [
                sample_texels(part, rows, np.tile(bary, (len(rows), 1)))[:, 3] > 0.9
                for bary in corners
            ],
            0,
        )
        for which, card in ((solid, False), (~solid, True)):
            if which.any():
                out.append(
                    replace(
                        part,
                        f=part.f[which],
                        uv=part.uv[which],
                        label=part.label[which],
                        card=card,
                        bias=0.002 if card else 0.0,
                    )
                )
    return tuple(out)


def extract_surface(character: Character) -> CharacterSurface:
    """Extract the surface that cameras see as solid."""
    kept = [np.flatnonzero(opaque_faces(part)) for part in character.parts]
    starts = np.cumsum([0, *(len(part.vertices) for part in character.parts)])
    pairs = list(zip(character.parts, kept))
    return CharacterSurface(
        parts=character.parts,
        vertices=character.vertices,
        f=np.concatenate([p.f[rows] + start for (p, rows), start in zip(pairs, starts)]),
        label=np.concatenate([p.label[rows] for p, rows in pairs]),
        part=np.concatenate([np.full(len(rows), k) for k, rows in enumerate(kept)]),
        row=np.concatenate(kept),
    )


HAIRY = tuple(LABEL[n] for n in ("hair", "brow", "hat", "glasses", "jewellery", "scarf"))
"""Labels of surfaces that do not belong to the body."""
DRESSED = tuple(LABEL[n] for n in ("clothes", "shoes"))
