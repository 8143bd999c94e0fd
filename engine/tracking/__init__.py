"""From a portrait to a fitted body: detectors, observation, fit."""
