"""``likeness info``: what an avatar file holds, and the tuning constants of a build."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from .options import FILE


@click.command()
@click.argument("avatar", type=FILE, required=False)
@click.option("--settings", is_flag=True, help="List the tuning constants for --set instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(avatar: Path | None, settings: bool, as_json: bool) -> None:
    """Describe an avatar file, or list the tuning constants of a build."""
    if settings:
        _list_settings(as_json)
        return
    if avatar is None:
        raise click.UsageError("Missing argument 'AVATAR'.")
    from ...engine.core.retouch import describe_retouch
    from ...engine.core.types import LAYERS, PARTS
    from ...engine.formats.avatar import load_editable_avatar

    person = load_editable_avatar(avatar)
    layers, parts = person.gaussians.layer, person.gaussians.part
    facts: dict[str, Any] = {
        "gaussians": len(person.gaussians),
        "layers": {name: int((layers == i).sum()) for i, name in enumerate(LAYERS)},
        "parts": {name: int((parts == i).sum()) for i, name in enumerate(PARTS) if i in parts},
        "attributes": [
            {"name": a.name, "item": a.item, "color": a.color, "value": a.value}
            for a in person.attributes
        ],
        "retouch": describe_retouch(person),
        "features": person.gaussians.features.shape[1],
        "ordered": person.lod_start is not None,
        "framing": person.framing,
        "vertices": len(person.body.v_template),
        "expressions": list(person.body.expression_names),
        "photo": {"width": person.camera.width, "height": person.camera.height},
        "provenance": person.provenance,
    }
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    counts = ", ".join(f"{count:,} {name}" for name, count in facts["layers"].items())
    click.echo(f"{avatar}")
    click.echo(f"  Gaussians    {facts['gaussians']:,} ({counts})")
    counts = ", ".join(f"{count:,} {name}" for name, count in facts["parts"].items())
    click.echo(f"  parts        {counts}")
    if facts["features"]:
        click.echo(f"  features     {facts['features']} latent channels for its network's refiner")
    for one in facts["attributes"]:
        click.echo(f"  attribute    {one['name']}: {one['item']}, {one['color']}, {one['value']:g}")
    if facts["retouch"]:
        listed = ", ".join(f"{name} {value:,}" for name, value in facts["retouch"].items())
        click.echo(f"  retouched    {listed}")
    order = "of importance: the first of them are lower levels of detail"
    if not facts["ordered"]:
        order = "none: build it again for lower levels of detail"
    click.echo(f"  order        {order}")
    click.echo(
        f"  framing      {person.framing}, photo {person.camera.width} x {person.camera.height}"
    )
    click.echo(
        f"  body         {facts['vertices']:,} vertices, {len(facts['expressions'])} expressions"
    )
    for key, value in person.provenance.items():
        click.echo(f"  {key:<12} {value if isinstance(value, str) else json.dumps(value)}")


def _list_settings(as_json: bool) -> None:
    """Every tuning constant with its default and meaning."""
    from ...engine.core.settings import list_settings
    from ...engine.pipeline import build  # noqa: F401  registers the stages of a build
    from ...engine.tracking import track_video  # noqa: F401  and those of a video

    listed = list_settings()
    if as_json:
        facts = {one.name: {"default": one.default, "meaning": one.meaning} for one in listed}
        click.echo(json.dumps(facts, indent=2))
        return
    for one in listed:
        value = (
            f"{one.name}={','.join(map(str, one.default))}"
            if isinstance(one.default, tuple)
            else f"{one.name}={one.default}"
        )
        click.echo(f"{value:<48} {one.meaning}".rstrip())
