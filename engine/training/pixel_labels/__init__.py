"""Training of the network that labels what a photo shows."""
