"""``likeness edit``: things put on an avatar and taken off again, with sliders."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from ...engine.core.options import option_specs
from ...engine.generative.models import MODELS, Placement
from ...engine.generative.view_editing import EditOptions
from .console import terminal_progress
from .options import FILE, given_flags, options_from, pop_options


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
    "ribbons, stripes and lenses, 'length' (0 to 1) is of hair, 'thickness' of brows. The item may "
    "be a .mhclo file of a MakeHuman library: clothes, shoes, hats, hair, glasses and jewellery; "
    "its category may be left out.",
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
    "second; 'hat:1=0.5' is of the second pair. 'hat=edited.png' is one that the network has not "
    "learned, from the portrait with something changed.",
)
@click.option("--remove", metavar="NAME", multiple=True, help="Remove what was added.")
@click.option(
    "--restore",
    is_flag=True,
    help="First undo what was erased, painted, moved and sculpted by hand in Blender.",
)
@click.option(
    "--from",
    "edited",
    metavar="PICTURE",
    type=FILE,
    help="The portrait with something changed in any program; its frame, pose and person stay.",
)
@click.option(
    "--edit",
    "text",
    metavar="TEXT",
    help="Change the portrait by an image model, as in 'round gold glasses'; then as --from.",
)
@click.option(
    "--portrait",
    metavar="PICTURE",
    type=FILE,
    help="The portrait from which the avatar was built; --from, --edit and a --look of a picture "
    "need it.",
)
@click.option(
    "--part",
    metavar="NAME",
    help="What was changed in the picture of --from, such as 'hat', 'hair' or 'upper'; found in "
    "the picture if not given. Of --edit, what FLUX fill may change.",
)
@click.option(
    "--picture",
    metavar="PNG",
    type=FILE,
    help="Also write the picture that the image model of --edit made.",
)
@click.option(
    "--image-model",
    metavar="NAME|DIR",
    default=MODELS["views"].weights,
    show_default=True,
    help="Image model of --edit: qwen-image-edit, flux-fill, or a folder; FLUX fill needs --part.",
)
@click.option("--seed", metavar="N", type=int, default=0, help="Random seed of --edit; 0.")
@options_from(EditOptions, prefix="image_")
@options_from(
    Placement,
    helps={
        "device": "Device of the image model; cpu takes hours and is for tests with tiny models.",
        "dtype": "Number format of the image model.",
        "allow_download": "Download the image model if it is missing (58 GB); else "
        "LIKENESS_ALLOW_DOWNLOAD decides.",
    },
)
@click.option("--list", "listed", is_flag=True, help="List what the wardrobe has instead.")
@click.pass_context
def edit(
    context: click.Context,
    /,
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
    restore: bool,
    listed: bool,
    text: str | None,
    picture: Path | None,
    image_model: str,
    seed: int,
    **chosen: Any,
) -> None:
    """Put clothes, hair, hats, glasses, beards, jewellery and scarves on an avatar, or take them
    off; give it other brows, another nose or mouth, or age lines.

    With --from, what you changed in the portrait becomes an attribute of the avatar; with --edit,
    what an image model changed in it.

    What is not touched stays the same to the last bit. Each has a slider, which the file keeps;
    renders and exports show the avatar as the sliders stand.
    """
    from ...engine.workflows.edit_avatar import (
        EditedPortrait,
        check_edits,
        edit_avatar_file,
        list_wardrobe,
        parse_setting,
    )
    from ...engine.workflows.look_edits import LearnedLooks, parse_look

    if listed:
        for category, items in list_wardrobe().items():
            click.echo(f"{category:<12} {', '.join(items)}")
        return
    if avatar is None or out is None:
        raise click.UsageError("Missing argument 'AVATAR' or option '-o'.")
    if edited is not None and text is not None:
        raise click.UsageError("Give --from or --edit, not both.")
    shown = any(parse_look(look).picture for look in looks)
    if edited is None and text is None and ((portrait and not shown) or part is not None):
        raise click.UsageError("--portrait and --part belong to --from and --edit.")
    if text is not None and portrait is None:
        raise click.UsageError("--edit needs --portrait, the picture that is changed.")
    if text is None and (given := given_flags(context, _model_options())):
        raise click.UsageError(f"{', '.join(given)} belongs to --edit.")
    if (network is None) == bool(looks):
        raise click.UsageError("--network and --look belong together.")
    if not (add or values or tints or looks or remove or restore or edited or text is not None):
        raise click.UsageError(
            "Nothing to do: give --add, --from, --edit, --look, --tint, --set, --remove or "
            "--restore."
        )
    settings = dict(parse_setting(text) for text in values)
    learned = None if network is None else LearnedLooks(network, looks, portrait)
    if edited is None and text is None:
        made = edit_avatar_file(
            avatar, out, add, settings, remove, tints=tints, learned=learned, restore=restore
        )
        click.echo(str(made))
        return
    with tempfile.TemporaryDirectory() as folder, terminal_progress() as progress:
        source: dict[str, Any] = {}
        if text is not None and portrait is not None:
            from ...engine.generative.text_edit import FILE_NAME, edit_portrait

            edited = picture or Path(folder) / FILE_NAME
            EditedPortrait(edited, portrait, part)
            check_edits(avatar, out, add, settings, remove, tints, learned, portrait)
            placement = Placement(**pop_options(Placement, chosen))
            options = EditOptions(**pop_options(EditOptions, chosen, "image_"))
            source = edit_portrait(
                portrait, edited, text, image_model, placement, options, seed, avatar, part
            )
        assert edited is not None
        photo = EditedPortrait(edited, portrait, part, source)
        made = edit_avatar_file(
            avatar, out, add, settings, remove, photo, progress, tints, learned, restore
        )
    click.echo(str(made))


def _model_options() -> set[str]:
    """The parameters of the image model."""
    named = {"picture", "image_model", "seed", *option_specs(Placement)}
    return named | {f"image_{name}" for name in option_specs(EditOptions)}
