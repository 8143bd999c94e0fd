"""What ``likeness eval`` measures and how it is shown: docs/evaluation.md."""
