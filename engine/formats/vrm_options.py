"""What a VRM file says of its author and licence. Light to import, for the command line."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.options import check_options, option

AVATAR_PERMISSIONS = ("onlyAuthor", "onlySeparatelyLicensedPerson", "everyone")
COMMERCIAL_USAGES = ("personalNonProfit", "personalProfit", "corporation")
CREDIT_NOTATIONS = ("required", "unnecessary")
MODIFICATIONS = ("prohibited", "allowModification", "allowModificationRedistribution")
ALLOWED = {
    "redistribution": "allowRedistribution",
    "violence": "allowExcessivelyViolentUsage",
    "sexual": "allowExcessivelySexualUsage",
    "politics": "allowPoliticalOrReligiousUsage",
    "antisocial": "allowAntisocialOrHateUsage",
}
"""What can be allowed, and its field of the file; nothing is by default."""


@dataclass(frozen=True)
class VrmOptions:
    """The author and the licence of a VRM file, as VRM Public License 1.0 has them.

    Attributes:
        authors: at least one.
        avatar_permission: who may perform with the avatar.
        commercial_usage: who may earn with it.
        credit: whether its author must be named.
        modification: whether it may be changed, and passed on changed.
        allow: uses that are allowed, of :data:`ALLOWED`.
        version: of the model.
        contact: of the author.
        copyright: who holds it.
        other_license: address of another licence.

    Raises:
        LikenessError: a value is not allowed; the option and what it must be are named.
    """

    authors: tuple[str, ...] = option(
        (),
        help="Author of a .vrm, which needs at least one. Repeatable.",
        metavar="NAME",
        flags=("--author",),
    )
    avatar_permission: str = option(
        "onlyAuthor",
        help="Who may perform with a .vrm.",
        choices=AVATAR_PERMISSIONS,
        show_default=True,
    )
    commercial_usage: str = option(
        "personalNonProfit",
        help="Commercial use of a .vrm.",
        choices=COMMERCIAL_USAGES,
        show_default=True,
    )
    credit: str = option(
        "required",
        help="Whether the author of a .vrm must be named.",
        choices=CREDIT_NOTATIONS,
        show_default=True,
    )
    modification: str = option(
        "prohibited",
        help="Whether a .vrm may be changed, and passed on changed.",
        choices=MODIFICATIONS,
        show_default=True,
    )
    allow: tuple[str, ...] = option(
        (),
        help="Use of a .vrm that is allowed; none if not given. Repeatable.",
        choices=tuple(ALLOWED),
    )
    version: str | None = option(
        None, help="Version of a .vrm.", metavar="TEXT", flags=("--model-version",)
    )
    contact: str | None = option(None, help="Contact of the author of a .vrm.", metavar="TEXT")
    copyright: str | None = option(None, help="Copyright of a .vrm.", metavar="TEXT")
    other_license: str | None = option(
        None, help="Address of another licence of a .vrm.", metavar="URL"
    )

    def __post_init__(self) -> None:
        check_options(self)
