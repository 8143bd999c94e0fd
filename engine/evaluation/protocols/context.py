"""What protocols measure with, and where their results go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...body import Body
from ...core.types import Motion, Progress
from ...tracking.detectors import Detectors
from ...tracking.track_video import track_video
from .compare import Comparer
from .items import Give, OpenEstimators, Refuse, no_estimators
from .methods import Methods


@dataclass(frozen=True, kw_only=True)
class ProtocolContext:
    """What every protocol needs.

    Attributes:
        body: the body to fit.
        detectors: of faces and landmarks.
        give: receives the items.
        refuse: receives what cannot be measured.
        views: upper limit of the views of each person, photo or video; None for the protocol's own.
        max_frames: upper limit of the frames tracked of each video.
        open_for: opens the estimates of a photo, view or video by its name.
        progress: called with the stage, 0..1 and a message.
    """

    body: Body
    detectors: Detectors
    give: Give
    refuse: Refuse
    views: int | None = None
    max_frames: int | None = None
    open_for: OpenEstimators = no_estimators
    progress: Progress | None = None

    def track(self, video: Path) -> Motion:
        """The motion of the person in a video.

        Raises:
            LikenessError: it cannot be read, or shows nobody.
        """
        return track_video(
            video,
            self.body,
            self.detectors,
            estimators=self.open_for(video.stem).poses,
            max_frames=self.max_frames,
            progress=self.progress,
        )


@dataclass(frozen=True, kw_only=True)
class AvatarContext(ProtocolContext):
    """What protocols need that compare avatars with pictures.

    Attributes:
        methods: make and draw the avatars.
        comparer: compares drawings with the truth, and finds and knows faces.
    """

    methods: Methods
    comparer: Comparer
