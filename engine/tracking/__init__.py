"""From a portrait to a fitted body: detectors, observation, fit."""

from .fit import fit_body

__all__ = ["fit_body"]
