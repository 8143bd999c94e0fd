"""Training of the network that polishes avatars."""
