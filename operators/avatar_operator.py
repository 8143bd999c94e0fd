"""What operators on avatars share."""
# No postponed annotations here: Blender reads properties from them.

from typing import Any

from ..addon.scene.avatar_objects import AvatarObjects, find_avatar, find_avatars, get_active_avatar
from .errors import report_errors


class AvatarOperator:
    """An operator on the avatar that the active object is a part of; a mixin."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        avatar = find_avatar(context.object)
        problem = "Select part of an avatar first"
        if avatar is not None:
            problem = cls.find_problem(context, avatar)
        if problem:
            cls.poll_message_set(problem)  # type: ignore[attr-defined]
        return not problem

    @classmethod
    def find_problem(cls, context: Any, avatar: AvatarObjects) -> str:
        """Why the operator cannot run on this avatar; empty if it can."""
        return ""

    @report_errors
    def execute(self, context: Any) -> set[str]:
        self.change(context, get_active_avatar(context))
        return {"FINISHED"}

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        """Do the work.

        Raises:
            LikenessError: It cannot be done; the scene must be as before.
        """
        raise NotImplementedError


def format_count(count: int, one: str, many: str) -> str:
    """A number with its noun.

    >>> format_count(1, "file", "files"), format_count(4257, "splat", "splats")
    ('1 file', '4,257 splats')
    """
    return f"{count:,} {one if count == 1 else many}"


def poll_avatars(cls: Any, context: Any) -> bool:
    """Whether the scene has an avatar; if not, the button says so."""
    if find_avatars(context.scene):
        return True
    cls.poll_message_set("The scene has no avatar")
    return False
