"""Names that runs of version 0.1 wrote, for :func:`..network.config.rename_former_keys`."""

SETTINGS = {
    "finer": "supersample",
    "references_each": "references_per_subject",
    "keep": "max_checkpoints",
    "directed": "directed_pairs",
}
"""Of ``config.json`` and of a card's settings."""

DATA_KEYS = {"goes": "sessions"}
"""Of ``data.json``."""
