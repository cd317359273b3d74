"""Checks for the final project: one's own pictures."""

import re

from vae_helpers.checks.verdict import Complaint, Verdict, exercise
from vae_helpers.data import ImageSet

HEADINGS = ("Model", "Data", "Training", "Results", "Limits", "Rights")


@exercise
def splits(train_set, valid_set, test_set) -> Verdict:
    """Check three sets of pictures: of one kind, large enough, and with no picture in two of them."""
    sets = {"train_set": train_set, "valid_set": valid_set, "test_set": test_set}
    for name, pictures in sets.items():
        if not isinstance(pictures, ImageSet):
            raise Complaint(f"There is no ImageSet called {name} yet: take it with .subset(indices).")
    if len({pictures.images.shape[1:] for pictures in sets.values()}) != 1:
        raise Complaint("The three sets hold pictures of different shapes: load them in one call, then split.")
    seen = {}
    for name, pictures in sets.items():
        for image in pictures.images:
            other = seen.setdefault(image.numpy().tobytes(), name)
            if other != name:
                raise Complaint(f"A picture lies in {other} and in {name}: was it copied, or were indices used twice?")
    counts = [len(pictures) for pictures in sets.values()]
    if min(counts[1:]) < 50 or counts[0] < 2 * max(counts[1:]):
        raise Complaint(
            f"With {counts[0]}, {counts[1]} and {counts[2]} pictures, the sets are too small, or too uneven."
        )
    return Verdict(
        True, f"{counts[0]:,} pictures to learn from, {counts[1]} to choose with, {counts[2]} to judge with."
    )


@exercise
def card(text) -> Verdict:
    """Check a model card: every heading, with words below it, numbers among the results, and a clear limit."""
    if not isinstance(text, str):
        raise Complaint("The card should be a text, in quotation marks.")
    parts = dict(re.findall(r"^# *(\w+) *\n(.*?)(?=^# |\Z)", text, re.MULTILINE | re.DOTALL))
    for heading in HEADINGS:
        words = len(re.findall(r"\w+", parts.get(heading, "")))
        least = 5 if heading == "Model" else 15
        if heading not in parts:
            raise Complaint(f"The heading “# {heading}” is missing.")
        if words < least:
            raise Complaint(f"Below “# {heading}” stand {words} words; it takes at least {least} to say something.")
    if not re.search(r"\d", parts["Results"]):
        raise Complaint("“Results” has no number: what was measured, in which unit, on how many pictures?")
    if not re.search(r"\b(not|never|no|only|cannot)\b", parts["Limits"], re.IGNORECASE):
        raise Complaint("“Limits” should name what the model must not be used for.")
    return Verdict(True, "A card that others can rely on, if what it says is true.")
