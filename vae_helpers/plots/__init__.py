"""Figures of the course: ``figures`` draws data, ``schematics`` draws how things are built."""

from vae_helpers.plots import schematics  # noqa: F401
from vae_helpers.plots.figures import *  # noqa: F403
