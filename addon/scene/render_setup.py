"""Render settings under which splats look as the engine draws them, and a render call.

:func:`plan_changes` lists the changes for the user, :func:`apply_changes` makes them, and
:func:`restore_settings` reverts them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import bpy

from ...engine.core.types import LikenessError
from .. import compat, keys
from .camera import photo_size, use_photo_size

TRANSPARENT_BOUNCES = 256
"""Splats that one ray may cross; with 32 renders are visibly darker (measured)."""

LIT_SAMPLES = 32
"""Samples of Cycles from which relit splats are smooth enough to be denoised."""

MIN_TRANSPARENT_BOUNCES = 128
"""Fewer are worth a word; Blender's default is 8."""

GROUPS: dict[str, str] = {
    "engine": "Render engine",
    "sampling": "Sampling",
    "transparency": "Transparent layers",
    "colors": "Colors",
    "film": "Film",
    "camera": "Camera and size",
}
"""Groups of settings that can be excluded -> label."""


@dataclass(frozen=True)
class RenderOptions:
    """Options of the setup.

    Attributes:
        engine: ``CYCLES`` or ``EEVEE``.
        samples: one renders splats exactly; more smooth the edges.
        lit: whether other objects need light bounces and more samples. Then sampling, bounces and
            denoising are kept. The pixel filter jitters rays, so detail finer than a pixel differs
            from seed to seed: 28 dB at 4 samples, 39 at 16, 49 at 64, lit or not.
        groups: which of ``GROUPS`` to set.
    """

    engine: str = "CYCLES"
    samples: int = 1
    lit: bool = False
    groups: frozenset[str] = frozenset(GROUPS)


class SettingChange(NamedTuple):
    """The change of one setting.

    Attributes:
        group: one of ``GROUPS``.
        path: of the setting, from the scene.
        old: a number, a text or, for the camera, the name of an object.
        new: as ``old``.
        text: describes the change to the user.
    """

    group: str
    path: str
    old: Any
    new: Any
    text: str

    def __str__(self) -> str:
        return self.text


def plan_changes(
    scene: Any, setup: RenderOptions, camera: Any | None = None
) -> list[SettingChange]:
    """The changes that the setup needs, in order.

    Args:
        scene: of Blender.
        setup: its options.
        camera: becomes the scene's camera, at its photo's size; None keeps the current one.
    """
    compat.ensure_cycles()
    changes = []
    for group, path, new in _wanted(setup, camera):
        if group not in setup.groups:
            continue
        owner, name = _owner(scene, path)
        old = getattr(owner, name)
        if path == "camera":
            old = old.name if old else ""
        if not _same(old, new):
            changes.append(SettingChange(group, path, old, new, _describe(owner, name, old, new)))
    return changes


def apply_changes(scene: Any, changes: list[SettingChange]) -> None:
    """Make the changes, and record the former settings on the scene.

    Raises:
        LikenessError: A change is impossible; then none is made.
    """
    before = json.loads(scene.get(keys.SETTINGS_BEFORE, "{}"))
    for done, change in enumerate(changes):
        try:
            _set(scene, change.path, change.new)
        except LikenessError:
            for back in reversed(changes[:done]):
                _set(scene, back.path, back.old)
            raise
        before.setdefault(change.path, change.old)
    if changes:
        scene[keys.SETTINGS_BEFORE] = json.dumps(before)


def restore_settings(scene: Any) -> list[SettingChange]:
    """Restore the settings from before the first :func:`apply_changes`; returns the changes.

    Settings changed by hand since then are restored, too; a removed camera is not.
    """
    changes = []
    for path, old in json.loads(scene.get(keys.SETTINGS_BEFORE, "{}")).items():
        if path == "camera" and old and old not in bpy.data.objects:
            continue
        owner, name = _owner(scene, path)
        now = getattr(owner, name)
        if path == "camera":
            now = now.name if now else ""
        if not _same(now, old):
            changes.append(SettingChange("", path, now, old, _describe(owner, name, now, old)))
            _set(scene, path, old)
    if keys.SETTINGS_BEFORE in scene:
        del scene[keys.SETTINGS_BEFORE]
    return changes


def misses_layers(scene: Any) -> bool:
    """Whether Cycles would stop at so few splats that the avatar gets black veins."""
    cycles = getattr(scene, "cycles", None)
    return cycles is not None and cycles.transparent_max_bounces < MIN_TRANSPARENT_BOUNCES


def needs_samples(scene: Any) -> bool:
    """Whether Cycles takes so few samples that the scene's light on splats is grainy."""
    cycles = getattr(scene, "cycles", None)
    return cycles is not None and cycles.samples < LIT_SAMPLES


def find_changing_transform(scene: Any) -> str:
    """The scene's view transform if it changes the colors of splats, or an empty text."""
    transform = str(scene.view_settings.view_transform)
    return "" if transform == "Standard" else transform


def raise_bounces(scene: Any) -> list[str]:
    """Let Cycles see all layers of splats, which costs other objects nothing; the changes."""
    if not misses_layers(scene):
        return []
    changes = plan_changes(scene, RenderOptions(groups=frozenset({"transparency"})))
    for change in changes:
        _set(scene, change.path, change.new)
    return [str(change) for change in changes]


def can_restore(scene: Any) -> bool:
    """Whether the scene was set up."""
    return keys.SETTINGS_BEFORE in scene


def has_other_objects(scene: Any, splats: list[Any]) -> bool:
    """Whether objects other than ``splats`` are rendered that need light."""
    kinds = {"MESH", "CURVE", "CURVES", "SURFACE", "META", "FONT", "VOLUME", "POINTCLOUD"}
    return any(
        obj.type in kinds and not obj.hide_render and obj not in splats for obj in scene.objects
    )


def set_up_render(
    scene: Any, camera: Any | None = None, engine: str = "CYCLES", samples: int = 1
) -> None:
    """Prepare a scene with nothing but splats: exact in Cycles, sorted in EEVEE, colours as in
    the photo, 8-bit PNG files with transparency.

    Args:
        scene: of Blender.
        camera: becomes the scene's camera, at the photo's size; None keeps the current one.
        engine: ``CYCLES`` or ``EEVEE``.
        samples: per pixel.
    """
    for change in plan_changes(scene, RenderOptions(engine, samples), camera):
        _set(scene, change.path, change.new)
    compat.set_png(scene.render.image_settings)
    scene.cycles.device = "CPU"
    scene.cycles.preview_samples = 1
    if camera is not None:
        use_photo_size(scene, camera)


def _wanted(setup: RenderOptions, camera: Any | None) -> list[tuple[str, str, Any]]:
    """(group, path, value) of every setting, in the order in which to set them."""
    in_cycles = setup.engine == "CYCLES"
    engine = "CYCLES" if in_cycles else compat.eevee_id()
    wanted: list[tuple[str, str, Any]] = [("engine", "render.engine", engine)]
    if in_cycles:
        # Cycles composites splats exactly and without noise if it traces all transparent layers.
        # They emit light, so they need no bounces.
        wanted += [
            ("transparency", "cycles.transparent_max_bounces", TRANSPARENT_BOUNCES),
            ("transparency", "cycles.min_transparent_bounces", TRANSPARENT_BOUNCES),
        ]
        if not setup.lit:
            # The first ray goes through the pixel's centre, as in the engine; the box filter
            # keeps further ones within the pixel.
            wanted += [
                ("sampling", "cycles.samples", setup.samples),
                ("sampling", "cycles.use_adaptive_sampling", False),
                ("sampling", "cycles.use_denoising", False),
                ("sampling", "cycles.use_preview_denoising", False),
                ("sampling", "cycles.max_bounces", 0),
                ("sampling", "cycles.pixel_filter_type", "BOX"),
            ]
    elif not setup.lit:
        wanted += [("sampling", "eevee.taa_render_samples", setup.samples)]
    wanted += [
        ("colors", "display_settings.display_device", "sRGB"),
        ("colors", "view_settings.view_transform", "Standard"),
        ("colors", "view_settings.look", "None"),
        ("colors", "view_settings.exposure", 0.0),
        ("colors", "view_settings.gamma", 1.0),
        ("colors", "view_settings.use_curve_mapping", False),
    ]
    wanted += [("film", "render.film_transparent", True), ("film", "render.dither_intensity", 0.0)]
    if camera is not None:
        wanted.append(("camera", "camera", camera.name))
        if keys.RESOLUTION in camera:
            width, height, aspect_x, aspect_y = photo_size(camera)
            wanted += [
                ("camera", "render.resolution_x", width),
                ("camera", "render.resolution_y", height),
                ("camera", "render.pixel_aspect_x", aspect_x),
                ("camera", "render.pixel_aspect_y", aspect_y),
                ("camera", "render.resolution_percentage", 100),
            ]
    return wanted


def _owner(scene: Any, path: str) -> tuple[Any, str]:
    *parts, name = path.split(".")
    owner = scene
    for part in parts:
        owner = getattr(owner, part)
    return owner, name


def _set(scene: Any, path: str, value: Any) -> None:
    owner, name = _owner(scene, path)
    if path == "camera":
        value = bpy.data.objects.get(value) if value else None
    try:
        setattr(owner, name, value)
    except TypeError as error:  # a custom color configuration may lack Blender's names
        raise LikenessError(
            f"This Blender has no '{value}' for {owner.bl_rna.properties[name].name}.",
            "Exclude that group of settings in Set Up Scene for Splats.",
        ) from error


def _describe(owner: Any, name: str, old: Any, new: Any) -> str:
    """The change with Blender's own labels, or clearer ones where those are vague."""
    clearer = {
        "engine": "Render Engine",
        "look": "View Look",
        "pixel_filter_type": "Pixel Filter",
        "exposure": "View Exposure",
        "gamma": "View Gamma",
        "camera": "Camera",
        "film_transparent": "Film Transparent",
    }
    label = clearer.get(name) or str(owner.bl_rna.properties[name].name)
    return f"{label}: {_shown(owner, name, old)} → {_shown(owner, name, new)}"


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, float):
        return bool(abs(old - new) < 1e-6)
    return bool(old == new)


def _shown(owner: Any, name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.3g}"
    kind = owner.bl_rna.properties[name]
    item = kind.enum_items.get(value) if kind.type == "ENUM" else None
    engines = {"CYCLES": "Cycles", compat.eevee_id(): "EEVEE", "BLENDER_WORKBENCH": "Workbench"}
    return item.name if item else engines.get(value) or str(value) or "none"


def use_standard_colors(scene: Any) -> None:
    """Show colours as stored: sRGB display without a look."""
    colors = RenderOptions(groups=frozenset({"colors"}))
    for change in plan_changes(scene, colors):
        _set(scene, change.path, change.new)


def render_png(scene: Any, path: Path) -> None:
    """Render the scene to a PNG file; blocks."""
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True, scene=scene.name)
