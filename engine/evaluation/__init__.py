"""How good an avatar is: figures, and pictures for the eye."""
