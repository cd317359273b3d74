# %% [markdown]
# # Deeper · True or false?
#
# Ten sentences that one reads and hears about autoencoders, in blogs, in talks, and in examinations. Some are true, some are false, and
# some are half of each. Decide first, if possible aloud and with a reason, then look at the measurement below the sentence, and then open
# the answer. All measurements use the VAE for digits that the course ships, and test digits in black and white.

# %%
import copy
import io
import math

import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.decomposition import PCA

from vae_helpers import evaluate, losses, plots
from vae_helpers.checkpoints import load_pretrained
from vae_helpers.data import load_digits, render_letters
from vae_helpers.device import pick_device, seed_everything

plots.use_course_style()
device = pick_device()

# %%
train_grey = load_digits("train").subset(slice(0, 3_500)).to(device)
train_set = train_grey.binarized()
test_grey = load_digits("test")
test_grey = test_grey.subset(slice(None, None, len(test_grey) // 1_000)).to(device)
images = test_grey.binarized().floats
vae = load_pretrained("digits").to(device).requires_grad_(False)
judge = load_pretrained("digit_classifier").to(device).requires_grad_(False)
seed_everything(0)
mean, log_var = vae.encode(images)
codes = vae.reparameterize(mean, log_var)
train_codes = vae.reparameterize(*vae.encode(train_set.floats))
real = judge.features(test_grey.floats)


def from_digits(pictures):
    """The Fréchet distance of pictures from real digits, by a classifier: less is better."""
    return evaluate.frechet_distance(judge.features(pictures), real)


# %% [markdown]
# ## 1 · “The latent space is the distribution.”
#
# The cell draws codes from three distributions, and gives all of them to the same decoder.

# %%
noise = torch.randn_like(codes)
some = train_codes[torch.randperm(len(train_codes))[: len(codes)]]
seen = {}
for name, z in {"N(0, I)": noise, "N(0, 2²I)": 2 * noise, "codes of digits": some}.items():
    seen[name] = from_digits(vae.decode(z))
    print(f"{name:16} distance of the pictures from real digits: {seen[name]:6.1f}")

# %% tags=["claim"]
assert seen["codes of digits"] < seen["N(0, I)"] < seen["N(0, 2²I)"]
assert seen["N(0, 2²I)"] > 2 * seen["N(0, I)"], "the distribution should matter"

# %% [markdown]
# <details><summary>Answer</summary>
#
# **False.** The latent space is only a *space*: all lists of 32 numbers. Many distributions live on it. The **prior** $p(z)$ is the one from
# which we sample, $q(z \mid x)$ is the small cloud of one picture, and all these clouds together are the **aggregate posterior** $q(z)$. Same space, same
# decoder, and yet three different crowds of pictures. ([Lesson 07](../07_the_vae_piece_by_piece.ipynb), sections 2 to 4)
#
# </details>
#
# ## 2 · “First the encoder is trained; then one samples from it.”
#
# We fill the weights of a copy's encoder with random numbers, and draw samples from both models.

# %%
broken = copy.deepcopy(vae)
for weights in broken.encoder.parameters():
    weights.normal_()
samples = []
for model in (vae, broken):
    seed_everything(1)
    samples.append(model.sample(100))
difference = (samples[0] - samples[1]).abs().max().item()
print(f"largest difference of a pixel in 100 samples: {difference:g}")

# %% tags=["claim"]
assert difference == 0, "sampling should not use the encoder"

# %% [markdown]
# <details><summary>Answer</summary>
#
# **False, twice.** Encoder and decoder are trained together, by one loss, because neither has anything to aim at without the other. And
# samples come from the prior through the *decoder*; the encoder may be nonsense by then, and no pixel changes. It has done its work during
# training: without its good guesses the decoder would never have learnt which code means what.
# ([Lesson 07](../07_the_vae_piece_by_piece.ipynb), section 3)
#
# </details>
#
# ## 3 · “The KL makes the codes Gaussian.”
#
# We describe the codes of *training* digits by ten Gaussians, one for each digit, and ask how much better than the prior they predict the codes
# of *test* digits. Were these codes distributed like the prior, nothing could predict them better, on average, than the prior itself.

# %%
by_digit = []
for digit in range(10):
    cloud = train_codes[train_set.labels == digit]
    # Half of each covariance is its diagonal alone: 350 codes are few for a full one.
    spread = 0.5 * (torch.cov(cloud.T) + torch.diag(cloud.var(0)))
    gaussian = torch.distributions.MultivariateNormal(cloud.mean(0), spread)
    by_digit.append(gaussian.log_prob(codes))
by_mixture = torch.stack(by_digit).logsumexp(0) - math.log(10)
by_prior = torch.distributions.Normal(0, 1).log_prob(codes).sum(1)
lead = by_mixture - by_prior
better, unsure = lead.mean().item(), lead.std().item() / len(lead) ** 0.5
rate = losses.kl_divergence(mean, log_var).mean().item()
width = codes.std(0)
print(f"the ten Gaussians predict better than N(0, I) by {better:.2f} ± {unsure:.2f} nats")
print(f"the KL in the loss: {rate:.1f} nats per image")
print(f"standard deviation of each number: {width.min():.2f} to {width.max():.2f}")

# %% tags=["claim"]
assert better > 4 * unsure, f"q(z) should not be the prior: {better} ± {unsure}"
assert better < rate / 4, "most of the rate should be information about the picture"
assert 0.8 < width.min() and width.max() < 1.2, "number by number it looks fine"

# %% [markdown]
# <details><summary>Answer</summary>
#
# **False, though here it is near the truth.** The cloud of *one* picture is Gaussian because we built the encoder that way; no KL is needed for it. What
# the KL does is to pull every cloud towards the prior, against a reconstruction that wants the clouds apart. All clouds *together* have about
# the right width in every number, and yet they are not the prior: the lead of the ten Gaussians is a lower bound of
# $D_{KL}(q(z) \,\|\, p(z))$, small for this well-trained model, but many times its standard error. Most of the KL in the loss is something else, namely what a
# code tells about its picture. For faces the difference is large and spoils the samples, and a mixture mends it
# ([lesson 10](../10_a_vae_for_faces.ipynb), sections 5 and 6).
#
# </details>
#
# ## 4 · “Some numbers of a code can be thrown away for free.”
#
# We set all numbers of the code to 0 whose rate is below 0.1 nats; and for comparison, as many of those with the highest rate.

# %%
rates = 0.5 * (mean.square() + log_var.exp() - log_var - 1).mean(0)
quiet = int((rates < 0.1).sum())
order = rates.argsort()
price, sets = {}, {"no": order[:0], "quiet": order[:quiet], "loud": order[32 - quiet :]}
for name, dropped in sets.items():
    z = codes.clone()
    z[:, dropped] = 0
    price[name] = losses.reconstruction_nll(vae.decode(z), images).mean().item()
    print(f"{name:5} numbers set to 0 ({len(dropped)}): distortion {price[name]:6.1f} nats")

# %% tags=["claim"]
assert quiet > 0 and abs(price["quiet"] - price["no"]) < 1
assert price["loud"] > price["no"] + 10

# %% [markdown]
# <details><summary>Answer</summary>
#
# **True**, for a VAE. A number that does not earn its KL is switched off: its cloud is the prior whatever the picture, and the decoder learns to
# ignore it. So the size of a VAE's code is an upper limit, and not a count of what is in it. A plain autoencoder pays nothing
# for its numbers and tends to use all. ([Lesson 08](../08_a_vae_for_handwritten_digits.ipynb), section 6; [Used units](08_used_units.ipynb))
#
# </details>
#
# ## 5 · “The samples that papers show are draws from the model.”
#
# The upper row is what `vae.sample` returns. For the lower row we have really drawn each pixel from $p(x \mid z)$.

# %%
seed_everything(3)
shown = vae.sample(8)
drawn = torch.bernoulli(shown)
between = ((shown > 0.1) & (shown < 0.9)).float().mean().item()
print(f"pixels between 0.1 and 0.9 in what is shown: {between:.0%}; in what is drawn: 0%")

# %% tags=["figure"]
# What is usually shown, and what the model really draws
plots.show(
    plots.image_rows(
        {"shown:\nthe means": shown, "drawn": drawn}, "Eight codes from the prior"
    ),
    alt="Two rows of eight digits. In the upper row their edges are soft and grey, in the lower row every pixel is black or white "
    "and the edges are ragged.",
)

# %% tags=["claim"]
assert between > 0.03 and ((drawn == 0) | (drawn == 1)).all()

# %% [markdown]
# <details><summary>Answer</summary>
#
# **Mostly false.** What we see are the *means* of $p(x \mid z)$, because they please the eye. A real draw draws the code *and* every
# pixel by itself, and neighbouring pixels do not agree on where an edge is. For a Gaussian $p(x \mid z)$ the same step would add grain to the whole
# picture. It is these ragged pictures, not the smooth ones, whose likelihood is measured in nats.
#
# </details>
#
# ## 6 · “A VAE's samples are blurry because of the Gaussian.”
#
# PCA is the best reconstruction that a *linear* decoder with a *Gaussian* likelihood can give ([Probabilistic PCA](02_probabilistic_pca.ipynb)). So
# we keep the Gaussian and change only how much the code may say. **Sharpness** is the sum of squared steps between neighbouring pixels.


# %%
def sharpness(pictures):
    return pictures.diff(dim=-1).square().flatten(1).sum(1).mean().item()


known, tested = (part.floats.flatten(1).cpu().numpy() for part in (train_grey, test_grey))
rows, sharp = {"the digits": test_grey.floats.cpu()}, {}
for k in (4, 32, 400):
    pca = PCA(k, random_state=0).fit(known)
    back = pca.inverse_transform(pca.transform(tested))
    rows[f"{k} numbers"] = torch.tensor(back).float().view_as(images).clamp(0, 1)
for name, pictures in rows.items():
    sharp[name] = sharpness(pictures)
    print(f"{name:12} sharpness {sharp[name]:5.1f}")
print(
    f"and this VAE's samples, with no Gaussian over pixels at all: {sharpness(vae.sample(1000)):.1f}"
)

# %% tags=["figure"]
# The same Gaussian likelihood, with codes of three sizes
plots.show(
    plots.image_rows(
        {n: p[60::120][:8] for n, p in rows.items()}, "One likelihood, three codes"
    ),
    alt="Four rows of eight digits: the originals, and reconstructions from 4, 32 and 400 numbers. The first are soft clouds, the second "
    "are readable with grey shadows, the last are almost the originals.",
)

# %% tags=["claim"]
assert (
    sharp["4 numbers"]
    < sharp["32 numbers"]
    < sharp["400 numbers"]
    <= 1.05 * sharp["the digits"]
)
assert (
    sharp["4 numbers"] < 0.4 * sharp["the digits"]
    and sharp["400 numbers"] > 0.85 * sharp["the digits"]
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# **False as it stands.** Every row has the same Gaussian, and the last one is sharp. Blur is an *average*: of all pictures that the
# code leaves possible, the decoder shows the mean. A Gaussian (a squared error) asks for that mean, but so does the Bernoulli of this very VAE. What decides is how much is
# left open, by a code that says too little, a decoder that is too weak, or a code from a place where no picture's cloud has been. So
# the cures are a better decoder, more levels of codes, or a loss that does not want the mean
# ([lesson 10](../10_a_vae_for_faces.ipynb), [Curing blur](10_curing_blur.ipynb)).
#
# </details>
#
# ## 7 · “An autoencoder compresses.”
#
# How many bits does a black-and-white digit take? Its pixels, the code as the computer stores it, all test digits in one PNG file, and
# the −ELBO, divided by log 2.

# %%
strip = (255 * images[:, 0].flatten(0, 1)).byte().cpu().numpy()
Image.fromarray(strip).convert("1", dither=0).save(
    file := io.BytesIO(), "PNG", optimize=True
)
nats = losses.negative_elbo(vae, images)["loss"]
bits = {
    "784 pixels, one bit each": 784,
    "32 numbers as float32": 32 * 32,
    "PNG": 8 * len(file.getvalue()) / len(images),
    "−ELBO": nats.mean().item() / math.log(2),
}
for name, number in bits.items():
    print(f"{name:26} {number:6.0f} bits per image")

# %% tags=["claim"]
assert bits["32 numbers as float32"] > 784 > bits["PNG"] > 1.5 * bits["−ELBO"]

# %% [markdown]
# <details><summary>Answer</summary>
#
# **It depends on what you count.** Fewer *numbers*, yes: 32 instead of 784. Fewer *bits*, no: stored as floats, the code is longer than the
# pixels were, and the reconstruction is not even exact. An autoencoder with a code larger than the picture does not even save numbers. For
# the VAE the sentence has an exact meaning, though. Its −ELBO is the length of a *lossless* message that a coder can come close to
# (“bits back”, Townsend, Bird and Barber, [2019](https://arxiv.org/abs/1901.04866)), and it is far shorter than PNG's, which knows nothing of digits.
#
# </details>
#
# ## 8 · “A lower loss means better pictures.”
#
# We build a model that is a bad joke: in 99 of 100 cases it shows pure noise, and otherwise what our VAE draws. Its loss can be computed, because
# $p(x) = 0.01 \, p_{\text{VAE}}(x) + 0.99 \cdot 2^{-784}$.

# %%
joke = -torch.logaddexp(
    math.log(0.01) - nats, torch.tensor(math.log(0.99) - 784 * math.log(2))
)
pictures = torch.bernoulli(torch.full((1000, 1, 28, 28), 0.5, device=device))
pictures[:10] = vae.sample(10)
joke_distance, joke_loss = from_digits(pictures), joke.mean().item()
print(
    f"our VAE:  loss {nats.mean():.1f} nats, distance of its samples {seen['N(0, I)']:.0f}"
)
print(f"the joke: loss {joke_loss:.1f} nats, distance of its samples {joke_distance:.0f}")

# %% tags=["claim"]
assert abs(joke_loss - nats.mean().item() - math.log(100)) < 0.1
assert joke_loss < 100, "a small dense VAE of lesson 09 should have more"
assert joke_distance > 10 * seen["N(0, I)"]

# %% [markdown]
# <details><summary>Answer</summary>
#
# **False.** The joke loses log 100 ≈ 4.6 nats and no more, so it still beats many an honest small VAE, such as those of
# [How sure is a number of nats?](09_how_sure_are_nats.ipynb), whose samples are far better. The reverse holds, too: a model that has learnt its training pictures by heart
# shows perfect samples, and has a terrible loss on test pictures. Nats, samples and useful codes are three different goals (Theis and
# others, [2016](https://arxiv.org/abs/1511.01844), from whom the joke is; [lesson 09](../09_is_my_vae_any_good.ipynb), section 7).
#
# </details>
#
# ## 9 · “What a model has never seen, it finds unlikely.”
#
# We show the model three things that were not in its training: digits of half the size (all of MNIST's have been scaled to one size), one straight line,
# drawn with a ruler, and capital letters, drawn by the course. How often is such a picture *less* likely than a test digit?

# %%
small = F.pad(F.avg_pool2d(test_grey.floats, 2), (7, 7, 7, 7))
line = torch.zeros(100, 1, 28, 28, device=device)
line[:, :, 4:24, 13:15] = 1
letters = render_letters(300, size=28).binarized().floats.to(device)
medians, found = {"test digits": nats.median().item()}, {}
for name, strange in {
    "half size": torch.bernoulli(small),
    "a line": line,
    "letters": letters,
}.items():
    cost = losses.negative_elbo(vae, strange)["loss"]
    medians[name] = cost.median().item()
    found[name] = (cost[:, None] > nats).float().mean().item()
    print(
        f"{name:10} {medians[name]:6.1f} nats; less likely than a digit: {found[name]:.0%}"
    )
print(f"digits     {medians['test digits']:6.1f} nats (median)")

# %% tags=["claim"]
assert found["a line"] < 0.05 and found["half size"] < 0.4 and found["letters"] > 0.6
assert (
    medians["a line"] < medians["half size"] < medians["test digits"] < medians["letters"]
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# **False.** Letters, as busy as digits, mostly cost more. But the line is more likely than nearly every digit, and small digits more often than not,
# because a simple picture has few pixels that could go wrong. Likely is not the same as typical.
# [Finding what does not belong](14_anomalies.ipynb) measures where this fools a detector of anomalies, and what helps.
#
# </details>
#
# ## 10 · “The encoder finds the best code of a picture.”
#
# We start at the encoder's mean and improve each code by gradient descent, with the decoder left as it is.

# %%
some = images[::40]
better_codes = evaluate.refine_codes(vae, some, steps=12)
error = [
    losses.squared_error(vae.decode(z), some).mean().item()
    for z in (mean[::40], better_codes)
]
print(
    f"squared error per image: {error[0]:.2f} from the encoder, {error[1]:.2f} after 12 steps"
)

# %% tags=["claim"]
assert error[1] < 0.97 * error[0]

# %% [markdown]
# <details><summary>Answer</summary>
#
# **False.** The encoder is one network that answers at once for any picture, and such an answer is rarely the best for each. What is lost is the
# **amortization gap** ([lesson 07](../07_the_vae_piece_by_piece.ipynb), section 4). It is the price of an answer in a millisecond, and where a single picture
# matters, some steps of descent win part of it back ([lesson 10](../10_a_vae_for_faces.ipynb), section 7).
#
# </details>
#
# ## How many?
#
# One sentence was true, one depends on what is counted, and the rest were false or nearly so. None of them is stupid: each is a true sentence that has lost
# half of itself on the way from a paper to a slide. When you meet the next one, ask what could be measured.
#
# Back to [lesson 14](../14_where_next.ipynb).
