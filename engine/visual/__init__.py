"""Pictures for the eye: framing cameras, previews, clips, overlays, image metrics."""
