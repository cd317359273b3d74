"""Data sets: ``sets`` holds them, the other modules load them, each from the real source or an embedded default."""

from vae_helpers.data.digits import load_digits
from vae_helpers.data.faces import load_faces, render_portraits
from vae_helpers.data.folder import load_images, render_letters
from vae_helpers.data.photos import align_photo
from vae_helpers.data.sets import FaceSet, ImageSet, SoundSet
from vae_helpers.data.sources import data_root
from vae_helpers.data.speech import load_speech
from vae_helpers.data.xrays import load_xrays

__all__ = [
    "FaceSet",
    "ImageSet",
    "SoundSet",
    "align_photo",
    "data_root",
    "load_digits",
    "load_faces",
    "load_images",
    "load_speech",
    "load_xrays",
    "render_letters",
    "render_portraits",
]
