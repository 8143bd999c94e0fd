"""From a portrait to a fitted body: detectors, observation, fit."""

from .fit import fit

__all__ = ["fit"]
