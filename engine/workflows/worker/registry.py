"""What a worker process can be asked for: one module a task, each with ``DEFAULTS`` and ``run``.

``DEFAULTS`` names every key of the task's request (``...`` where it must be given), and
``run(request, channel)`` does the work, tells ``channel.progress`` where it is, and returns what
the result line says. They import what is heavy inside ``run``,
so that a broken request is answered at once.
"""

TASKS = (
    "build",
    "prepare",
    "environment",
    "setup",
    "download",
    "motion",
    "track",
    "export_motion",
    "export",
    "draw",
    "splats",
)
"""The modules of this package."""
