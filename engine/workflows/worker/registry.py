"""The tasks of a worker process: one module each, with ``DEFAULTS`` and ``run``.

``DEFAULTS`` names every key of the task's request (``...`` where it must be given), and
``run(request, channel)`` does the work, reports to ``channel.progress``, and returns the content of
the result line. Heavy modules are imported inside ``run``, so that a broken request is answered at
once.
"""

TASKS = (
    "build",
    "prepare",
    "environment",
    "setup",
    "download",
    "motion",
    "track",
    "speak",
    "live_face",
    "export_motion",
    "export",
    "draw",
    "splats",
    "wear",
    "crowd",
    "library",
    "compile",
    "doctor",
)
"""The modules of this package."""
