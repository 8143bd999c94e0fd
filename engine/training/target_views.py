"""A subject's views as truth for one of its photos: posed, placed, cropped."""

from __future__ import annotations

import numpy as np

from ..body import Body
from ..dataset.spaces import crop_square, transform_camera, transform_pose
from ..dataset.subjects import Subject
from .photograph_files import ReferenceFit
from .samples import TargetView


class TargetViews:
    """The views of a subject in the space of one of its photos.

    Args:
        body: The default body.
        subject: The person.
        reference: Row of the photo among the subject's views.
        fit: The body of the photo.
    """

    def __init__(self, body: Body, subject: Subject, reference: int, fit: ReferenceFit) -> None:
        self.subject, self.reference, self.fit = subject, reference, fit
        self.own = body.personalised(fit.betas)
        vertices, _ = self.own.vertices(fit.pose)
        self._posed = {subject.views[reference].pose: np.asarray(vertices, np.float32)}

    def usable(self, row: int) -> bool:
        """Whether the body of a view is known.

        A body other than the true one is unknown in other poses.
        """
        return self.fit.true or self.subject.views[row].pose in self._posed

    def view(self, row: int, size: int, margin: float) -> TargetView:
        """Crop one view.

        Args:
            row: Of the view.
            size: Width and height in pixels.
            margin: Share around the person.

        Raises:
            InvalidSampleError: Its picture cannot be read.
        """
        view, fit = self.subject.views[row], self.fit
        if view.pose not in self._posed:
            pose = transform_pose(self.subject.pose(row), self.own, fit.motion)
            self._posed[view.pose] = np.asarray(self.own.vertices(pose)[0], np.float32)
        camera = fit.camera if row == self.reference else transform_camera(view.camera, fit.motion)
        rgba, camera = crop_square(view.image(), camera, size, margin)
        rgba[..., :3] = fit.look(rgba[..., :3])
        return TargetView(rgba, camera, self._posed[view.pose], view.kind)
