"""``likeness edit``: things put on an avatar and taken off again, with sliders."""

from __future__ import annotations

from pathlib import Path

import click

from .console import terminal_progress
from .options import FILE


@click.command()
@click.argument("avatar", type=FILE, required=False)
@click.option(
    "-o", "--out", metavar="FILE|DIR", type=FILE, help="A name ending in .safetensors, or a folder."
)
@click.option(
    "--add",
    metavar="CATEGORY=ITEM[,...]",
    multiple=True,
    help="Put something on, as in 'hat=fedora,color=#332211,value=0.5'; 'second' is the color of "
    "ribbons, stripes and lenses, 'length' (0 to 1) is of hair. Hats and hair may be .mhclo files "
    "of a MakeHuman library.",
)
@click.option(
    "--set",
    "values",
    metavar="NAME=VALUE",
    multiple=True,
    help="Set a slider, from 0 (without it) to 1. The photo's own glasses are 'glasses'.",
)
@click.option(
    "--tint",
    "tints",
    metavar="PART=COLOR",
    multiple=True,
    help="Give hair, brows, skin, lips, upper, lower, skirt or shoes another color, as in "
    "'hair=#803010', or lay on eyeshadow or blush; after a comma 'value', the slider's.",
)
@click.option(
    "--network",
    metavar="DIR",
    type=FILE,
    help="The network that made the avatar, trained with --config perse; --look takes its looks.",
)
@click.option(
    "--look",
    "looks",
    metavar="NAME=AMOUNT",
    multiple=True,
    help="Add a learned look, as in 'hat=0.5': between the two of the pair, 0 the first and 1 the "
    "second; 'hat:1=0.5' is of the second pair.",
)
@click.option("--remove", metavar="NAME", multiple=True, help="Remove what was added.")
@click.option(
    "--from",
    "edited",
    metavar="PICTURE",
    type=FILE,
    help="The portrait with something changed in any program; its frame, pose and person stay.",
)
@click.option(
    "--portrait",
    metavar="PICTURE",
    type=FILE,
    help="The portrait from which the avatar was built; --from needs it.",
)
@click.option(
    "--part",
    metavar="NAME",
    help="What was changed in the picture of --from, such as 'hat', 'hair' or 'upper'; found in "
    "the picture if not given.",
)
@click.option("--list", "listed", is_flag=True, help="List what the wardrobe has instead.")
def edit(
    avatar: Path | None,
    out: Path | None,
    add: tuple[str, ...],
    values: tuple[str, ...],
    tints: tuple[str, ...],
    network: Path | None,
    looks: tuple[str, ...],
    remove: tuple[str, ...],
    edited: Path | None,
    portrait: Path | None,
    part: str | None,
    listed: bool,
) -> None:
    """Put hair, hats, glasses, beards, jewellery and scarves on an avatar, or take them off.

    With --from, what you changed in the portrait becomes an attribute of the avatar.

    What is not touched stays the same to the last bit. Each has a slider, which the file keeps;
    renders and exports show the avatar as the sliders stand.
    """
    from ...engine.workflows.edit_avatar import (
        EditedPortrait,
        LearnedLooks,
        edit_avatar_file,
        list_wardrobe,
        parse_setting,
    )

    if listed:
        for category, items in list_wardrobe().items():
            click.echo(f"{category:<12} {', '.join(items)}")
        return
    if avatar is None or out is None:
        raise click.UsageError("Missing argument 'AVATAR' or option '-o'.")
    if edited is None and (portrait is not None or part is not None):
        raise click.UsageError("--portrait and --part belong to --from.")
    if (network is None) == bool(looks):
        raise click.UsageError("--network and --look belong together.")
    if not (add or values or tints or looks or remove or edited):
        raise click.UsageError(
            "Nothing to do: give --add, --from, --look, --tint, --set or --remove."
        )
    settings = dict(parse_setting(text) for text in values)
    photo = None if edited is None else EditedPortrait(edited, portrait, part)
    learned = None if network is None else LearnedLooks(network, looks)
    if photo is None:
        made = edit_avatar_file(avatar, out, add, settings, remove, tints=tints, learned=learned)
        click.echo(str(made))
        return
    with terminal_progress() as progress:
        made = edit_avatar_file(avatar, out, add, settings, remove, photo, progress, tints, learned)
    click.echo(str(made))
