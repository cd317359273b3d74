"""Checks for the exercises: each says in words whether an answer is right, or what is probably wrong with it.

A check calls the student's function on small cases, never raises, and does not print the right answer.
``verdict`` explains how to write one; each lesson has a file with its own.
"""

# ruff: noqa: F401, F403
from vae_helpers.checks import homework_1, homework_2, homework_3, homework_4, project
from vae_helpers.checks.lesson_01 import *
from vae_helpers.checks.lesson_02 import *
from vae_helpers.checks.lesson_03 import *
from vae_helpers.checks.lesson_04 import *
from vae_helpers.checks.lesson_05 import *
from vae_helpers.checks.lesson_06 import *
from vae_helpers.checks.lesson_07 import *
from vae_helpers.checks.lesson_08 import *
from vae_helpers.checks.lesson_09 import *
from vae_helpers.checks.lesson_10 import *
from vae_helpers.checks.lesson_11 import *
from vae_helpers.checks.lesson_12 import *
from vae_helpers.checks.lesson_13 import *
from vae_helpers.checks.lesson_14 import *

__all__ = sorted(name for name, value in list(globals().items()) if hasattr(value, "__wrapped__"))
