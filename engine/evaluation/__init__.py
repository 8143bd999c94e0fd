"""Quality of avatars: figures and pictures."""
