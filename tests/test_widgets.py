"""Sliders redraw the figure when they are dragged."""

import matplotlib.pyplot as plt

from vae_helpers import widgets


def test_explore_redraws_with_the_values_of_its_sliders():
    drawn = []

    def draw(count, height):
        drawn.append((count, height))
        figure, ax = plt.subplots()
        ax.plot([0, 1], [count, height])
        return figure

    *sliders, picture = widgets.explore(draw, count=(1, 5, 2), height=(0.0, 1.0, 0.5)).children
    before = picture.value
    sliders[0].value = 4
    assert drawn == [(2, 0.5), (4, 0.5)]
    assert [type(value) for value in drawn[-1]] == [int, float]  # whole numbers stay whole
    assert bytes(before).startswith(b"\x89PNG") and picture.value != before
    assert not plt.get_fignums()  # no figure is left open
