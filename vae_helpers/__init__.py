"""The small package that the lessons of "From a Neuron to a Smile" share.

Import the module that you need, for example ``from vae_helpers import data, plots``. Importing the package
itself loads nothing.
"""
