# %% [raw]
# # ASSIGNMENT CONFIG
# # hours: three hours
# init_cell: false
# check_all_cell: false
# export_cell: false
# run_tests: false
# tests:
#   ok_format: false

# %% [markdown]
# # Problem set 4 · Faces
#
# You will edit faces only as far as needed, find out whether a direction is more than an accident, measure how well faces can be matched, and then build an edit of your own, with controls. All faces here are *drawn* by the course, so what is true of each of them is known,
# and nobody's photograph is needed.
#
# **Before you start**: lessons [10](../10_a_vae_for_faces.ipynb) and [11](../11_face_attribute_arithmetic.ipynb).
#
# **How it works**: put your code in place of the dots. Under each question a check says in words what is right, or what
# is probably wrong. The grader runs the whole notebook from top to bottom and tries your functions on other data, so
# keep their names and arguments, and leave no cell that runs for longer than a minute. Questions marked *read by a
# person* have no check; there, write for a classmate who has not solved the problem.

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.linear_model import LogisticRegression

from vae_helpers import checks
from vae_helpers.checkpoints import load_pretrained
from vae_helpers.data import render_portraits
from vae_helpers.evaluate import decode_all, encode_all

model = load_pretrained("portraits")
# Drawn; four in a row show one person. In this collection smiles often come with glasses and with big noses.
biased = {("Smiling", "Eyeglasses"): 0.5, ("Smiling", "Big_Nose"): 0.3}
faces = render_portraits(2000, seed=11, correlations=biased)
codes = encode_all(model, faces.floats)
learn, judge = slice(0, 1200), slice(1200, 2000)  # other people in each
print(
    f"{len(codes):,} codes of {codes.shape[1]} numbers; attributes: {', '.join(faces.label_names)}"
)

# %% [raw]
# # BEGIN QUESTION
# name: q1
# points: 6
# check_cell: false

# %% [markdown]
# ## 1 · Only as far as needed (6 points)
#
# An edit with a fixed strength does too much to some faces and too little to others. Write `smallest_step(codes, direction, score, goal, most)`, (N,): for each code the smallest strength a between 0 and `most` at which
# `score(codes + a · direction)` reaches `goal`, found by 20 halvings of the interval; `most`, where even that is not enough; and 0, where the goal is reached already. `score` takes codes (N, d) and returns (N,); you may assume that it grows along `direction`. No loop over codes.

# %% [raw]
# # BEGIN SOLUTION


# %%
def smallest_step(codes, direction, score, goal, most):
    """Return how far each code must go along direction until its score reaches goal, (N,)."""
    # BEGIN SOLUTION
    low, high = torch.zeros(len(codes)), torch.full((len(codes),), float(most))
    for _ in range(20):
        middle = (low + high) / 2
        reached = score(codes + middle[:, None] * direction) >= goal
        low, high = torch.where(reached, low, middle), torch.where(reached, middle, high)
    return torch.where(score(codes) >= goal, 0.0, high)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
# HIDDEN
def test_smallest_step(smallest_step):
    from vae_helpers import checks

    verdict = checks.homework_4.smallest_step(smallest_step)
    assert verdict.ok, verdict.message


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION

# %%
checks.homework_4.smallest_step(smallest_step)

# %% [raw]
# # BEGIN QUESTION
# name: q2
# points: 8
# check_cell: false

# %% [markdown]
# ## 2 · Direction or accident? (8 points)
#
# Two random halves of any set of codes have different means, too. Write `placebo(codes, labels, draws, generator)`: the length of the difference between the means of the codes with label 1 and with label 0, and a p-value for it, as a tuple of two floats. The p-value is the share, among
# `draws` shuffles of the labels *and the true labelling itself*, of those whose difference is at least as long. (So it is at least 1/(draws + 1), never 0.) Shuffle with `torch.randperm(…, generator=generator)`.

# %% [raw]
# # BEGIN SOLUTION


# %%
def placebo(codes, labels, draws, generator):
    """Return the length of the attribute direction, and its p-value under shuffled labels."""

    # BEGIN SOLUTION
    def length(labels):
        return (codes[labels == 1].mean(0) - codes[labels == 0].mean(0)).norm().item()

    true = length(labels)
    shuffled = [
        length(labels[torch.randperm(len(labels), generator=generator)])
        for _ in range(draws)
    ]
    return true, (1 + sum(value >= true for value in shuffled)) / (draws + 1)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
# HIDDEN
def test_placebo(placebo):
    from vae_helpers import checks

    verdict = checks.homework_4.placebo(placebo)
    assert verdict.ok, verdict.message


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION

# %%
checks.homework_4.placebo(placebo)

# %% [raw]
# # BEGIN QUESTION
# name: q3
# points: 8
# check_cell: false

# %% [markdown]
# ## 3 · Is this the same person? (8 points)
#
# A face matcher says "same person" when the similarity of two faces is at least a threshold. Write `match_rate(same, different, false_rate)`, a float: the share of the pairs in `same` (similarities of pairs that show one person) that are matched, with the smallest threshold, among the values in `different`
# and infinity, at which at most the share `false_rate` of the pairs in `different` is matched. Both are 1-D tensors.

# %% [raw]
# # BEGIN SOLUTION


# %%
def match_rate(same, different, false_rate):
    """Return the share of same-person pairs that match at a given rate of false matches."""
    # BEGIN SOLUTION
    thresholds = torch.cat([different.unique(), torch.tensor([torch.inf])])
    false = (different >= thresholds[:, None]).double().mean(1)
    threshold = thresholds[false <= false_rate + 1e-12].min()
    return (same >= threshold).double().mean().item()
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
# HIDDEN
def test_match_rate(match_rate):
    from vae_helpers import checks

    verdict = checks.homework_4.match_rate(match_rate)
    assert verdict.ok, verdict.message


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION

# %%
checks.homework_4.match_rate(match_rate)

# %% [raw]
# # BEGIN QUESTION
# name: q4
# points: 8
# check_cell: false

# %% [markdown]
# ## 4 · An edit with a control (8 points)
#
# In this collection people who smile often wear glasses, so the plain difference of means puts glasses on, too. Find a direction that puts on a smile and leaves glasses and noses alone. `clean_direction(codes, labels, wanted, kept)` gets the codes (N, d), the labels (N, A), the column of the wanted attribute, and a list of columns to keep. It returns a unit vector, (d,), which points towards faces that have the wanted
# attribute. The check tries it on people of another collection, in which nothing goes with anything: it trains a linear classifier for each attribute there, and measures how far your direction moves the *kept* scores for each unit by which it moves the wanted one. The goal: at most a third of what the plain difference of means does.

# %% [raw]
# # BEGIN SOLUTION


# %%
def clean_direction(codes, labels, wanted, kept):
    """Return a unit direction (d,) towards the wanted attribute that leaves the kept ones alone."""
    # BEGIN SOLUTION
    weights = []
    for column in (wanted, *kept):
        fitted = LogisticRegression(C=0.05, max_iter=2000).fit(
            codes.numpy(), labels[:, column].numpy()
        )
        weights.append(torch.tensor(fitted.coef_[0], dtype=torch.float32))
    direction = codes[labels[:, wanted] == 1].mean(0) - codes[labels[:, wanted] == 0].mean(
        0
    )
    basis = torch.linalg.qr(torch.stack(weights[1:]).T)[0]
    direction = direction - basis @ (basis.T @ direction)
    return direction / direction.norm()
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
# HIDDEN
def test_clean_direction(clean_direction):
    from vae_helpers import checks

    verdict = checks.homework_4.clean_direction(clean_direction)
    assert verdict.ok, verdict.message


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION

# %%
checks.homework_4.clean_direction(clean_direction)

# %% [raw]
# # BEGIN QUESTION
# name: q5
# points: 6
# manual: true

# %% [markdown]
# ## 5 · Show it (6 points, read by a person)
#
# Make a figure of six unsmiling faces from `judge` and below each the same face, edited with your `clean_direction` and, for each, with the `smallest_step` that makes a linear score of your choice call it smiling. Report `placebo` for `Smiling` and for one attribute that your model hardly knows.
# Then say in 80 to 150 words what the control shows, what it cannot show, and how the drawn faces make this easier than photographs.

# %% [raw]
# # BEGIN SOLUTION

# %%
# BEGIN SOLUTION
names = list(faces.label_names)
smile, others = names.index("Smiling"), [names.index("Eyeglasses"), names.index("Big_Nose")]
direction = clean_direction(codes[learn], faces.labels[learn], smile, others)
fitted = LogisticRegression(C=0.05, max_iter=2000).fit(
    codes[learn].numpy(), faces.labels[learn, smile].numpy()
)
w, b = torch.tensor(fitted.coef_[0]).float(), float(fitted.intercept_[0])
serious = codes[judge][faces.labels[judge, smile] == 0][::23][:6]
steps = smallest_step(serious, direction, lambda c: c @ w + b, 0.5, 30)
rows = decode_all(model, torch.cat([serious, serious + steps[:, None] * direction]))
figure, axes = plt.subplots(2, 6, figsize=(9, 3.2))
for ax, picture in zip(axes.flat, rows, strict=True):
    ax.imshow(picture.permute(1, 2, 0))
    ax.axis("off")
figure.suptitle("Serious (above), and as far as the score needs (below)")
plt.show()
for name in ("Smiling", names[-1]):
    print(
        name,
        placebo(
            codes[learn],
            faces.labels[learn, names.index(name)],
            200,
            torch.Generator().manual_seed(0),
        ),
    )
# END SOLUTION

# %% [markdown]
# The control shows that shuffled labels never give so long a difference, so the smile direction is no accident, and that glasses and noses hardly move on linear scores. It cannot show that nothing else moves: what no label names is not measured, and a linear score may miss
# what an eye sees. Drawn faces make it easier, since every attribute is known exactly, and a collection without the bias can be drawn to test with; in photographs labels are opinions, attributes go together because of who was photographed, and no fair collection is at hand.
#
# *Rubric: figure with the pairs, large enough and titled (2); both placebo results read rightly (1); what the control shows and does not (2); drawn against photographed (1).*

# %% [raw]
# # END SOLUTION

# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q6
# points: 4
# manual: true

# %% [markdown]
# ## 6 · May I? (4 points, read by a person)
#
# Your university wants to put an editor like yours into a photo booth at its open day: visitors may see themselves smile, with glasses, older, or "of the other sex". Write 100 to 150 words of advice: one thing that you would leave out and why, one that you would measure before, on whom, and one that visitors should be told.

# %% [raw]
# # BEGIN SOLUTION

# %% [markdown]
# A good answer leaves out an attribute whose labels are somebody's judgement of people (sex, attractiveness, skin) and says whom that can hurt; it measures the error of reconstructions and the success of edits by groups of visitors, since the model saw some groups less often; and it tells visitors what happens with their photograph, that
# the picture is a guess from other people's faces, and asks for consent, from parents for children.
#
# *Rubric: left out, with a reason that names who is affected (1); a measurement by groups, with the groups named (1); information and consent (1); written for the reader, 100 to 150 words (1).*

# %% [raw]
# # END SOLUTION

# %% [raw]
# # END QUESTION

# %% [markdown]
# ## To hand in
#
# Restart the kernel, run all cells, look whether everything is as you left it, save, and hand in this notebook.
