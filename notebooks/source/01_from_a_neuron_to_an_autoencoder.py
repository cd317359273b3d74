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
# **It builds on** school mathematics (functions, derivatives) and a little Python. You need not
# know PyTorch, the library that we calculate with. A **tensor** is its array of numbers. What else
# we need of it is said where it first appears.
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
seed_everything(1)  # the same random numbers in every run
device = pick_device()  # the graphics card (GPU) if there is one to use, else the CPU

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
# this neuron is rather awake. (`.sum(-1)` adds along the last axis of a tensor, so the same line
# works for one neuron's inputs or for a whole table of them.)
#
# **Predict.** What does the curve $\varphi$ look like when $\beta$ is tiny? And when it is huge?
# Guess, then run the cell and drag the slider.


# %%
def draw_logistic(beta):
    """The logistic function for one steepness, over two others for comparison."""
    a = torch.linspace(-6, 6, 400)
    figure, ax = plt.subplots(figsize=(6.5, 3.6))
    # a[:, None] makes a table of a: 400 rows, each with the one input of a neuron.
    for other, style in ((0.2, ":"), (20, "--")):
        phi = neuron(a[:, None], torch.ones(1), other)
        ax.plot(a, phi, color="0.6", linestyle=style, label=f"β = {other:g}")
    phi = neuron(a[:, None], torch.ones(1), beta)
    ax.plot(a, phi, color=plots.COLORS[1], linewidth=3, label=f"β = {beta:.1f}")
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
# There is a catch. The switch is always at zero. How can a neuron fire only above 5, say? It gets
# one more input that is always 1. Its weight, called the **bias** $b$, shifts the switch:
# $\varphi(wx + b)$ switches where $wx + b = 0$, so at $x = -b/w$. With $w > 0$ it fires above that
# place.
#
# And $\beta$? Doubling $\beta$ does the same as doubling all weights. A neuron that may choose its
# weights can make itself steep. So from here on $\beta = 1$, as in most of the literature. (The
# letter returns in lessons 07 and 08 with another job.)

# %% [markdown]
# ### Your turn 1 · A neuron of your own
#
# Write the neuron yourself, without looking at the cell above: inputs `x` and weights `w` are
# tensors of the same length, `beta` is a number, and the output is one number. Use `torch.exp` for
# the exponential. Write in place of the dots and run the cell. It says whether you are right, or
# what is probably wrong. The solution is folded below it.


# %% tags=["exercise"]
def my_neuron(x, w, beta):
    output = ...  # your code here
    return output


checks.neuron(my_neuron)


# %% tags=["solution"]
def my_neuron(x, w, beta):
    weighted_sum = (x * w).sum()
    return 1 / (1 + torch.exp(-beta * weighted_sum))


# %% [markdown]
# ### Your turn 2 · A neuron that says "and"
#
# Each of two inputs is either 0 or 1. Find three weights so that a neuron with $\beta = 1$ fires
# (output above 0.9) if **both** inputs are 1, and keeps quiet (output below 0.1) otherwise. The
# first two weights belong to the inputs, the third is the bias. Paper and pencil are a good start.
# Where should the switch be? And how do the weights make it steep?

# %% tags=["exercise"]
my_weights = torch.tensor([0.0, 0.0, 0.0])  # your weights here

checks.and_neuron(my_weights)

# %% tags=["solution"]
# One input alone gives 10 − 15 = −5: quiet. Both give 20 − 15 = +5: firing.
my_weights = torch.tensor([10.0, 10.0, -15.0])

# %% [markdown]
# ## 2 · A neuron learns
#
# You just found weights by thinking. Nobody can do that for a million weights. A **network**, many
# neurons together, finds them itself, from examples. Here is a real task, small enough to see
# everything: tell a handwritten **7** from a handwritten **2** by one number, the amount of ink.
# The digits come from **MNIST**, 70,000 digits that were collected in the United States in the
# 1990s, each with its **label**: which digit it is. The line that the cell prints says how many of
# them are used here. Some are **held out**: no network learns from them, so that they can be used
# to examine it.

# %%
train_set, valid_set, test_set = (
    load_digits(split) for split in ("train", "valid", "test")
)
print(
    f"{len(train_set):,} to learn from; held out: {len(valid_set):,} to watch, {len(test_set):,} to test"
)

# .subset picks some of the digits; .floats gives their pixels as numbers from 0 to 1.
sevens = train_set.subset(train_set.labels == 7)
twos = train_set.subset(train_set.labels == 2)
plots.show(
    plots.image_rows(
        {"sevens": sevens.floats[:10], "twos": twos.floats[:10]}, "Ten sevens and ten twos"
    ),
    alt="Two rows of handwritten digits: ten sevens, and ten twos, which mostly take more ink.",
)

# %% [markdown]
# Each digit is a picture of 28 × 28 **pixels** (dots). Each pixel is a number from 0 (black, no
# ink) to 1 (white, full ink). So a picture is 784 numbers. Their mean is the ink. We scale it so
# that over all sevens and twos its mean is 0 and its spread (standard deviation) is 1, and give it
# to the neuron as $x$. From the neuron we want $o = 0$ for a seven and $o = 1$ for a two. One
# number will not tell all of them apart. We want the best that it can do.
#
# How wrong is the neuron? For every picture we take the squared difference between the output $o$
# and the wanted answer $t$ (the **target**), and then the mean over all pictures. This is the
# **loss**:
#
# $$ L(w, b) = \frac1N \sum_{n=1}^N (o_n - t_n)^2, \qquad o_n = \varphi(w x_n + b) $$
#
# Here is a yardstick. A neuron that always says one half is wrong by one half for every picture, so
# its loss is $(\tfrac12)^2 = 0.25$.
#
# Learning means: find $w$ and $b$ with a small loss. There are only two numbers, so we can draw the
# loss for every pair of them, like a map of a landscape. The height is the loss.

# %%
ink = torch.cat([sevens.floats, twos.floats]).mean(dim=(1, 2, 3))  # over all pixels
ink = (ink - ink.mean()) / ink.std()
target = torch.cat([torch.zeros(len(sevens)), torch.ones(len(twos))])


def loss_of(w, b):
    """Mean squared error of the neuron, for one pair or a whole grid of weights and biases."""
    # [..., None] adds an axis at the end, for the pictures. torch.sigmoid is φ with β = 1.
    output = torch.sigmoid(w[..., None] * ink + b[..., None])
    return (output - target).square().mean(-1)


w_axis, b_axis = torch.linspace(-4, 9, 90), torch.linspace(-5, 5, 80)
b_grid, w_grid = torch.meshgrid(b_axis, w_axis, indexing="ij")  # every pair of the two
landscape = loss_of(w_grid, b_grid)

# %% [markdown]
# Suppose you stand somewhere in this landscape, in thick fog. You want to go down. You feel with
# your foot which way the ground falls, take a step that way, and feel again. That is **gradient
# descent**. The **gradient** is the list of slopes, one for each weight. We step against it:
#
# $$ w \leftarrow w - \eta \, \frac{\partial L}{\partial w}, \qquad b \leftarrow b - \eta \, \frac{\partial L}{\partial b} $$
#
# Here $\partial L / \partial w$ is the slope of $L$ if only $w$ changes and $b$ stays. The number
# $\eta$ ("eta") is the **learning rate**. It says how far to step. The slopes follow from the chain
# rule. For one picture, and with $\varphi' = \varphi (1 - \varphi)$,
#
# $$ \frac{\partial}{\partial w} (o - t)^2 = 2 (o - t) \cdot o (1 - o) \cdot x $$
#
# Read it aloud: how wrong am I, times how undecided am I, times how strong was this input. We need
# not do it by hand. PyTorch records every operation and applies the chain rule for us:
# `backward()`.
#
# **Predict.** Below, three walkers start at the same spot and take 60 steps each. Their learning
# rates are 0.3, 10 and 100. Who gets to the bottom? What happens to the other two?


# %%
def descend(learning_rate, steps=60):
    """The path (steps + 1, 2) of gradient descent from (w, b) = (-2, 2)."""
    # requires_grad: PyTorch is to record what we do with it.
    position = torch.tensor([-2.0, 2.0], requires_grad=True)
    path = [position.detach().clone()]  # a copy that PyTorch does not record
    for _ in range(steps):
        loss = loss_of(position[0], position[1])
        loss.backward()  # computes the slopes and puts them into position.grad
        with torch.no_grad():  # the step itself is not to be recorded
            position -= learning_rate * position.grad
        position.grad = None  # forget the slopes, or the next ones would be added to them
        path.append(position.detach().clone())
    return torch.stack(path)


paths = {rate: descend(rate) for rate in (0.3, 10, 100)}
heights = {rate: loss_of(path[:, 0], path[:, 1]) for rate, path in paths.items()}
valley = landscape.min()
for rate, height in heights.items():
    print(f"η = {rate:5g}: mean loss over the last 30 steps {height[-30:].mean():.3f}")
always_half = loss_of(torch.tensor(0.0), torch.tensor(0.0))
print(
    f"lowest on the map: {valley:.3f}; a neuron that always says one half: {always_half:.3f}"
)
assert heights[10][-30:].mean() < 1.02 * valley, "the middle rate should find the valley"
assert heights[0.3][-1] > 1.5 * valley, "the small one should still be on its way"
assert heights[100][-30:].mean() > 1.05 * valley, "the large one should not settle"

# %% [markdown]
# The next cell only draws: the three walks on the map, and below them how high each walker stands.

# %%
figure, axes = plt.subplot_mosaic(
    [["0.3", "10", "100"], ["loss"] * 3], figsize=(10.5, 6.4), height_ratios=[3, 2]
)
everywhere = torch.cat(list(paths.values()))
low, high = everywhere.amin(0) - 1, everywhere.amax(0) + 1
w_axis = torch.linspace(low[0].item(), high[0].item(), 120)
b_axis = torch.linspace(low[1].item(), high[1].item(), 120)
b_grid, w_grid = torch.meshgrid(b_axis, w_axis, indexing="ij")
landscape = loss_of(w_grid, b_grid)  # again, for the part in which they walked
colors = {0.3: plots.COLORS[1], 10: plots.COLORS[0], 100: plots.COLORS[4]}
for rate, path in paths.items():
    ax = axes[str(rate)]
    filled = ax.contourf(w_axis, b_axis, landscape, levels=20, cmap="Greys_r", alpha=0.6)
    ax.plot(*path.T, color=colors[rate], marker=".", linewidth=1.2)
    ax.plot(*path[0], "*", color="#E69F00", markersize=16, markeredgecolor="black")
    ax.set(title=f"learning rate η = {rate:g}", xlabel="weight w")
    axes["loss"].plot(heights[rate], color=colors[rate], linewidth=2, label=f"η = {rate:g}")
axes["0.3"].set_ylabel("bias b")
figure.colorbar(filled, ax=[axes[str(rate)] for rate in paths], label="loss (dark is low)")
axes["loss"].set(
    title="How high they stand",
    xlabel="step",
    ylabel="loss (mean squared error)",
    ylim=(0, 0.6),
)
axes["loss"].legend(ncols=3)
plots.show(
    figure,
    alt="Three maps of the loss over weight and bias with a dark valley, each with a walk from the same star. At "
    "learning rate 0.3 the walk is short; at 10 it goes straight to the valley and stays; at 100 it jumps far over "
    "the valley again and again. Below, their losses: one falls slowly, one falls at once, one falls and jumps up.",
)

# %% [markdown]
# The careful walker (0.3) goes the right way, but hardly moves. The middle one (10) arrives soon
# and stays. The hasty one (100) jumps over the valley and lands far off, where the slopes are
# small. There it creeps back. As soon as the ground gets steep it jumps away again: a slow fall,
# then a spike, again and again. Keep this picture in mind. When a training goes wrong, in any
# network, the first suspect is a learning rate that is too small or too large.
#
# Why are the slopes small far from the valley? Out there the neuron is so sure of everything that
# $o(1 - o)$ is almost 0, and with it the slope. On such a plain, learning is slow even if every
# answer is wrong. And what did the middle walker learn?

# %%
w, b = paths[10][-1]
# The length of the gradient, .grad.norm(), is the slope in the steepest direction.
plain = torch.tensor([0.0, 8.0], requires_grad=True)
loss_of(plain[0], plain[1]).backward()
start = torch.tensor([-2.0, 2.0], requires_grad=True)
loss_of(start[0], start[1]).backward()
print(
    f"slope at the start: {start.grad.norm():.4f}; out on the plain, at w = 0, b = 8: {plain.grad.norm():.4f}"
)
answers = torch.sigmoid(w * ink + b) > 0.5
correct = (answers == (target == 1)).float().mean().item()
print(f"learnt: w = {w:.2f}, b = {b:.2f}; right for {correct:.0%} of the sevens and twos")
assert plain.grad.norm() < 0.1 * start.grad.norm(), "the plain should be flat"
assert w > 0 and 0.6 < correct < 0.9, "much ink should speak for a two, but not decide"

# %% [markdown]
# The weight is positive: much ink speaks *for* a two. Nobody said so. The neuron found it in
# examples. It is right more often than a coin, and far from perfect. One number is not enough.
#
# ### Your turn 3 · The slope by hand
#
# Write the slopes of $(o - t)^2$ with respect to all weights of a neuron with $\beta = 1$, for one
# example: `x` and `w` have the same length (there is no separate bias; `w` holds all weights), and
# `t` is the target. Return a tensor with one slope per weight. Use the formula above, not
# `backward()`.


# %% tags=["exercise"]
def my_gradient(x, w, t):
    slopes = ...  # your code here
    return slopes


checks.neuron_gradient(my_gradient)


# %% tags=["solution"]
def my_gradient(x, w, t):
    o = torch.sigmoid((x * w).sum())
    return 2 * (o - t) * o * (1 - o) * x


# %% [markdown]
# ## 3 · Several neurons fit a curve
#
# One neuron makes one step. But steps can be added. Take $H$ neurons that all look at the same
# input $x$, each with its own weight and bias. Multiply each output by a weight $v_j$, add them up,
# and add one more bias $c$:
#
# $$ f(x) = c + \sum_{j=1}^{H} v_j \, \varphi(w_j x + b_j) $$
#
# The neurons in the middle are called a **hidden layer**. Their outputs are neither the question
# nor the answer. `nn.Linear` is PyTorch's name for "weighted sums plus biases", for many neurons at
# once: `nn.Linear(1, 10)` takes 1 number and gives 10. `nn.Sigmoid` is our $\varphi$, and
# `nn.Sequential` means "one after the other". So the whole network is one line. Its weights start
# as random numbers, so the neurons differ before they have learnt anything.
#
# We show it points of a curve, with a little noise, and ask for the curve's height. Learning from
# examples with known answers is called **supervised** learning.
#
# An **optimizer** is the rule that turns slopes into steps. Here it is **Adam** (Kingma and Ba,
# 2015). It is gradient descent that keeps a separate step length for every weight, and remembers
# the direction of recent steps, like a ball that rolls. It forgives a learning rate that is not
# perfect, which makes it a common first choice.
#
# **Predict.** The curve below goes up, down, up, down and up again. Which network will follow it:
# the one with 1 hidden neuron, with 3, or with 10?


# %%
def small_network(hidden):
    """A network from one number to one number, with one hidden layer."""
    return nn.Sequential(nn.Linear(1, hidden), nn.Sigmoid(), nn.Linear(hidden, 1))


def train(network, inputs, targets, steps, learning_rate):
    """The loop behind most of this course. Returns the loss at each step."""
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
points = curve + 0.1 * torch.randn_like(curve)  # noise with a spread of 0.1

networks = {hidden: small_network(hidden) for hidden in (1, 3, 10)}
errors = {hidden: train(net, x, points, 1500, 0.03)[-1] for hidden, net in networks.items()}

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
assert errors[10] < 0.015, "what is left should be mostly the noise, 0.1² = 0.01"

# %% [markdown]
# One neuron is one step. Three do better, but the picture shows only two steps. A third could
# follow the dip at the left; training did not find it. Ten follow the whole wave, and what is left
# of their error is mostly the noise of the points, $0.1^2 = 0.01$.
#
# With enough hidden neurons, a network can follow any continuous curve on a finite stretch as
# closely as you like (Cybenko, 1989). That is a promise about what weights *exist*. Whether
# training finds them is another matter, and much of this course is about it.
#
# Look inside the largest one. Each thin line is one neuron's share, $v_j \varphi(w_j x + b_j)$.
# Each is a step, or a piece of one, up or down. (We shifted each to start at 0 on the left, to see
# them better.) Their sum is the wave.

# %%
first, _, last = networks[10]
with torch.no_grad():
    shares = torch.sigmoid(first(x)) * last.weight
    left_end = networks[10](x)[0]
figure, ax = plt.subplots(figsize=(7, 3.6))
ax.plot(x, points - left_end, ".", color="0.8", markersize=4, label="points shown")
ax.plot(x, shares - shares[0], color=plots.COLORS[6], linewidth=1)
ax.plot([], [], color=plots.COLORS[6], label="share of one hidden neuron")
ax.plot(
    x, (shares - shares[0]).sum(1), color=plots.COLORS[4], linewidth=3, label="their sum"
)
ax.set(
    title="Ten steps add up to a wave",
    xlabel="input x",
    ylabel="output, from 0 at the left",
)
ax.legend(loc="upper left", fontsize=9)
plots.show(
    figure,
    alt="Ten thin lines, steps or pieces of steps, some rising and some falling, and a thick wavy line, their sum, that runs through the points.",
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
# are the **code**, also called **embedding** or **latent code** ("latent" means hidden). What comes
# back is $\hat x$ ("x hat"). The narrow place is the **bottleneck**. The whole is an
# **autoencoder**.
#
# A classic example is from 1985. There are eight inputs. Exactly one is on at a time. In the middle
# there are three neurons.
#
# **Predict.** Eight things, told apart by three neurons whose outputs lie between 0 and 1. Which
# code would *you* invent?

# %%
eight = torch.eye(8)
encoder = nn.Sequential(nn.Linear(8, 3), nn.Sigmoid())
decoder = nn.Sequential(nn.Linear(3, 8), nn.Sigmoid())
train(nn.Sequential(encoder, decoder), eight, eight, steps=4000, learning_rate=0.03)

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
figure.colorbar(image, ax=axes, label="value", shrink=0.8)
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
patterns = {tuple(row) for row in (h > 0.5).int().tolist()}
print(f"{right:.0%} of the examples come back; rounded codes: {sorted(patterns)}")
assert right == 1 and len(patterns) == 8, "all eight should come back, from eight patterns"

# %% [markdown]
# Most people think of binary numbers: 000, 001, 010, … The network was told nothing about binary
# numbers. Rounded, its codes are the same eight patterns, in an order of its own. Three neurons
# that are on or off have $2^3 = 8$ states, which is just enough.
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
# Two things are new. First, pictures are shown in small groups, called **batches**, here of 128.
# After each batch there is a step. One pass over all pictures is an **epoch**. A slope from 128
# pictures is rough but cheap, so we can afford many more steps.
#
# Second, the hidden layers use `ReLU`, $\max(0, a)$, in place of the logistic function. It is flat
# on one side only, so slopes die out less easily on their way through several layers. (Remember the
# plain.) The two neurons of the code have neither, so a code number can be any number. The last
# layer keeps the logistic function, because pixels lie between 0 and 1. `Flatten` turns 28 × 28
# pixels into 784 numbers, and `Unflatten` turns them back.
#
# The loss is the squared error **summed over the pixels of a picture**, then averaged over the
# batch. The whole course does the same: one number per image.
#
# The cell shows about 200,000 pictures to the network, which takes some seconds. Watch the error:
# it falls fast at first, then slowly.

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


pictures = train_set.subset(slice(0, 10_000)).to(device)
held_out = valid_set.floats.to(device)
epochs = 200_000 // len(pictures)
optimizer = torch.optim.Adam(autoencoder.parameters(), lr=1e-3)
train_errors, valid_errors = [], []
for epoch in range(epochs):
    total = 0.0
    for images, _ in pictures.batches(128, shuffle=True, seed=epoch):  # _ : labels, unused
        loss = reconstruction_error(images)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(images)
    train_errors.append(total / len(pictures))
    with torch.no_grad():
        valid_errors.append(reconstruction_error(held_out).item())
    line = f"epoch {epoch + 1}/{epochs}: squared error per image {train_errors[-1]:.1f}"
    print(f"{line} on training digits, {valid_errors[-1]:.1f} on held-out ones", end="\r")

# %%
figure, ax = plt.subplots(figsize=(7, 3.6))
shown = range(1, epochs + 1)
ax.plot(shown, train_errors, color=plots.COLORS[1], label="digits it learns from")
ax.plot(shown, valid_errors, color=plots.COLORS[4], linestyle="--", label="held-out digits")
ax.set(
    title="The first autoencoder learns",
    xlabel="epoch",
    ylabel="squared error per image",
    ylim=(train_errors[-1] - 3, valid_errors[0] + 2),
)
ax.legend()
plots.show(
    figure,
    alt="Two falling curves of the squared error per image against the epoch. At the very beginning the curve for "
    "held-out digits is the lower one. After some epochs they cross, and it flattens above the one for training digits.",
)
weights = sum(p.numel() for p in autoencoder.parameters())
gap = valid_errors[-1] - train_errors[-1]
print(f"{weights:,} weights; gap between held-out and training digits: {gap:.1f} per image")
assert gap > 0, "the network should do better on the digits that it learns from"

# %% [markdown]
# Why two curves? A network with so many weights can learn details of single training pictures by
# heart. Then it does better on them than on new digits. This is called **overfitting**, and the gap
# between the curves measures it. (At the very beginning held-out digits can be ahead, with the
# training curve still above the top of the figure. The training error is averaged while the weights
# change; the held-out error is measured after the epoch.)
#
# We watched the held-out digits of the *validation* set during training. From here on we use a
# third set, the **test set**, which was not looked at so far. What counts is what a network does
# with pictures that nobody used to build it.
#
# What comes back, after squeezing a picture through two numbers?

# %%
tests = test_set.floats.to(device)
first_of_each = [int((test_set.labels == digit).nonzero()[0]) for digit in range(10)]
examples = test_set.floats[first_of_each]
with torch.no_grad():
    rebuilt = autoencoder(examples.to(device)).cpu()
plots.show(
    plots.image_rows(
        {"input": examples, "output": rebuilt},
        "Ten test digits, before and after the bottleneck",
    ),
    alt="Ten handwritten digits above their reconstructions. Many reconstructions are blurred "
    "versions of the input; some are another digit or a blur without shape.",
)

with torch.no_grad():
    test_error = reconstruction_error(tests).item()
mean_image = pictures.floats.mean(0, keepdim=True)
baseline = (tests - mean_image).square().flatten(1).sum(1).mean().item()
print(f"squared error per test image: {test_error:.1f}")
print(f"the same if every output were the mean of all digits: {baseline:.1f}")
assert test_error < 0.8 * baseline, "two numbers should say more than the mean picture"

# %% [markdown]
# All have lost detail. Some came back as another digit, or as a blur. Still, the error is clearly
# below that of an output that never changes, the mean of all digits. And 784 numbers became two.
# How much do the two still tell?
#
# **Predict.** Two numbers are a point on a sheet of paper. We draw one point for each test digit.
# Ten copies of the sheet each highlight one digit, by its label, which the network never saw. Will
# the highlighted points be spread like confetti, or will there be order?

# %%
with torch.no_grad():
    codes = encoder(tests).cpu()
figure, axes = plt.subplots(2, 5, figsize=(10.5, 4.8), sharex=True, sharey=True)
for digit, ax in enumerate(axes.flat):
    chosen = test_set.labels == digit
    ax.plot(*codes.T, ".", color="0.85", markersize=3)
    ax.plot(*codes[chosen].T, ".", color=plots.COLORS[1], markersize=4)
    ax.set_title(f"digit {digit}")
figure.suptitle(
    "The two-number codes of all test digits (grey), one digit highlighted (blue)"
)
figure.supxlabel("first number of the code")
figure.supylabel("second number of the code")
plots.show(
    figure,
    alt="Ten copies of one scatter plot of codes, each with one digit in blue. Zeros and ones lie at different sides, "
    "apart from the rest; the others take up parts of the middle and overlap.",
)

# %% [markdown]
# There is order. Each digit keeps to a part of the sheet. Zeros and ones pull away to different
# sides; most others crowd together in the middle and overlap. Pictures that look alike tend to get
# neighbouring codes, and pictures of one digit often look alike.
#
# How much order is it? Here is a simple measure. For each test digit, find the five training digits
# whose codes are nearest, and let their labels vote. If the codes said nothing about the digit, the
# vote would be right one time in ten. For comparison we let the nearest *pictures* vote, with all
# 784 numbers.


# %%
def vote(known, unknown):
    """How often the five nearest training digits name the right test digit."""
    nearest = torch.cdist(unknown, known).topk(5, largest=False).indices
    votes = pictures.labels.cpu()[nearest].mode(1).values
    return (votes == test_set.labels).float().mean().item()


with torch.no_grad():
    known_codes = encoder(pictures.floats).cpu()
by_code = vote(known_codes, codes)
by_pixels = vote(pictures.floats.flatten(1).cpu(), test_set.floats.flatten(1))
print(
    f"right by 2 code numbers: {by_code:.0%}; by 784 pixels: {by_pixels:.0%}; by chance: 10%"
)
zero, one = (codes[test_set.labels == digit].median(0).values for digit in (0, 1))
spread = codes.std(0).norm()
assert 0.45 < by_code < by_pixels - 0.1, "the codes should tell much, and the pixels more"
assert (zero - one).norm() > spread, "zeros and ones should lie far apart"

# %% [markdown]
# The codes name the digit several times as often as chance, and no label took part in making them.
# The pixels do it far more often: much of what tells digits apart was lost in the bottleneck.
# Lesson 03 measures what a wider one keeps.
#
# ## Summary
#
# - A **neuron** weighs its inputs, adds them up, and squashes the sum:
#   $o = \varphi(\sum_i x_i w_i)$. The steepness $\beta$ turns a gentle slope into a switch.
# - **Gradient descent** walks down the loss, step by step. The **learning rate** must be neither
#   too small nor too large.
# - A **hidden layer** adds up steps. Enough of them can follow any continuous curve.
# - An **autoencoder** is a network whose target is its input. Its **encoder** makes a **code**, and
#   its **decoder** makes the input again from the code.
# - The **bottleneck** is what makes it interesting. To pass it, the network has to find a short
#   description, and that description can show which examples are alike.
# - Can two numbers describe a digit? In part: far better than chance, and far worse than all 784
#   pixels.
#
# ## What to read
#
# - D. Rumelhart, G. Hinton, R. Williams, [Learning representations by back-propagating
#   errors](https://doi.org/10.1038/323533a0) (1986): the four pages that made back-propagation (the
#   chain rule, layer by layer) widely known, and still readable.
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
