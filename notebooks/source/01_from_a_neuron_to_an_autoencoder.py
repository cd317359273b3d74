# %% [markdown]
# # 01 · From a neuron to an autoencoder
#
# Can a machine learn to describe a picture with two numbers, although nobody tells it what the picture shows? We
# build such a machine from its smallest part, an artificial neuron. We let it learn, put several side by side,
# and then ask the whole network for something that sounds useless: to give back what it was given.
#
# **You will be able to**
#
# - compute what a neuron and a layer of neurons put out, and say what weights, bias and steepness do,
# - explain gradient descent with a picture, and recognise a learning rate that is too small or too large,
# - fit a curve with a hidden layer, and say what an encoder, a decoder and an embedding are,
# - train an autoencoder on handwritten digits and read the map that it draws of them.
#
# **It builds on** school mathematics (functions, derivatives) and a little Python. You need not know PyTorch, the
# library we calculate with: its central object, the **tensor**, is an array of numbers, and the rest is explained
# where it appears. <kbd>Shift</kbd>+<kbd>Enter</kbd> runs a cell. At **Predict**, stop and guess before you go on,
# because a wrong guess teaches more than no guess.

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from vae_helpers import checks, plots, widgets
from vae_helpers.data import load_digits
from vae_helpers.device import budget, pick_device, seed_everything

plots.use_course_style()
seed_everything(1)  # the same random numbers in every run
device = pick_device()  # the graphics card (GPU) if there is one, else the CPU

# %% [markdown]
# ## 1 · One neuron
#
# A nerve cell collects signals that excite it or calm it down, and if enough excitement comes together, it fires. The
# artificial **neuron** keeps just this much. For each of its inputs $x_1, x_2, \dots$ it has a **weight** $w_i$ that
# says how much this input counts and in which direction. It multiplies, adds up, adds a number $b$ of its own, the
# **bias**, and sends the sum through a function $\varphi$ ("phi") that decides how strongly it fires:
#
# $$ o = \varphi\Big(\sum_i x_i w_i + b\Big), \qquad \varphi(a) = \frac{1}{1 + e^{-\beta a}} $$

# %% tags=["figure"]
# A neuron: inputs times weights, the sum, the activation function, the output
plots.show(
    plots.schematics.neuron(),
    alt="A drawing of a neuron. A constant 1 and inputs x1 to xn are multiplied by the bias b and weights w1 to wn and "
    "flow into a sum; the sum goes through an S-shaped activation function phi and leaves as the output o.",
)

# %% [markdown]
# This function is the neuron's **activation function**. Ours is the **logistic function**, whose
# output always lies between 0 (silent) and 1 (firing). The number $\beta$ ("beta") sets how steep the step from
# silent to firing is. As code (`.sum(-1)` adds along the last axis):


# %%
def neuron(x, w, b, beta=1.0):
    """The output of one neuron with inputs x (n numbers), weights w (n numbers) and a bias b."""
    total = (x * w).sum(-1) + b
    return 1 / (1 + torch.exp(-beta * total))


neuron(x=torch.tensor([1.0, 2.0]), w=torch.tensor([3.0, -1.0]), b=0.5)

# %% [markdown]
# The sum is $1 \cdot 3 + 2 \cdot (-1) + 0.5 = 1.5$, and $\varphi(1.5) \approx 0.82$, so this neuron is rather awake.
#
# **Predict.** What does the curve of $\varphi$ look like when $\beta$ is tiny, and what when it is huge? And where
# does the curve go when the bias grows? Guess, then run the next cell and drag.

# %% tags=["figure"]
# Drag the steepness β and the bias b of a neuron with one input


def draw_neuron(beta, bias, neuron=neuron):
    """The output of a neuron with one input and w = 1, over that input."""
    x = torch.linspace(-6, 6, 300)
    figure, ax = plt.subplots(figsize=(6.5, 3.4))
    ax.plot(
        x,
        neuron(x[:, None], torch.ones(1), 0.0),
        color="0.6",
        linestyle="--",
        label="β = 1, b = 0",
    )
    curve = neuron(x[:, None], torch.ones(1), bias, beta)
    ax.plot(
        x,
        curve,
        color=plots.COLORS[1],
        linewidth=3,
        label=f"β = {beta:.1f}, b = {bias:.1f}",
    )
    ax.set(xlabel="input x (with weight w = 1)", ylabel="output o", ylim=(-0.05, 1.05))
    ax.set_title("A gentle slope or a switch, and where it lies")
    ax.legend(loc="lower right")
    return figure


widgets.explore(draw_neuron, beta=(0.1, 20.0, 1.0), bias=(-5.0, 5.0, 0.0))

# %% [markdown]
# With a small $\beta$ the neuron answers gently, almost like a straight line, and with a large one it becomes a switch.
# A growing bias moves the curve to the left (for $w > 0$), because $\varphi$ is one half where $wx + b = 0$, which is
# at $x = -b/w$. Doubling $\beta$ does the same as doubling all weights and the bias, so a neuron that may choose its
# weights can make itself steep. From here on $\beta = 1$.
#
# ## 2 · Many neurons: a layer
#
# Real networks put many neurons side by side, all with the same inputs: a **layer**. Neuron $j$ has its own weights, so a
# weight now needs two indices: $w_{ij}$ leads from input $i$ to neuron $j$, and $o_j = \varphi(\sum_i x_i w_{ij} + b_j)$.

# %% tags=["figure"]
# A layer: every neuron sees every input, and a matrix holds all the weights
plots.show(
    plots.schematics.layer(),
    alt="Left: inputs x1 to xn are all connected to outputs o1 to om, the connections into neuron j are highlighted. "
    "Right: the same as matrices, phi of a row x times a matrix W plus a row b, where column j of W is highlighted.",
)

# %% [markdown]
# All weights form a matrix $W$ with a row for each input and a column for each neuron, and all weighted sums are one
# matrix product, written `@` in Python.
#
# ### Your turn 1 · A layer (7 min)
#
# Write a layer for $\beta = 1$. It receives `x` with N examples in rows and n inputs in columns, the weights `W` (n
# rows, m columns) and the biases `b` (m numbers), and returns an N × m table of outputs. `torch.exp` takes a whole
# table at once, and `+ b` adds the biases to every row. The cell says what is probably wrong; the solution is folded
# below it. `verdict.working` is your layer if it is right, else the course's. Section 4 looks inside a network with it.


# %% tags=["exercise"]
def my_layer(x, W, b):
    outputs = ...  # your code here
    return outputs


verdict = checks.layer(my_layer)
layer = verdict.working
verdict


# %% tags=["solution"]
def my_layer(x, W, b):
    return 1 / (1 + torch.exp(-(x @ W + b)))


# %% [markdown]
# ## 3 · A neuron learns
#
# Who chooses the weights? Nobody could do it by hand for a million of them, so a network finds them itself, from
# examples. A small real task: tell a handwritten **7** from a **2** by one number only, the amount of ink. The
# digits come from **MNIST**, a famous collection in which every picture has a **label** that says which digit it shows.
# Some digits are **held out**: no network learns from them. The *validation* set is watched during a training, the
# *test* set is opened at the end.

# %%
train_set, valid_set, test_set = (
    load_digits(split) for split in ("train", "valid", "test")
)


def ink_and_targets(digits):
    """The mean brightness of each 7 and 2, and what the neuron should say: 0 for a 7 and 1 for a 2."""
    chosen = digits.subset((digits.labels == 7) | (digits.labels == 2))
    return chosen.floats.mean(dim=(1, 2, 3)), (chosen.labels == 2).float()


ink, target = ink_and_targets(train_set)
middle, spread = ink.mean(), ink.std()
x = (ink - middle) / spread  # scaled: its mean is 0 and its standard deviation 1

# %% tags=["figure"]
# Ten sevens and ten twos
rows = {
    f"{name}s": train_set.floats[train_set.labels == digit][:10]
    for name, digit in (("seven", 7), ("two", 2))
}
plots.show(
    plots.image_rows(rows, "Ten sevens and ten twos"),
    alt="Two rows of handwritten digits: ten sevens, and ten twos, which mostly take more ink.",
)
print(
    f"{len(train_set):,} digits to learn from; held out: {len(valid_set):,} to watch, {len(test_set):,} to test"
)

# %% [markdown]
# Each picture has 28 × 28 **pixels**, numbers from 0 (black) to 1 (white ink), 784 in all. Their mean, scaled, is the
# neuron's only input $x$. How wrong is the neuron? For every picture we take the squared difference between its output
# $o$ and the wanted answer, the **target** $t$, and then the mean over all pictures. This is the **loss**:
#
# $$ L(w, b) = \frac1N \sum_{n=1}^N (o_n - t_n)^2, \qquad o_n = \varphi(w x_n + b) $$
#
# A neuron that always says one half has a loss of $(\tfrac12)^2 = 0.25$. Imagine that the loss is the height of a
# landscape over the plane of all pairs $(w, b)$, and that you stand in thick fog. You feel with your foot which way the
# ground falls, take a step that way, and feel again. This is **gradient descent**: the **gradient** is
# the list of slopes, one for each weight, and we step against it,
#
# $$ w \leftarrow w - \eta \, \frac{\partial L}{\partial w}, \qquad b \leftarrow b - \eta \, \frac{\partial L}{\partial b}, $$
#
# where the **learning rate** $\eta$ ("eta") says how far to step, and $\partial L/\partial w$ is the ordinary
# derivative with $b$ held fixed. By the chain rule, and because the logistic function has the slope
# $\varphi' = \varphi(1 - \varphi)$, one picture contributes
#
# $$ \frac{\partial}{\partial w} (o - t)^2 = 2 (o - t) \cdot o (1 - o) \cdot x $$
#
# Read it aloud: how wrong am I, times how undecided am I, times how strong was this input.
#
# ### Your turn 2 · The slopes (10 min)
#
# Write the two slopes of the loss $L$ for all pictures at once. `x` and `t` hold N numbers, `w` and `b` are single
# numbers, and `torch.sigmoid(a)` is $\varphi(a)$. What is different for the bias, the weight of a constant input 1?
# Three walkers will take your slopes down the landscape.


# %% tags=["exercise"]
def my_slopes(x, t, w, b):
    slope_w = ...  # your code here
    slope_b = ...
    return slope_w, slope_b


verdict = checks.loss_slopes(my_slopes)
slopes = verdict.working
verdict


# %% tags=["solution"]
def my_slopes(x, t, w, b):
    o = torch.sigmoid(w * x + b)  # torch.sigmoid is φ with β = 1
    shared = 2 * (o - t) * o * (1 - o)
    return (shared * x).mean(), shared.mean()


# %% [markdown]
# **Predict.** Three walkers start at the same spot and take 40 steps each, with learning rates of 0.3, 10 and 100.
# Who gets to the bottom, and what happens to the other two?


# %%
def descend(learning_rate, steps=40):
    """The path of gradient descent from w = -2, b = 2: a table with a row (w, b) for each step."""
    w, b = torch.tensor(-2.0), torch.tensor(2.0)
    path = [(w, b)]
    for _ in range(steps):
        slope_w, slope_b = slopes(x, target, w, b)
        w, b = w - learning_rate * slope_w, b - learning_rate * slope_b
        path.append((w, b))
    return torch.tensor(path)


def loss_at(path):
    """The loss at each row (w, b) of a table."""
    outputs = torch.sigmoid(
        path[:, :1] * x + path[:, 1:]
    )  # one row for each (w, b), one column for each picture
    return (outputs - target).square().mean(1)


rates = [0.3, 10.0, 100.0]
paths = [descend(rate) for rate in rates]

# %% tags=["figure"]
# Three walks on the map of the loss, and how high each walker stands
figure, axes = plt.subplot_mosaic(
    [[0, 1, 2], ["loss"] * 3], figsize=(10, 6.6), height_ratios=[3, 2]
)
plain = torch.tensor([[0.0, -6.0]])  # a place where the neuron is sure of its answer
everywhere = torch.cat([*paths, plain])
(low_w, low_b), (high_w, high_b) = (
    (everywhere.amin(0) - 1.5).tolist(),
    (everywhere.amax(0) + 1.5).tolist(),
)
w_axis, b_axis = torch.linspace(low_w, high_w, 100), torch.linspace(low_b, high_b, 100)
grid = torch.cartesian_prod(w_axis, b_axis)
landscape = loss_at(grid).reshape(100, 100).T
bottom = grid[loss_at(grid).argmin()]
for number, (rate, path, color) in enumerate(
    zip(rates, paths, (plots.COLORS[1], plots.COLORS[0], plots.COLORS[4]))
):
    ax = axes[number]
    filled = ax.contourf(w_axis, b_axis, landscape, levels=20, cmap="Greys_r", alpha=0.6)
    shown = path[:11]  # ten steps; more would only be a tangle
    ax.plot(*shown.T, color=color, marker="o", markersize=4, linewidth=1.5)
    if (
        shown[1] - shown[0]
    ).norm() > 0.3:  # else the numbers would lie on top of each other
        for step in (1, 2, 3):
            ax.annotate(
                str(step),
                shown[step],
                xytext=(5, 5),
                textcoords="offset points",
                color=color,
                weight="bold",
            )
    ax.plot(*path[0], "*", color=plots.COLORS[2], markersize=11, markeredgecolor="black")
    ax.plot(*bottom, "x", color="white", markersize=11, markeredgewidth=3)
    ax.plot(*plain[0], "^", color="white", markersize=9, markeredgecolor="black")
    ax.set(title=f"η = {rate:g}, first 10 steps", xlabel="weight w")
    axes["loss"].plot(
        loss_at(path),
        color=color,
        linewidth=2,
        linestyle=("-", "-", ":")[number],
        label=f"η = {rate:g}",
    )
for spot, name in (
    (path[0], "start"),
    (bottom, "lowest point"),
    (plain[0], "on the plain"),
):
    axes[0].annotate(
        name,
        spot,
        xytext=(9, 7),
        textcoords="offset points",
        bbox={"fc": "white", "ec": "none", "alpha": 0.7, "pad": 1},
    )
axes[0].set_ylabel("bias b")
figure.colorbar(filled, ax=[axes[0], axes[1], axes[2]], label="loss (dark is low)")
axes["loss"].axhline(0.25, color="0.6", linewidth=1)
axes["loss"].annotate(
    "always one half: 0.25",
    (0.99, 0.1),
    xycoords=("axes fraction", "data"),
    ha="right",
    va="bottom",
    color="0.4",
)
axes["loss"].set(
    title="How high they stand", xlabel="step", ylabel="loss (mean squared error)"
)
axes["loss"].set_ylim(0, 1.25 * loss_at(everywhere).max())
axes["loss"].legend(ncols=3, loc="upper right")
plots.show(
    figure,
    alt="Three maps of the loss over weight and bias, each with a walk from the same star, a cross at the lowest "
    "point and a triangle on a plain. At learning rate 0.3 the steps are tiny; at 10 the walk goes to the cross and stays; at 100 the first step "
    "leaps far over the valley. Below, their losses: one falls slowly, one falls at once, one stays high or jumps.",
)
for rate, path in zip(rates, paths):
    print(
        f"η = {rate:5g}: mean loss over the last 20 steps {loss_at(path)[-20:].mean():.3f}"
    )
print(
    f"lowest on the map: {landscape.min():.3f}; a neuron that always says one half: 0.250"
)
start_slope, plain_slope = (
    torch.stack(slopes(x, target, *spot)).norm() for spot in (path[0], plain[0])
)
print(f"slope at the star: {start_slope:.4f}; at the triangle: {plain_slope:.4f}")

# %% tags=["claim"]
last = [loss_at(path)[-20:].mean() for path in paths]
assert last[1] < 1.02 * landscape.min(), "the middle rate should find the valley"
assert last[0] > 1.3 * landscape.min(), "the small one should still be on its way"
assert last[2] > 1.05 * landscape.min(), "the large one should not settle"
assert abs(loss_at(torch.zeros(1, 2)).item() - 0.25) < 1e-6
assert plain_slope < 0.1 * start_slope, "the plain should be flat"
low = loss_at(paths[2]) < 1.1 * landscape.min()
assert (low[1:] & ~low[:-1]).sum() >= 2 and not low[-3:].all(), (
    "the large one should come close to the bottom more than once, and leave again"
)

# %% [markdown]
# The careful walker (0.3) hardly moves, so that its steps hide under the star, and the middle one (10) arrives soon and
# stays. The hasty one (100) jumps back and forth. Where the weight or the bias is far from 0, the neuron is so sure
# that $o(1 - o)$, and with it the slope, is almost 0 (compare the triangle with the star), and there the walker creeps
# until a steep place throws it out again. It comes close to the bottom several times (lower panel) and never stays.
# When a training goes wrong, the first suspect is the learning rate.
#
# Is 10 a normal learning rate? No: these slopes are small, because $o(1 - o)$ is at most ¼ and the errors of sevens and
# twos partly cancel. Every task has its own scale, so the rate has to be tried out. We ask the middle walker about
# unseen digits.

# %%
w, b = paths[1][-1]
test_ink, test_target = ink_and_targets(test_set)
answers = torch.sigmoid(w * (test_ink - middle) / spread + b) > 0.5
right = (answers == test_target.bool()).float().mean().item()
print(
    f"learnt: w = {w:.2f}, b = {b:.2f}; right for {right:.0%} of the held-out sevens and twos"
)

# %% tags=["claim"]
assert w > 0 and 0.55 < right < 0.9, "much ink should speak for a two, but not decide"

# %% [markdown]
# The weight is positive, so much ink speaks *for* a two; the neuron found it in examples. It is right more often than
# a coin and far from perfect, because one number is not enough.
#
# ## 4 · A hidden layer fits a curve
#
# One neuron makes one step, but steps can be added. Take $H$ neurons that look at the same input $x$, multiply
# the output of each by another weight $v_j$, and add everything up:
#
# $$ f(x) = c + \sum_{j=1}^{H} v_j \, \varphi(w_j x + b_j) $$
#
# The neurons in the middle are a **hidden layer**, since their outputs are neither question nor answer, and the whole is
# a small **multilayer perceptron**. PyTorch has the parts: `nn.Linear(1, 10)` holds the
# weights and biases of a layer with 1 input and 10 neurons, `nn.Sigmoid()` is our $\varphi$, and `nn.Sequential`
# applies one after the other. All weights start as small random numbers.
#
# We also stop deriving slopes by hand. PyTorch records every operation, and `loss.backward()` applies the chain rule to
# the record, from the loss back to every weight. This is **back-propagation**. The rule that turns slopes into steps is
# the **optimizer**. Ours is **Adam** (Kingma and Ba, 2015), which divides the steps of every weight by the size of its
# recent slopes. Its learning rate is therefore roughly the length of a step, whatever the scale of the loss, and values
# from 0.001 to 0.03 often work. An **epoch** is one pass over all examples; here it is a single step, because the loop
# looks at all examples at once.


# %%
def train(network, inputs, targets, epochs, lr):
    """The loop behind most of this course. Returns the loss at each step."""
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    losses = []
    for _ in range(epochs):
        loss = (network(inputs) - targets).square().mean()  # 1. how wrong are we?
        optimizer.zero_grad()  # 2. forget the old slopes, or the new ones would be added to them
        loss.backward()  # 3. compute the new ones
        optimizer.step()  # 4. take a step downhill
        losses.append(loss.item())
    return losses


positions = torch.linspace(-3, 3, 200)[:, None]  # a table of 200 rows and one column
wave = torch.sin(2 * positions) * (1 + 0.3 * positions)
points = wave + 0.1 * torch.randn_like(wave)  # noise with a standard deviation of 0.1
networks = {
    hidden: nn.Sequential(nn.Linear(1, hidden), nn.Sigmoid(), nn.Linear(hidden, 1))
    for hidden in (1, 3, 10)
}
errors = [
    train(network, positions, points, epochs=1500, lr=0.03)[-1]
    for network in networks.values()
]

# %% [markdown]
# **Predict.** The points in the picture below go up, down, up, down and up again. Which network will follow them: with
# 1, 3 or 10 hidden neurons?

# %% tags=["figure"]
# Networks with 1, 3 and 10 hidden neurons, and the steps of which the last one is made
figure, axes = plt.subplots(1, 4, figsize=(11, 3.5), sharey=True)
for ax, (hidden, network), error in zip(axes, networks.items(), errors):
    ax.plot(positions, points, ".", color="0.7", markersize=4, label="points shown")
    ax.plot(
        positions,
        network(positions).detach(),
        color=plots.COLORS[4],
        linewidth=2.5,
        label="network",
    )
    ax.set(
        title=f"{hidden} hidden neuron{'s' if hidden > 1 else ''}\nmean squared error {error:.3f}",
        xlabel="input x",
    )
hidden_layer, _, last_layer = networks[10]
with torch.no_grad():  # nothing to record here
    shares = layer(positions, hidden_layer.weight.T, hidden_layer.bias) * last_layer.weight
offsets = shares - shares[0]
axes[3].plot(positions, offsets, linewidth=1.6)
axes[3].set(
    title="the 10 steps inside,\neach from 0 at the left", xlabel="input x", ylim=(-4, 4)
)
axes[0].set_ylabel("output f(x)")
axes[0].legend(loc="lower right")
plots.show(
    figure,
    alt="The same wavy cloud of points three times. One hidden neuron draws a single step, three follow part of the "
    "waves, ten follow all of them. The fourth panel shows ten coloured curves, rising and falling steps, whose sum is the wave.",
)

# %% tags=["claim"]
assert errors[0] > 1.5 * errors[1] > 1.5 * errors[2], (
    "more neurons should follow the waves better"
)
assert errors[2] < 0.02, "what is left should be mostly the noise, 0.1² = 0.01"
with torch.no_grad():
    rebuilt_curve = shares.sum(1, keepdim=True) + last_layer.bias
    assert torch.allclose(rebuilt_curve, networks[10](positions), atol=1e-4), (
        "the shares add up to the network"
    )

# %% [markdown]
# One neuron draws a single step, three follow only a part of the wave, and ten follow all of it. What is left is mostly
# the noise of the points, whose mean square is $0.1^2 = 0.01$. The panel at the right was drawn with *your* layer (or
# the course's): each neuron contributes a step up or down, and their sum is the wave. With enough hidden neurons a
# network can follow any continuous curve on a finite stretch as closely as you like (Cybenko, 1989), but training need
# not find such weights.
#
# ## 5 · The same network, asked for its own input
#
# So far somebody had to supply the answers, which is called **supervised** learning. Now comes the idea of this whole
# course: let the answer be the question. We show the network $x$ and ask for $x$ back. Every example is its own target,
# so no labels are needed, and such learning is called **unsupervised**.
#
# Copying is easy, so we make it hard: in the middle we leave only a few neurons, through which everything must pass.

# %% tags=["figure"]
# An autoencoder: an hourglass of neurons
plots.show(
    plots.schematics.hourglass((8, 3)),
    alt="A network in the shape of an hourglass: eight inputs x, three neurons in the middle, the code h, and eight "
    "outputs. The left half is the encoder, the right half the decoder.",
)

# %% [markdown]
# The front half is the **encoder** and the back half the **decoder**. The numbers $h$ in the narrow middle, the
# **bottleneck**, are the **code**, also called **embedding** or **latent code** (latent means hidden). What comes
# back is $\hat x$, "x hat", and the whole is an **autoencoder**. In a classic example (Ackley,
# Hinton and Sejnowski, 1985), the one drawn above, eight inputs, of which one is on at a time, meet three neurons.
#
# **Predict.** Eight things, told apart by three neurons whose outputs lie between 0 and 1. Which code would *you*
# invent?

# %%
eight = torch.eye(8)  # eight examples in rows; in example i, input i is on
encoder = nn.Sequential(nn.Linear(8, 3), nn.Sigmoid())
decoder = nn.Sequential(nn.Linear(3, 8), nn.Sigmoid())
train(nn.Sequential(encoder, decoder), eight, eight, epochs=4000, lr=0.03)
h = encoder(
    eight
).detach()  # detach: the numbers alone, without the record for back-propagation
output = decoder(h).detach()

# %% tags=["figure"]
# Eight inputs, their codes of three numbers, and what comes back
figure, axes = plt.subplots(
    1, 3, figsize=(9.5, 3.8), gridspec_kw={"width_ratios": [8, 3.4, 8]}
)
for ax, values, title in zip(axes, (eight, h, output), ("input x", "code h", "output x̂")):
    image = ax.imshow(values, cmap="cividis", vmin=0, vmax=1)
    ax.set(title=title, xlabel="neuron", xticks=range(values.shape[1]), yticks=range(8))
axes[0].set_ylabel("example")
figure.colorbar(image, ax=axes, label="value", shrink=0.8)
for row in range(8):
    for column in range(3):
        color = "black" if h[row, column] > 0.5 else "white"
        axes[1].text(
            column, row, f"{h[row, column]:.1f}", ha="center", va="center", color=color
        )
plots.show(
    figure,
    alt="Three tables of colours. Input: a diagonal, one neuron on per example. Code: three numbers per example, most "
    "close to 0 or 1, different for every example. Output: the diagonal again.",
)

# %% tags=["claim"]
assert (output.argmax(1) == torch.arange(8)).all(), "all eight should come back"
assert len({tuple(row) for row in (h > 0.5).int().tolist()}) == 8, (
    "from eight different patterns"
)

# %% [markdown]
# Most people think of binary numbers, 000, 001, 010 and so on. The network was told nothing about them, and yet its
# rounded codes are the same eight patterns, in an order of its own. Three switches have just $2^3 = 8$ states, and as
# the corners of a cube these are easy to tell apart. The bottleneck forced the network to *find a description*. This is
# why we care about something that only copies.
#
# ## 6 · Two numbers for a digit
#
# Now the question from the beginning. We squeeze pictures of digits, 784 numbers each, through 256, 128 and at last
# **two** neurons, and back in reverse order, without any labels. Five things are new:
#
# - **Batches**: pictures are shown in groups of 128, with a step after each, so that an epoch has many steps.
# - **ReLU**, $\max(0, a)$, is the activation function of the hidden layers. The logistic function is flat on both sides,
#   where its slope is almost 0, but ReLU for negative $a$ only, so that more of the slope passes through several layers.
# - **Linear code**: its two neurons have no activation function, so that a code may be any number.
# - **Summed loss**: squared errors are summed over the pixels of a picture, then averaged over the batch, as for all
#   pictures from here on.
# - **Shapes**: `Flatten` makes 784 numbers of 28 × 28 pixels, and `Unflatten` does the opposite. (`.to(device)` puts the
#   network where it will be trained.)

# %%
encoder = nn.Sequential(
    nn.Flatten(),
    nn.Linear(784, 256),
    nn.ReLU(),
    nn.Linear(256, 128),
    nn.ReLU(),
    nn.Linear(128, 2),
)
decoder = nn.Sequential(
    nn.Linear(2, 128),
    nn.ReLU(),
    nn.Linear(128, 256),
    nn.ReLU(),
    nn.Linear(256, 784),
    nn.Sigmoid(),
)
autoencoder = nn.Sequential(encoder, decoder, nn.Unflatten(1, (1, 28, 28))).to(device)


def reconstruction_error(images):
    """Squared error per image: summed over its pixels, averaged over the images."""
    return (autoencoder(images) - images).square().flatten(1).sum(1).mean()


# %% [markdown]
# The next cell shows the training pictures to the network again and again, until it has seen about 200,000 (three times
# as many on a GPU), which takes some seconds. Watch the error fall.

# %%
pictures = train_set.subset(slice(0, 10_000)).to(device)
watched = valid_set.floats.to(device)
epochs = budget(cpu=200_000, gpu=600_000) // len(pictures)
optimizer = torch.optim.Adam(autoencoder.parameters(), lr=1e-3)
train_errors, valid_errors = [], []
for epoch in range(epochs):
    total = 0.0
    for images, _ in pictures.batches(
        128, shuffle=True, seed=epoch
    ):  # _ : the labels, which nobody uses
        loss = reconstruction_error(images)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(images)
    train_errors.append(total / len(pictures))
    with torch.no_grad():  # do not record, we only look
        valid_errors.append(reconstruction_error(watched).item())
    print(
        f"epoch {epoch + 1} of {epochs}: squared error per image {train_errors[-1]:.1f}",
        end="\r",
    )

# %% tags=["figure"]
# The error on digits it learns from and on held-out digits, epoch by epoch
figure, ax = plt.subplots(figsize=(8, 3.6))
shown = range(1, len(train_errors) + 1)
ax.plot(
    shown, train_errors, color=plots.COLORS[1], linewidth=2, label="digits it learns from"
)
ax.plot(
    shown,
    valid_errors,
    color=plots.COLORS[4],
    linewidth=2,
    linestyle="--",
    label="held-out digits",
)
ax.set(
    title="The first autoencoder learns", xlabel="epoch", ylabel="squared error per image"
)
ax.set_ylim(0, None)
ax.legend()
plots.show(
    figure,
    alt="Two falling curves of the squared error per image against the epoch, steep at first and flat later. In the "
    "end the curve for held-out digits lies a little above the one for the digits that the network learns from.",
)
print(
    f"in the end: {train_errors[-1]:.1f} on digits it learns from, {valid_errors[-1]:.1f} on held-out ones"
)

# %% tags=["claim"]
assert valid_errors[-1] > train_errors[-1], (
    "the network should do better on the digits that it learns from"
)

# %% [markdown]
# Why two curves? With this many weights, a network can learn details of single training pictures by heart, which does
# not help with new ones. How well it does on pictures that it has never seen is called **generalisation**, and the gap
# between the curves measures what is lost on the way. If the held-out curve rose while the training curve still fell, we
# would speak of **overfitting** and stop. (At the very left the training curve lies higher, because it averages over an
# epoch of learning.)

# %%
with torch.no_grad():
    tests = test_set.floats.to(device)
    rebuilt = autoencoder(tests).cpu()
    codes = encoder(tests).cpu()
    known_codes = encoder(pictures.floats).cpu()
mean_picture = pictures.floats.mean(0).cpu()
error = (rebuilt - test_set.floats).square().flatten(1).sum(1).mean().item()
mean_error = (mean_picture - test_set.floats).square().flatten(1).sum(1).mean().item()

# %% tags=["figure", "hero"]
# Ten test digits before and after the bottleneck
chosen = [int((test_set.labels == digit).nonzero()[0]) for digit in range(10)]
plots.show(
    plots.image_rows(
        {"input": test_set.floats[chosen], "output": rebuilt[chosen]},
        "Ten digits, each squeezed through two numbers: what goes in, and what comes out",
    ),
    alt="Ten handwritten digits above their reconstructions. Many reconstructions are blurred versions of the input; "
    "some are another digit or a blur without shape.",
)
print(
    f"squared error per test image: {error:.1f}; if every output were the mean of all digits: {mean_error:.1f}"
)

# %% tags=["claim"]
assert error < 0.8 * mean_error, "two numbers should say more than the mean picture"

# %% [markdown]
# All have lost detail, and some came back as another digit. How much do the two numbers still tell?
#
# **Predict.** Two numbers are a point on a sheet of paper. We draw a point for each test digit, on ten copies of the
# sheet that each highlight one digit by its label, which the network never saw. Will they be spread like confetti, or
# will there be order?

# %% tags=["figure"]
# The map that the autoencoder draws of digits it has never seen
figure, axes = plt.subplots(2, 5, figsize=(10, 4.8), sharex=True, sharey=True)
for digit, ax in enumerate(axes.flat):
    highlighted = test_set.labels == digit
    ax.plot(*codes.T, ".", color="0.85", markersize=3)
    ax.plot(*codes[highlighted].T, ".", color=plots.COLORS[1], markersize=4)
    ax.set_title(f"digit {digit}")
figure.suptitle("A map that nobody drew: each digit as the two numbers of its code")
figure.supxlabel("first number of the code")
figure.supylabel("second number")
plots.show(
    figure,
    alt="Ten copies of a scatter plot of two-number codes, each with one kind of digit in blue: each keeps to a part, "
    "zeros and ones lie apart.",
)

# %% [markdown]
# There is order: each digit keeps to a part of the sheet. Zeros and ones pull away to different sides, while fours,
# sevens and nines, which look alike, share one region. How much order? For each test digit, the five training digits with
# the nearest codes vote with their labels (a **k-nearest-neighbours** classifier). For comparison, the nearest *pictures*
# vote too, with all 784 numbers.


# %%
def vote(known, unknown):
    """How often the five nearest training examples name the right test digit."""
    return (
        KNeighborsClassifier(5)
        .fit(known, pictures.labels.cpu())
        .score(unknown, test_set.labels)
    )


by_code = vote(known_codes, codes)
by_pixels = vote(pictures.floats.flatten(1).cpu(), test_set.floats.flatten(1))
print(
    f"right by 2 code numbers: {by_code:.0%}; by 784 pixels: {by_pixels:.0%}; by chance: 10%"
)

# %% tags=["claim"]
zero, one = (codes[test_set.labels == digit].median(0).values for digit in (0, 1))
assert 0.45 < by_code < by_pixels - 0.1, "the codes should tell much, and the pixels more"
assert (zero - one).norm() > codes.std(0).norm(), "zeros and ones should lie far apart"
alike = torch.tensor([4, 7, 9])
votes = KNeighborsClassifier(5).fit(known_codes, pictures.labels.cpu())
votes = torch.as_tensor(votes.predict(codes[torch.isin(test_set.labels, alike)]))
assert torch.isin(votes, alike).float().mean() > 0.7, (
    "fours, sevens and nines should have each other for neighbours"
)

# %% [markdown]
# The codes are right several times as often as chance, although no label took part in making them. The pixels are right
# far more often, so much was lost in the bottleneck. Lesson 03 measures what a wider one keeps.
#
# ## Workshop · Eight things, two trembling numbers (25 min)
#
# Two switches have only four states, but a neuron is more than a switch: it can also answer 0.3. The cell below trains
# an autoencoder with **two** numbers between 0 and 1 in the middle, and all eight things come back, as it
# prints. Now the real task: the wire between encoder and decoder trembles. The check adds noise with a standard
# deviation of 0.1 to every code and counts how often the decoder still finds the right one of the eight. Bring it to
# **97%**.
#
# You may change anything but the two numbers and their range: the layers, the loss, the loop, what the decoder sees
# while it learns; you may even design a code by hand. Draw the eight codes first,
# `plt.scatter(*encoder(eight).detach().T)`. Where do they lie, and where would *you* put them?

# %% tags=["workshop"]
encoder = nn.Sequential(nn.Linear(8, 2), nn.Sigmoid())
decoder = nn.Sequential(nn.Linear(2, 8), nn.Sigmoid())
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.05)
for _ in range(3000):
    codes_of_eight = encoder(eight)
    loss = (decoder(codes_of_eight) - eight).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(encoder(eight).detach())
found = decoder(encoder(eight)).argmax(1) == torch.arange(8)
print(f"without noise, {found.sum()} of 8 come back")

verdict = checks.lesson_01.workshop(encoder, decoder)
verdict

# %% tags=["solution"]
# Two changes. The decoder meets the noise while it learns, so the codes move as far apart as they can. And it gets a
# hidden layer: this loss asks each output to separate its own point from the other seven, which one layer can do only
# by a straight line, so that the eight points must stand in a ring; with a hidden layer one of them may sit in the
# middle, and the others get more room.
encoder = nn.Sequential(nn.Linear(8, 2), nn.Sigmoid())
decoder = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 8), nn.Sigmoid())
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.02)
many = eight.repeat(8, 1)  # each of the eight meets eight draws of the noise in every step
for _ in range(3000):
    codes_of_eight = encoder(many)
    codes_of_eight = codes_of_eight + 0.1 * torch.randn_like(codes_of_eight)
    loss = (decoder(codes_of_eight) - many).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %% tags=["alternative"]
# Designed by hand: the eight outer points of a 3 × 3 grid, and a decoder that takes the nearest.
spots = torch.tensor(
    [[i / 2, j / 2] for i in range(3) for j in range(3) if (i, j) != (1, 1)]
)


def encoder(x):
    return x @ spots


def decoder(h):
    return torch.softmax(-100 * torch.cdist(h, spots), dim=1)


# %% tags=["claim"]
assert found.all(), "without noise all eight should come back"

# %% [markdown]
# **Going on.** Try noise of 0.2, and watch what the codes do. In lesson 07 noise on the code returns: it is what
# turns an autoencoder into a variational one.
#
# ## Summary
#
# - A **neuron** weighs its inputs, adds a bias, and applies an activation function; a **layer** does this for many
#   neurons at once, with one matrix.
# - **Gradient descent** walks down the loss, with a **learning rate** that is neither too small nor too large, and
#   **back-propagation** computes the slopes.
# - A **hidden layer** adds up steps, and enough of them can follow any continuous curve on a finite stretch.
# - An **autoencoder** gives back its input through a **bottleneck**, which forces it to find a short description, the
#   **code**.
# - Can two numbers describe a digit? In part: far better than chance, and far worse than 784 pixels.
#
# ## Read and watch
#
# - 3Blue1Brown, [Neural networks](https://www.3blue1brown.com/topics/neural-networks): videos in which neurons,
#   gradient descent and back-propagation move before your eyes.
# - M. Nielsen, [Neural Networks and Deep Learning](http://neuralnetworksanddeeplearning.com), chapters 1 and 4: neurons
#   in plain words, and a visual proof that they can fit any function.
# - G. Hinton, R. Salakhutdinov, [Reducing the dimensionality of data with neural
#   networks](https://doi.org/10.1126/science.1127647) (2006): the paper that made autoencoders famous, with a digit map
#   like ours.
#
# **Next:** [lesson 02 · Dimensionality reduction](02_dimensionality_reduction.ipynb): how well could we do *without*
# neurons? A method from 1901 is the yardstick.
