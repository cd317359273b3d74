"""Checks for problem set 4: faces."""

import functools

import torch
from torch import Tensor, tensor

from vae_helpers.checks.verdict import Complaint, Verdict, call, compare, draw, exercise, measured, numbers


@exercise
def smallest_step(answer) -> Verdict:
    """Check ``answer(codes, direction, score, goal, most)``: the smallest strength that reaches the goal, (N,)."""

    def solution(codes, direction, score, goal, most):
        low, high = torch.zeros(len(codes)), torch.full((len(codes),), float(most))
        for _ in range(20):
            middle = (low + high) / 2
            reached = score(codes + middle[:, None] * direction) >= goal
            low, high = torch.where(reached, low, middle), torch.where(reached, middle, high)
        return torch.where(score(codes) >= goal, 0.0, high)

    def case(slope, goal, most):
        def answered(codes, direction):
            return answer(codes, direction, slope, goal, most)

        def solved(codes, direction):
            return solution(codes, direction, slope, goal, most)

        return answered, solved

    codes, direction = draw((6, 2))[0], tensor([0.6, 0.8])
    praise = "Right: each face goes as far as it must."
    for slope, goal, most in ((lambda c: c.sum(1), 1.0, 8.0), (lambda c: c[:, 0] + c[:, 1] ** 3, 2.0, 1.5)):
        answered, solved = case(slope, goal, most)
        answered.__name__ = getattr(answer, "__name__", "your function")
        hints = {
            "Where the goal is reached already, the step should be 0.": (
                lambda c, d, s=slope, g=goal, m=most: torch.where(s(c) >= g, m / 2**20, solution(c, d, s, g, m))
            ),
            "Every code needs its own step; yours are all alike.": (
                lambda c, d, s=slope, g=goal, m=most: solution(c, d, s, g, m).max().expand(len(c))
            ),
        }
        verdict = compare(answered, solved, [(codes, direction)], hints=hints, praise=praise, tolerance=1e-3)
        if not verdict:
            return verdict
    return verdict


@exercise
def placebo(answer) -> Verdict:
    """Check ``answer(codes, labels, draws, generator)``: the direction's length, and its p-value by shuffled labels."""

    def judged(codes, labels, draws=199):
        value = call(answer, codes.clone(), labels.clone(), draws, torch.Generator().manual_seed(4))
        return numbers(value, "What placebo returns (a length and a p-value)", (2,)).tolist()

    noise, labels = draw((60, 3))[0], torch.arange(60) % 2
    shifted = noise + 2 * labels[:, None]
    true = (shifted[labels == 1].mean(0) - shifted[labels == 0].mean(0)).norm().item()
    length, p = judged(shifted, labels)
    if abs(length - true) > 1e-3 * true:
        raise Complaint(f"The length of the difference of the means is {true:.3f} here; you return {length:.3f}.")
    if p == 0:
        raise Complaint("Your p-value is 0: the true labelling counts, too, so it is at least 1/(draws + 1).")
    if abs(p - 1 / 200) > 1e-6:
        raise Complaint(
            f"Where no shuffle comes near, with 199 draws, the p-value is 1/200 = 0.005; you return {p:.4f}."
        )
    chances = [judged(noise.roll(k, 0), labels, 99)[1] for k in (1, 2, 3, 7, 12)]
    if min(chances) < 0.02 or max(chances) == 1 / 100:
        raise Complaint("Codes that have nothing to do with their labels get small p-values: are the labels shuffled?")
    if min(chances) > 0.97:
        raise Complaint(
            "Codes that have nothing to do with their labels always get p-values near 1: compare the lengths."
        )
    return Verdict(True, f"Right: here p = {p:.3f} for a true direction, and {chances[0]:.2f} for an accident.")


@exercise
def match_rate(answer) -> Verdict:
    """Check ``answer(same, different, false_rate)``: the share of ``same`` at a rate of false matches."""

    def solution(same, different, false_rate):
        thresholds = torch.cat([different.unique(), tensor([torch.inf])])
        false = (different >= thresholds[:, None]).double().mean(1)
        return (same >= thresholds[false <= false_rate + 1e-12].min()).double().mean().item()

    same, different = draw((40,), (100,))

    def by_rank(same, different, false_rate):
        place = max(round(false_rate * len(different)) - 1, 0)
        return (same >= different.sort(descending=True).values[place]).double().mean().item()

    rounded = different.round(decimals=1)
    return compare(
        answer,
        solution,
        cases=[(same + 2, different, 0.1), (same + 1, rounded, 0.05), (same, different, 0.0), (same, different, 1.0)],
        hints={
            "With tied similarities your threshold lets too many false matches through: count them.": by_rank,
            "That is the share of *different* pairs that match.": lambda same, different, rate: rate,
        },
        praise="Right: a match rate means nothing without its rate of false matches.",
    )


@functools.cache
def _portraits() -> list[tuple[Tensor, Tensor, tuple[str, ...]]]:
    """Codes and labels: of a biased collection, in which smiles go with glasses and noses, and of a fair one."""
    from vae_helpers.checkpoints import load_pretrained
    from vae_helpers.data import render_portraits
    from vae_helpers.evaluate import encode_all

    model = load_pretrained("portraits").cpu()
    biased = {("Smiling", "Eyeglasses"): 0.5, ("Smiling", "Big_Nose"): 0.3}
    sets = render_portraits(800, seed=12, correlations=biased), render_portraits(800, seed=13)
    return [(encode_all(model, faces.floats), faces.labels, faces.label_names) for faces in sets]


@exercise(seconds=90)
def clean_direction(answer) -> Verdict:
    """Check ``answer(codes, labels, wanted, kept)``: a smile that moves glasses and noses a third as much as usual."""
    from sklearn.linear_model import LogisticRegression

    (codes, labels, names), (others, truth, _) = _portraits()
    wanted, *kept = (names.index(name) for name in ("Smiling", "Eyeglasses", "Big_Nose"))
    direction = numbers(call(answer, codes.clone(), labels.clone(), wanted, list(kept)), "The direction")
    if direction.shape != codes.shape[1:] or not direction.norm() > 0:
        raise Complaint(f"clean_direction should return one direction, ({codes.shape[1]},), that is not 0.")
    scores = []
    for column in (wanted, *kept):
        fitted = LogisticRegression(C=0.05, max_iter=2000).fit(others.numpy(), truth[:, column].numpy())
        scores.append(tensor(fitted.coef_[0]))
    usual = codes[labels[:, wanted] == 1].mean(0) - codes[labels[:, wanted] == 0].mean(0)

    def moved(along: Tensor) -> float:
        """How far the kept scores move for each unit of the wanted one."""
        gained, *lost = (score @ along.double() for score in scores)
        return (sum(abs(loss) for loss in lost) / gained).item()

    if scores[0] @ direction <= 0:
        raise Complaint("Your direction leads away from the smile: look at its sign.")
    if abs(direction.norm() - 1) > 1e-3:
        raise Complaint(f"The direction should have the length 1, but has {direction.norm():.3f}.")
    share = moved(direction) / moved(usual)
    return measured(
        share,
        what="The movement of glasses and noses, as a share of the plain direction's",
        at_most=1 / 3,
        praise="A smile and nothing else.",
        hint="Take the directions of what should stay out of it.",
    )
