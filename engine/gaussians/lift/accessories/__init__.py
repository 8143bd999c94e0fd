"""Hats, glasses and shoes: rigid shapes that are fitted to the photo."""
