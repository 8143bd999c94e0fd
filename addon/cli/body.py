"""``likeness body``: a user's own body file made ready."""

from __future__ import annotations

from pathlib import Path

import click

from .console import terminal_progress

FILE = click.Path(path_type=Path)


@click.group()
def body() -> None:
    """Prepare a body of your own, such as a licensed SMPL-X."""


@body.command()
@click.argument("source", metavar="[SMPLX]", type=FILE, required=False)
@click.option(
    "-o",
    "--out",
    metavar="NPZ",
    required=True,
    type=FILE,
    help="Body file to write; give it to --body.",
)
@click.option("--flame", metavar="NPZ", type=FILE, help="FLAME's model file, for its head.")
@click.option(
    "--vertex-ids",
    metavar="NPY",
    type=FILE,
    help="SMPL-X__FLAME_vertex_ids.npy of SMPL-X's downloads: which vertices are FLAME's. Without "
    "it FLAME's head is laid onto the body's.",
)
@click.option(
    "--actions/--no-actions",
    default=True,
    show_default=True,
    help="Add ARKit's 52 facial actions. Without them the body keeps its own expressions alone "
    "and opens its mouth at the jaw's joint.",
)
def prepare(
    source: Path | None, out: Path, flame: Path | None, vertex_ids: Path | None, actions: bool
) -> None:
    """Give an SMPL-X file (.npz) all that the default body has; or the folder of MHR's files.

    Lays the default body onto it and carries its parts, atlas, landmarks, mouth and facial actions
    over. The mesh, the shapes, the expressions and the joints stay the file's own.

    With --flame the body gets FLAME's head (the EHM of GUAVA); without SMPLX, the default body.
    """
    from ...engine.bake.prepare import prepare_body

    given = [path.name for path in (source, flame) if path is not None]
    click.echo(f"{' + '.join(given)} -> {out}", err=True)
    with terminal_progress() as progress:
        prepared = prepare_body(source, out, actions, progress, flame, vertex_ids)
    made = prepared.body
    click.echo(
        f"{len(made.v_template)} vertices, {made.num_betas} shapes, "
        f"{made.num_expression} expressions"
    )
    middle, most = prepared.skin_mm
    click.echo(f"Default body to its skin: {middle:.2f} mm (median), {most:.2f} mm (95 %)")
    if actions:
        click.echo(
            f"Own expressions as actions: {100 * prepared.to_actions:.0f} % of the motion is left "
            f"over; actions as own expressions: {100 * prepared.to_own:.0f} %"
        )
