"""The measurements of ``likeness eval`` and their report: docs/evaluation.md."""
