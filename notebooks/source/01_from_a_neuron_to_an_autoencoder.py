# %% [markdown]
# # 01 · From a neuron to an autoencoder
#
# Can a machine learn to describe a picture in two numbers, when nobody tells it what the picture
# shows? In this lesson we build such a machine from its smallest part. We start with one artificial
# neuron. We let it learn. We put several side by side. Then we ask the whole for a strange thing:
# to give back what it was given. Working through it takes about 50 minutes.
#
# **You will be able to**
#
# - compute what a neuron puts out, and say what its weights and its steepness $\beta$ do,
# - explain gradient descent with a picture, and recognise a learning rate that is too small or too
#   large,
# - fit a function with a hidden layer of neurons,
# - say what an encoder, a decoder and an embedding are,
# - train a first autoencoder on handwritten digits, and read the map that it draws of them.
#
# **It builds on** school mathematics (functions, derivatives), a little Python, and nothing else.
#
# Press <kbd>Shift</kbd>+<kbd>Enter</kbd> to run a cell and go to the next. Questions marked
# **Predict** come before the cell that answers them. Stop there and guess. A wrong guess teaches
# more than no guess.

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn

from vae_helpers import checks, plots, widgets
from vae_helpers.data import load_digits
from vae_helpers.device import pick_device, seed_everything

plots.use_course_style()
seed_everything(1)
device = pick_device()

# %% [markdown]
# ## 1 · One neuron
#
# A nerve cell collects signals from other cells. Some excite it, some calm it down. If enough
# excitement comes together, it fires. The artificial neuron keeps just that much of the idea. It
# has inputs $x_1, x_2, \dots$ and one **weight** $w_i$ for each of them. It multiplies, adds up,
# and sends the sum through a function $\varphi$ ("phi") that decides how strongly it fires:
#
# $$ o = \varphi\Big(\sum_i x_i w_i\Big), \qquad \varphi(a) = \frac{1}{1 + e^{-\beta a}} $$
#
# This $\varphi$ is called the **logistic function**. Its output always lies between 0 (silent) and
# 1 (firing). A positive weight excites, a negative one calms, and a weight of zero means "I do not
# listen to you". The number $\beta$ ("beta") sets how steep the step from silent to firing is.
#
# As code this is one line:


# %%
def neuron(x, w, beta=1.0):
    """The output of one neuron with inputs x (..., n) and weights w (n,)."""
    return 1 / (1 + torch.exp(-beta * (x * w).sum(-1)))


neuron(torch.tensor([1.0, 2.0]), torch.tensor([3.0, -1.0]))

# %% [markdown]
# The weighted sum was $1 \cdot 3 + 2 \cdot (-1) = 1$, and $\varphi(1) = 1/(1+e^{-1}) \approx 0.73$:
# this neuron is rather awake.
#
# **Predict.** What does the curve $\varphi$ look like when $\beta$ is tiny? And when it is huge?
# Guess, then run the cell and drag the slider.


# %%
def draw_logistic(beta):
    """The logistic function for one steepness, over two others for comparison."""
    a = torch.linspace(-6, 6, 400)
    figure, ax = plt.subplots(figsize=(6.5, 3.6))
    for other, style in ((0.2, ":"), (20, "--")):
        phi = neuron(a[:, None], torch.ones(1), other)
        ax.plot(a, phi, color="0.6", linestyle=style, label=f"β = {other:g}")
    ax.plot(a, neuron(a[:, None], torch.ones(1), beta), color=plots.COLORS[1], linewidth=3)
    ax.set(
        title=f"The logistic function with steepness β = {beta:.1f}",
        xlabel="weighted sum of the inputs, Σ xᵢwᵢ",
        ylabel="output o",
        ylim=(-0.05, 1.05),
    )
    ax.legend(loc="lower right")
    return figure


widgets.explore(draw_logistic, beta=(0.1, 20.0, 1.0))

# %%
plots.show(
    draw_logistic(1.0),
    alt="An S-shaped curve from 0 to 1 for β = 1, between an almost straight line for β = 0.2 and a sharp step "
    "for β = 20; all three cross one half where the weighted sum is zero.",
)

# %% [markdown]
# With a small $\beta$ the neuron answers gently, almost like a straight line. With a large one it
# becomes a switch: off below zero, on above. All curves meet at $\varphi(0) = \tfrac12$.
#
# There is a catch in this. The switch is always at zero. How can a neuron fire only above 5, say?
# It gets one more input that is always 1. Its weight, called the **bias** $b$, shifts the switch:
# $\varphi(wx + b)$ switches where $wx + b = 0$, so at $x = -b/w$.
#
# And $\beta$? Doubling $\beta$ does the same as doubling all weights. A neuron that may choose its
# weights can make itself steep. So from here on $\beta = 1$, as in most of the literature. (The
# letter returns in lesson 08 with another job.)

# %% [markdown]
# ### Your turn 1 · A neuron of your own
#
# Write the neuron without looking up: inputs `x` and weights `w` are tensors of the same length,
# `beta` is a number, and the output is one number.


# %% tags=["exercise"]
def my_neuron(x, w, beta): ...  # your code here


checks.neuron(my_neuron)


# %% tags=["solution"]
def my_neuron(x, w, beta):
    weighted_sum = (x * w).sum()
    return 1 / (1 + torch.exp(-beta * weighted_sum))


# %% [markdown]
# ### Your turn 2 · A neuron that says "and"
#
# Find three weights so that a neuron with $\beta = 1$ fires (output above 0.9) if **both** inputs
# are 1, and keeps quiet (output below 0.1) otherwise. The first two weights belong to the inputs,
# the third is the bias. Paper and pencil are a good start. Where should the switch be?

# %% tags=["exercise"]
my_weights = torch.tensor([0.0, 0.0, 0.0])  # your weights here

checks.and_neuron(my_weights)

# %% tags=["solution"]
# One input alone gives 10 − 15 = −5: quiet. Both give 20 − 15 = +5: firing.
my_weights = torch.tensor([10.0, 10.0, -15.0])

# %% [markdown]
# ## 2 · A neuron learns
#
# You just found weights by thinking. Nobody can do that for a million weights. A network finds them
# itself, from examples. Here is a real task, small enough to see everything: tell a handwritten
# **7** from a handwritten **2** by one number, the amount of ink.

# %%
train_set, valid_set = load_digits("train"), load_digits("valid")
print(
    f"{len(train_set):,} digits to learn from, {len(valid_set):,} held out, from: {train_set.source}"
)

sevens = train_set.subset(train_set.labels == 7)
twos = train_set.subset(train_set.labels == 2)
plots.show(
    plots.image_rows(
        {"sevens": sevens.floats[:10], "twos": twos.floats[:10]}, "Ten sevens and ten twos"
    ),
    alt="Two rows of handwritten digits: ten sevens, and ten twos, which mostly take more ink.",
)

# %% [markdown]
# Each digit is a picture of 28 × 28 **pixels** (dots). Each pixel is a number from 0 (black) to 1
# (white). So a picture is 784 numbers. Their mean is the ink. We scale it so that over all pictures
# its mean is 0 and its spread (standard deviation) is 1, and give it to the neuron as $x$. From the
# neuron we want $o = 0$ for a seven and $o = 1$ for a two. One number cannot tell all of them
# apart. We want the best that it can do.
#
# How wrong is the neuron? For every picture we take the squared difference between the output $o$
# and the wanted answer $t$ (the **target**), and then the mean over all pictures. This is the
# **loss**:
#
# $$ L(w, b) = \frac1N \sum_{n=1}^N (o_n - t_n)^2, \qquad o_n = \varphi(w x_n + b) $$
#
# Learning means: find $w$ and $b$ with a small loss. As there are two numbers only, we can draw the
# loss for all of them, like a map of a landscape. The height is the loss.

# %%
ink = torch.cat([sevens.floats, twos.floats]).mean(dim=(1, 2, 3))
ink = (ink - ink.mean()) / ink.std()
target = torch.cat([torch.zeros(len(sevens)), torch.ones(len(twos))])


def loss_of(w, b):
    """Mean squared error of the neuron, for one pair or a whole grid of weights and biases."""
    output = torch.sigmoid(
        w[..., None] * ink + b[..., None]
    )  # PyTorch's name for φ with β = 1
    return (output - target).square().mean(-1)


w_axis, b_axis = torch.linspace(-4, 9, 90), torch.linspace(-5, 5, 80)
b_grid, w_grid = torch.meshgrid(b_axis, w_axis, indexing="ij")
landscape = loss_of(w_grid, b_grid)

# %% [markdown]
# Suppose you stand somewhere in this landscape, in thick fog. You want to go down. You feel with
# your foot which way the ground falls, take a step that way, and feel again. That is **gradient
# descent**. The **gradient** is the list of slopes, one for each weight. We step against it:
#
# $$ w \leftarrow w - \eta \, \frac{\partial L}{\partial w}, \qquad b \leftarrow b - \eta \, \frac{\partial L}{\partial b} $$
#
# The number $\eta$ ("eta") is the **learning rate**. It says how far to step. The slopes follow
# from the chain rule. For one picture, and with $\varphi' = \varphi (1 - \varphi)$,
#
# $$ \frac{\partial}{\partial w} (o - t)^2 = 2 (o - t) \cdot o (1 - o) \cdot x $$
#
# Read it aloud: how wrong am I, times how undecided am I, times how much did this input matter. We
# need not do it by hand. PyTorch records every operation and applies the chain rule for us:
# `backward()`.
#
# **Predict.** Below, three walkers start at the same spot and take 60 steps each. Their learning
# rates are 0.3, 10 and 100. Who gets to the bottom? What happens to the other two?


# %%
def descend(learning_rate, steps=60):
    """The path (steps + 1, 2) of gradient descent from (w, b) = (-2, 2)."""
    position = torch.tensor([-2.0, 2.0], requires_grad=True)
    path = [position.detach().clone()]
    for _ in range(steps):
        loss = loss_of(position[0], position[1])
        loss.backward()  # computes the slopes and puts them into position.grad
        with torch.no_grad():
            position -= learning_rate * position.grad
        position.grad = None  # forget the slopes, or the next ones would be added to them
        path.append(position.detach().clone())
    return torch.stack(path)


paths = {rate: descend(rate) for rate in (0.3, 10, 100)}
heights = {rate: loss_of(path[:, 0], path[:, 1]) for rate, path in paths.items()}

figure, (ax, curve_ax) = plt.subplots(1, 2, figsize=(10.5, 4.2))
filled = ax.contourf(w_axis, b_axis, landscape, levels=20, cmap="cividis")
figure.colorbar(filled, label="loss (mean squared error)")
looks = zip(
    paths,
    ("#56B4E9", "white", "#D55E00"),
    ("#0072B2", "black", "#D55E00"),
    "^os",
    strict=True,
)
for rate, map_color, curve_color, marker in looks:
    ax.plot(
        *paths[rate].T,
        color=map_color,
        marker=marker,
        markersize=4,
        linewidth=1,
        label=f"η = {rate:g}",
    )
    curve_ax.plot(heights[rate], color=curve_color, linewidth=2, label=f"η = {rate:g}")
ax.set(
    title="Three walks in the same landscape",
    xlabel="weight w",
    ylabel="bias b",
    xlim=(-4, 9),
    ylim=(-5, 5),
)
ax.legend(facecolor="0.25", labelcolor="white", frameon=True, loc="lower right")
curve_ax.set(
    title="How high they stand",
    xlabel="step",
    ylabel="loss (mean squared error)",
    ylim=(0, 0.6),
)
curve_ax.legend()
plots.show(
    figure,
    alt="Left: a map of the loss over weight and bias, with a valley at a positive weight. The walk with learning "
    "rate 0.3 stops half-way, the one with 10 ends in the valley, the one with 100 jumps to and fro over it. "
    "Right: their losses against the step; the first falls slowly, the second fast, the third goes up and down.",
)

valley = landscape.min()
for rate, height in heights.items():
    print(
        f"η = {rate:5g}: mean loss over the last 30 steps {height[-30:].mean():.3f} (lowest on the map: {valley:.3f})"
    )
assert heights[10][-30:].mean() < 1.02 * valley, (
    "the middle learning rate should find the valley"
)
assert heights[0.3][-1] > 1.5 * valley, "the small one should still be on its way"
assert heights[100][-30:].mean() > 1.05 * valley, "the large one should jump about"

# %% [markdown]
# The careful walker (0.3) goes the right way, but hardly moves. The middle one (10) arrives soon
# and stays. The hasty one (100) crosses the valley in one jump, turns round, and jumps over it
# again. It never settles. Keep this picture in mind. When a training goes wrong, in any network,
# the first suspect is a learning rate that is too small or too large.
#
# Look at the plains, too, far from the valley. There the neuron is so sure of everything that $o(1
# - o)$ is almost 0, and with it the slope. Who stands on a plain learns slowly, even if everything
# is wrong.
#
# The valley lies at a positive $w$: much ink speaks *for* a two. Nobody said so. The neuron found
# it in examples.
#
# ### Your turn 3 · The slope by hand
#
# Write the slopes of $(o - t)^2$ with respect to all weights of a neuron with $\beta = 1$, for one
# example: `x` and `w` have the same length, `t` is the target. Return a tensor with one slope per
# weight. Use the formula above, not `backward()`.


# %% tags=["exercise"]
def my_gradient(x, w, t): ...  # your code here


checks.neuron_gradient(my_gradient)


# %% tags=["solution"]
def my_gradient(x, w, t):
    o = torch.sigmoid((x * w).sum())
    return 2 * (o - t) * o * (1 - o) * x


# %% [markdown]
# ## 3 · Several neurons fit a curve
#
# One neuron makes one step. But steps can be added. Take $H$ neurons that all look at the same
# input $x$, each with its own weight and bias, and add their outputs up, each times a weight $v_j$:
#
# $$ f(x) = c + \sum_{j=1}^{H} v_j \, \varphi(w_j x + b_j) $$
#
# The neurons in the middle are called a **hidden layer**. Their outputs are neither the question
# nor the answer. `nn.Linear` is PyTorch's name for "weighted sums plus biases", for many neurons at
# once. So the whole network is three lines.
#
# We show it points of a curve and ask for the curve's height. Learning from examples with known
# answers is called **supervised** learning.
#
# **Predict.** The curve goes up, down, up and down again. How many steps (neurons) are needed to
# follow it, at the least?


# %%
def small_network(hidden):
    """A network from one number to one number, with one hidden layer."""
    return nn.Sequential(nn.Linear(1, hidden), nn.Sigmoid(), nn.Linear(hidden, 1))


def train(network, inputs, targets, steps, learning_rate):
    """The loop behind all of deep learning. Returns the loss after each step."""
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    losses = []
    for _ in range(steps):
        loss = (network(inputs) - targets).square().mean()  # 1. how wrong are we?
        optimizer.zero_grad()  # 2. forget the old slopes
        loss.backward()  # 3. compute the new ones
        optimizer.step()  # 4. take a step downhill
        losses.append(loss.item())
    return losses


x = torch.linspace(-3, 3, 200)[:, None]
curve = torch.sin(2 * x) * (1 + 0.3 * x)
points = curve + 0.1 * torch.randn_like(curve)

networks = {hidden: small_network(hidden) for hidden in (1, 3, 10)}
errors = {hidden: train(net, x, points, 1500, 0.03)[-1] for hidden, net in networks.items()}

# %% [markdown]
# The optimizer here is **Adam** (Kingma and Ba, 2015). It is gradient descent that keeps a separate
# step length for every weight, and remembers the direction of recent steps, like a ball that rolls.
# It forgives a learning rate that is not perfect. Most people use it, and so do we.

# %%
figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), sharey=True)
for ax, (hidden, net) in zip(axes, networks.items(), strict=True):
    with torch.no_grad():
        ax.plot(x, points, ".", color="0.7", markersize=4, label="points shown")
        ax.plot(x, net(x), color=plots.COLORS[4], linewidth=2.5, label="network")
    plural = "s" if hidden > 1 else ""
    ax.set(
        title=f"{hidden} hidden neuron{plural}\nmean squared error {errors[hidden]:.3f}",
        xlabel="input x",
    )
axes[0].set_ylabel("output f(x)")
axes[0].legend(loc="lower left")
plots.show(
    figure,
    alt="The same wavy cloud of points three times. One hidden neuron draws a single step, three follow "
    "part of the waves, ten follow all of them.",
)
assert errors[1] > 1.5 * errors[3] > 1.5 * errors[10], (
    "more neurons should follow the waves better"
)

# %% [markdown]
# With enough hidden neurons, a network can follow any continuous curve as closely as you like
# (Cybenko, 1989). That is a promise about what weights *exist*. Whether training finds them is
# another matter, and much of this course is about it.
#
# Look inside the largest one. Each thin line is one neuron's share, $v_j \varphi(w_j x + b_j)$.
# Every one of them is a plain step, up or down. Their sum is the wave.

# %%
first, _, last = networks[10]
with torch.no_grad():
    shares = torch.sigmoid(first(x)) * last.weight
figure, ax = plt.subplots(figsize=(7, 3.6))
ax.plot(x, shares - shares.mean(0), color=plots.COLORS[6], linewidth=1)
ax.plot(x, shares.sum(1) - shares.sum(1).mean(), color=plots.COLORS[4], linewidth=3)
ax.plot([], [], color=plots.COLORS[6], label="share of one hidden neuron")
ax.plot([], [], color=plots.COLORS[4], linewidth=3, label="their sum")
ax.set(title="Ten steps add up to a wave", xlabel="input x", ylabel="output, mean removed")
ax.legend(loc="lower left")
plots.show(
    figure,
    alt="Ten thin S-shaped steps, some rising and some falling, and a thick wavy line that is their sum.",
)

# %% [markdown]
# ## 4 · The same network, asked for its own input
#
# So far somebody had to supply the answers. Now comes the idea that this whole course is about.
# **Let the answer be the question.** Show the network $x$ and ask for $x$ back. No labels are
# needed, because every example is its own target.
#
# That sounds useless: copying is easy. So we make it hard. In the middle we leave only a few
# neurons. Everything that the network wants to remember must pass through them:
#
# $$ x \;\xrightarrow{\text{ encoder }}\; h \;\xrightarrow{\text{ decoder }}\; \hat x \approx x $$
#
# The front half is the **encoder**. The back half is the **decoder**. The numbers $h$ in the middle
# are the **code**, also called **embedding** or **latent code** ("latent" means hidden). The narrow
# place is the **bottleneck**. The whole is an **autoencoder**.
#
# The oldest example is from 1985. There are eight inputs. Exactly one is on at a time. In the
# middle there are three neurons.
#
# **Predict.** Eight things, told apart by three neurons that would like to be on or off. Which code
# would *you* invent?

# %%
eight = torch.eye(8)
encoder = nn.Sequential(nn.Linear(8, 3), nn.Sigmoid())
decoder = nn.Sequential(nn.Linear(3, 8), nn.Sigmoid())
losses = train(
    nn.Sequential(encoder, decoder), eight, eight, steps=4000, learning_rate=0.03
)

with torch.no_grad():
    h = encoder(eight)
    output = decoder(h)

figure, axes = plt.subplots(
    1, 3, figsize=(9.5, 3.8), gridspec_kw={"width_ratios": [8, 3.4, 8]}
)
for ax, values, title in zip(
    axes, (eight, h, output), ("input x", "code h", "output x̂"), strict=True
):
    image = ax.imshow(values, cmap="cividis", vmin=0, vmax=1)
    ax.set(title=title, xlabel="neuron", xticks=range(values.shape[1]), yticks=range(8))
axes[0].set_ylabel("example")
figure.colorbar(image, ax=axes, label="output of the neuron", shrink=0.8)
for (row, column), value in [((i, j), h[i, j]) for i in range(8) for j in range(3)]:
    axes[1].text(
        column,
        row,
        f"{value:.1f}",
        ha="center",
        va="center",
        color="black" if value > 0.5 else "white",
    )
plots.show(
    figure,
    alt="Three tables of colours. Input: a diagonal, one neuron on per example. Code: three numbers "
    "per example, most close to 0 or 1, different for every example. Output: the diagonal again.",
)

right = (output.argmax(1) == torch.arange(8)).float().mean().item()
distances = torch.cdist(h, h) + 10 * torch.eye(8)
print(
    f"{right:.0%} of the examples come back; the two most similar codes are {distances.min():.2f} apart"
)
assert right == 1 and distances.min() > 0.3, (
    "all eight should come back, from eight different codes"
)

# %% [markdown]
# Most people think of binary numbers: 000, 001, 010, … The network was told nothing about binary
# numbers, and found almost the same. Three neurons that are on or off have $2^3 = 8$ states, which
# is just enough. Some of its values lie between 0 and 1, since nothing asks it to be tidy. What
# matters is that all eight codes differ.
#
# So the bottleneck forces the network to *find a description*. That is why we care about something
# that only copies.

# %% [markdown]
# ## 5 · A first autoencoder for real digits
#
# Now the question from the beginning. We squeeze pictures of digits, 784 numbers each, through
# **two** neurons. The network does not get the labels. It does not even know that there are ten
# kinds.
#
# Two things are new. First, pictures are shown in small groups, called **batches**. After each
# batch there is a step. One pass over all pictures is an **epoch**. Many quick steps on noisy
# slopes bring us down faster than few steps on exact ones. Second, the hidden layers use `ReLU`,
# $\max(0, a)$, in place of the logistic function. It does not go flat on both sides, so slopes do
# not die out on their way through several layers. (Remember the plains.) The last layer keeps the
# logistic function: pixels lie between 0 and 1.
#
# The loss is the squared error **summed over the pixels of a picture**, then averaged over the
# batch. All of this course keeps to that: one number per image.

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
    """Squared error per image, summed over its pixels, averaged over the images."""
    return (autoencoder(images) - images).square().flatten(1).sum(1).mean()


pictures = (
    train_set.subset(slice(0, 10_000)).to(device)
    if len(train_set) > 10_000
    else train_set.to(device)
)
held_out = valid_set.floats.to(device)
epochs = 200_000 // len(pictures)
optimizer = torch.optim.Adam(autoencoder.parameters(), lr=1e-3)
train_errors, valid_errors = [], []
for epoch in range(epochs):
    total = 0.0
    for images, _ in pictures.batches(
        128, shuffle=True, seed=epoch
    ):  # _ : the labels, which we ignore
        loss = reconstruction_error(images)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(images)
    train_errors.append(total / len(pictures))
    with torch.no_grad():
        valid_errors.append(reconstruction_error(held_out).item())
print(
    f"after {epochs} epochs: {train_errors[-1]:.1f} on training digits, {valid_errors[-1]:.1f} on held-out ones"
)

# %%
figure, ax = plt.subplots(figsize=(7, 3.6))
ax.plot(
    range(1, epochs + 1), train_errors, color=plots.COLORS[1], label="digits it learns from"
)
ax.plot(
    range(1, epochs + 1),
    valid_errors,
    color=plots.COLORS[4],
    linestyle="--",
    label="held-out digits",
)
ax.set(
    title="The first autoencoder learns",
    xlabel="epoch",
    ylabel="squared error per image",
    ylim=(0, None),
)
ax.legend()
plots.show(
    figure,
    alt="Two falling curves of the squared error per image against the epoch. The curve for training digits goes on "
    "falling; the one for held-out digits flattens above it.",
)

# %% [markdown]
# Why two curves? A network with this many weights can learn some training pictures almost by heart.
# Then it is good at those and at nothing else. This is called **overfitting**. Digits that it never
# trained on show what it really understood. The gap between the two curves is what it learnt by
# heart. Every number that we quote from here on is for held-out pictures, unless it says otherwise.
#
# What comes back, after squeezing a picture through two numbers?

# %%
examples = valid_set.subset(
    [int((valid_set.labels == d).nonzero()[0]) for d in range(10)]
).floats
with torch.no_grad():
    rebuilt = autoencoder(examples.to(device)).cpu()
plots.show(
    plots.image_rows(
        {"input": examples, "output": rebuilt},
        "Ten held-out digits, before and after the bottleneck",
    ),
    alt="Ten handwritten digits above their reconstructions. Most reconstructions are blurred but the right "
    "digit; some turned into another digit that looks alike.",
)

mean_image = pictures.floats.mean(0, keepdim=True)
baseline = (held_out - mean_image).square().flatten(1).sum(1).mean().item()
print(
    f"squared error per image: {valid_errors[-1]:.1f}; if every output were the mean digit: {baseline:.1f}"
)
assert valid_errors[-1] < 0.8 * baseline, (
    "two numbers should say clearly more than the mean picture"
)

# %% [markdown]
# They are blurred, and some turned into a different digit that looks alike. But think of what
# happened: 784 numbers became two, and from these two most pictures can be recognised.
#
# **Predict.** Two numbers are a point on a sheet of paper. We draw one point for each held-out
# digit, and colour it by its label, which the network never saw. Will the colours be mixed like
# confetti, or will there be order?

# %%
with torch.no_grad():
    codes = encoder(held_out).cpu()
plots.show(
    plots.latent_map(
        codes,
        valid_set.labels,
        valid_set.label_names,
        "Each held-out digit as a point: its two-number code",
    ),
    alt="Scatter plot of two-dimensional codes, coloured by digit. Each digit has its own region, often a ray "
    "or a patch; ones and zeros lie far apart, while fours and nines overlap.",
)

# %% [markdown]
# There is order. Zeros and ones have corners of their own. Digits that look alike, such as 4, 7 and
# 9, are neighbours and overlap, and the middle is crowded: two numbers are few. Nobody told the
# network about digits. It found out that pictures come in kinds, because that is the cheapest way
# to describe them.
#
# How much order? Here is a simple measure. For each held-out digit, find the five training digits
# whose codes are nearest, and let them vote. If the codes said nothing about the digit, the vote
# would be right one time in ten.

# %%
with torch.no_grad():
    known = encoder(pictures.floats).cpu()
nearest = torch.cdist(codes, known).topk(5, largest=False).indices
vote = pictures.labels.cpu()[nearest].mode(1).values
accuracy = (vote == valid_set.labels).float().mean().item()
print(
    f"the five nearest codes name {accuracy:.0%} of the held-out digits; chance would be 10%"
)
assert accuracy > 0.45, "the code should tell much about the digit"

# %% [markdown]
# ## Summary
#
# - A **neuron** weighs its inputs, adds them up, and squashes the sum: $o = \varphi(\sum_i x_i
#   w_i)$. The steepness $\beta$ turns a gentle slope into a switch.
# - **Gradient descent** walks down the loss, step by step. The **learning rate** must be neither
#   too small nor too large.
# - A **hidden layer** adds steps up to any curve.
# - An **autoencoder** is a network whose target is its input. Its **encoder** makes a **code**, and
#   its **decoder** makes the input again from the code.
# - The **bottleneck** is what makes it interesting. To pass it, the network has to find a short
#   description, and that description shows what the data are like.
#
# ## What to read
#
# - D. Rumelhart, G. Hinton, R. Williams, [Learning representations by back-propagating
#   errors](https://doi.org/10.1038/323533a0) (1986): four pages that started it all, and still
#   readable.
# - D. Ackley, G. Hinton, T. Sejnowski, [A learning algorithm for Boltzmann
#   machines](https://doi.org/10.1207/s15516709cog0901_7) (1985): where the "encoder problem" comes
#   from, our eight inputs and three neurons.
# - M. Nielsen, [Neural Networks and Deep Learning](http://neuralnetworksanddeeplearning.com),
#   chapters 1 and 4: neurons, and a visual proof that they can fit any function.
# - G. Hinton, R. Salakhutdinov, [Reducing the dimensionality of data with neural
#   networks](https://doi.org/10.1126/science.1127647) (2006): the paper that made autoencoders
#   famous, with a digit map like ours.
#
# **Next:** lesson 02, Dimensionality reduction. How well could we do *without* neurons? A method
# from 1901 is the yardstick.
