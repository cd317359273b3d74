"""Things to drag: ipywidgets around plain functions that draw."""

from vae_helpers.widgets.explore import code_painter, explore, explore_codes
from vae_helpers.widgets.face_editor import face_editor, face_painter, open_photo
from vae_helpers.widgets.panel import Log

__all__ = ["Log", "code_painter", "explore", "explore_codes", "face_editor", "face_painter", "open_photo"]
