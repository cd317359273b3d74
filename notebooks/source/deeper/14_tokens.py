# %% [markdown]
# # Deeper · Tokens
#
# A VAE's code is a list of real numbers. Language models read **tokens**, numbers of entries in a vocabulary, and are
# very good at guessing the next one. Can a digit be written in tokens? How many bits does it take then, and is that
# fewer than PNG needs? The answer has two networks: a **VQ-VAE** ([van den Oord, Vinyals and Kavukcuoglu,
# 2017](https://arxiv.org/abs/1711.00937)) makes the tokens, and a **prior** guesses them. You need [lesson
# 08](../08_a_vae_for_handwritten_digits.ipynb). This page belongs to [lesson 14](../14_where_next.ipynb).

# %%
import io
import math

import matplotlib.pyplot as plt
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from vae_helpers import losses, plots
from vae_helpers.data import load_digits
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.train import fit

plots.use_course_style()
device = pick_device()
train_set = load_digits("train").subset(slice(0, budget(cpu=3_500, gpu=20_000))).to(device)
test_set = load_digits("test")
test_set = test_set.subset(slice(None, None, len(test_set) // 1_000))
test_bw = test_set.binarized().floats.to(device)
K, DEPTH = 32, 8  # entries of the codebook, numbers of each

# %% [markdown]
# ## 1 · A codebook
#
# The encoder turns a digit into a map of 7 × 7 vectors of eight numbers each. A table, the **codebook**, has
# $K$ vectors of the same length. Each vector of the map is replaced by the nearest one of the table, and only the
# number of that entry is kept: 49 tokens from 0 to $K - 1$. The decoder looks the vectors up and paints the digit.
#
# To choose the nearest entry is a step without a slope, so no gradient passes. The **straight-through** trick pretends
# that it was not there: forwards the decoder gets the table's vector $e$, backwards the encoder's vector $z$ gets the
# gradient that was meant for $e$. In code that is `z + (e - z).detach()`, because `detach` makes a tensor a constant
# for the gradient. Two more terms keep both together: the entry moves to the vectors that chose it, and the vectors
# are held near their entry.


# %%
class VQVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            *(nn.Conv2d(1, 16, 4, stride=2, padding=1), nn.SiLU()),
            *(nn.Conv2d(16, 32, 4, stride=2, padding=1), nn.SiLU()),
            *(nn.Conv2d(32, DEPTH, 1), nn.BatchNorm2d(DEPTH)),  # (DEPTH, 7, 7), of size 1
        )
        self.decoder = nn.Sequential(
            *(nn.Conv2d(DEPTH, 32, 3, padding=1), nn.SiLU()),
            *(nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1), nn.SiLU()),
            nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
        )
        self.codebook = nn.Parameter(torch.randn(K, DEPTH))

    def tokens(self, z):
        """The nearest entry for each vector: (N, DEPTH, 7, 7) → (N, 7, 7)."""
        vectors = z.movedim(1, 3).flatten(1, 2)
        return torch.cdist(vectors, self.codebook).argmin(2).view(-1, 7, 7)

    def look_up(self, tokens):
        return self.codebook[tokens].movedim(3, 1)

    def forward(self, x):
        z = self.encoder(x).float()
        e = self.look_up(self.tokens(z))
        return z, e, self.decoder(z + (e - z).detach())


# %%
def vq_loss(model, images, labels):
    x = torch.bernoulli(images)
    z, e, logits = model(x)
    distortion = (
        F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)
    )
    moved = (e - z.detach()).square().flatten(1).sum(1)
    held = (z - e.detach()).square().flatten(1).sum(1)
    return {"loss": distortion + moved + 0.25 * held, "distortion": distortion}


# %% [markdown]
# The known illness of codebooks is **collapse**: entries that nobody chooses get no gradient and stay where they are.
# A simple medicine is to begin with vectors that the encoder really makes, and after each part of the training to put
# every unused entry onto a random one of them. The **perplexity** $e^H$ of the tokens, where $H$ is the entropy of
# their frequencies in nats, says how many entries are really in use: $K$ if all are chosen equally often, 1 if it is
# always the same one.


# %%
@torch.no_grad()
def tokens_of(model, x):
    return torch.cat([model.tokens(model.encoder(part)) for part in x.split(500)])


def perplexity(tokens):
    shares = torch.bincount(tokens.flatten(), minlength=K) / tokens.numel()
    return torch.special.entr(shares).sum().exp().item()


@torch.no_grad()
def revive(model, x, all_of_them=False):
    """Put unused entries of the codebook onto random vectors of the encoder."""
    vectors = model.encoder(x).movedim(1, 3).flatten(0, 2)
    counts = torch.bincount(tokens_of(model, x).flatten(), minlength=K)
    unused = (counts < 5) | all_of_them
    model.codebook[unused] = vectors[torch.randint(len(vectors), (int(unused.sum()),))]
    return int(unused.sum())


# %%
PARTS = budget(cpu=3, gpu=8)
trained, record = {}, {}
for name, medicine in (("with the medicine", True), ("without", False)):
    seed_everything(0)
    trained[name] = vqvae = VQVAE().to(device)
    for part in range(PARTS):
        if medicine:
            revive(vqvae, train_set.floats[:500], all_of_them=part == 0)
        fit(vqvae, train_set, vq_loss, epochs=3, batch_size=64, lr=5e-3, seed=part)
        test_tokens = tokens_of(vqvae, test_bw)
        record.setdefault(name, []).append(perplexity(test_tokens))

# %% tags=["figure"]
# Codebook use with and without reviving, and digits through 49 tokens
with torch.no_grad():
    rebuilt = {
        name: model(test_bw[::83][:12])[2].sigmoid() for name, model in trained.items()
    }
plots.show(
    plots.image_rows(
        {"test digits": test_bw[::83][:12], "from 49 tokens": rebuilt["with the medicine"]},
        "Black-and-white digits, and what comes back from 49 tokens",
    ),
    alt="Twelve black-and-white digits and below them smooth reconstructions of the same digits.",
)
distortions = {}
print(
    f"{'codebook':20}entries in use (perplexity, after each part)   distortion (nats per test image)"
)
for name, model in trained.items():
    with torch.no_grad():
        logits = model(test_bw)[2]
    distortions[name] = (
        losses.reconstruction_nll(logits.sigmoid(), test_bw, logits=logits).mean().item()
    )
    uses = " ".join(f"{use:6.1f}" for use in record[name])
    print(f"{name:20}{uses:>36}{distortions[name]:20.1f}")

# %% tags=["claim"]
with_it, without = record["with the medicine"][-1], record["without"][-1]
assert with_it > 1.3 * without and with_it > 0.4 * K, "revived entries should be used"
nats_with, nats_without = distortions.values()
assert nats_with < nats_without + 1 and nats_with < 70, "and should not cost anything"

# %% [markdown]
# The medicine works: far more entries are in use, and the reconstruction is no worse for it. Without it, a large part
# of the codebook is never touched again. Yet all $K$ entries are not used equally even now, because most of a digit
# is background, and background needs few words.
#
# ## 2 · A prior that guesses the next token
#
# Without any knowledge, 49 tokens cost $49 \log_2 K$ bits. But tokens are not independent: where nothing is written,
# the next token is most likely background, too. An **autoregressive** model writes the probability of the whole map as
# a product, $p(t_1)\, p(t_2 \mid t_1)\, p(t_3 \mid t_1, t_2) \cdots$, row by row. Ours looks at the 24 tokens that
# came before in a window of 7 × 7 around the place: three rows above, and three to the left. `F.unfold` cuts out all
# windows at once; what lies outside of the map gets a token of its own, number $K$.


# %%
def seen_before(tokens):
    """The 24 earlier neighbours of each place, (N, 7, 7) → (N, 49, 24)."""
    padded = F.pad(tokens[:, None].float(), (3, 3, 3, 3), value=K)
    return F.unfold(padded, 7)[:, :24].mT.long()


class Prior(nn.Module):
    def __init__(self, wide=128):
        super().__init__()
        self.entries = nn.Embedding(K + 1, 8)  # a vector for each token
        self.places = nn.Parameter(torch.zeros(49, wide))
        self.first = nn.Linear(24 * 8, wide)
        self.rest = nn.Sequential(
            nn.SiLU(), nn.Linear(wide, wide), nn.SiLU(), nn.Linear(wide, K)
        )

    def forward(self, tokens):
        """Logits of the token at each place, given the earlier ones: (N, 49, K)."""
        return self.rest(
            self.first(self.entries(seen_before(tokens)).flatten(2)) + self.places
        )


def nats(prior, tokens):
    """−log p of each map of tokens, (N,)."""
    return F.cross_entropy(prior(tokens).mT, tokens.flatten(1), reduction="none").sum(1)


# %%
vqvae = trained["with the medicine"]
STEPS = budget(cpu=600, gpu=4_000)
seed_everything(0)
train_tokens = tokens_of(vqvae, torch.bernoulli(train_set.floats))
prior = Prior().to(device)
optimizer = torch.optim.Adam(prior.parameters(), lr=3e-3)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=STEPS)
for _ in range(STEPS):
    chosen = torch.randint(len(train_tokens), (64,))
    loss = nats(prior, train_tokens[chosen]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()

# %% [markdown]
# **Predict.** Draw 49 tokens one after the other and decode them: digits? And if every token is drawn by itself, with
# its own frequency at its place?


# %%
@torch.no_grad()
def write(count):
    """Maps of tokens, drawn from the prior, place by place."""
    tokens = torch.zeros(count, 7, 7, dtype=torch.long, device=device)
    for place in range(49):
        probabilities = prior(tokens)[:, place].softmax(1)
        tokens[:, place // 7, place % 7] = torch.multinomial(probabilities, 1)[:, 0]
    return tokens


seed_everything(2)
shuffled = torch.stack(  # each place from another training digit
    [train_tokens.flatten(1)[torch.randperm(len(train_tokens))[:12], k] for k in range(49)],
    1,
).view(12, 7, 7)
with torch.no_grad():
    samples = vqvae.decoder(vqvae.look_up(write(24))).sigmoid()
    without_prior = vqvae.decoder(vqvae.look_up(shuffled)).sigmoid()

# %% tags=["figure"]
# Digits from tokens that the prior wrote, and from tokens drawn one by one
plots.show(
    plots.image_rows(
        {
            "by the prior": samples[:12],
            " ": samples[12:],
            "each place\nby itself": without_prior,
        },
        "49 tokens, written one after the other",
    ),
    alt="Two rows of digits that were written token by token, many of which can be read, and a row of strokes in pieces.",
)

# %% [markdown]
# ## 3 · Bits, and PNG
#
# A probability is a number of bits: an arithmetic coder needs $-\log_2 p$ of them, up to a bit or two for the whole
# file. So tokens and prior make a **file format**. First write the tokens, at the cost that the prior says. Then the
# digit itself, pixel by pixel, with the decoder's probabilities: this costs the distortion, and afterwards every pixel
# is exactly right. The sum is a **lossless** code, and can be compared with PNG, which is lossless, too. To be fair
# to PNG, we use its 1-bit form and its best setting, and put all digits into one tall picture, so that its header is
# paid only once. (Not counted: our networks themselves, which the receiver must have, as he must have a program for
# PNG.)

# %%
binary = (test_bw.cpu().numpy()[:, 0] * 255).astype("uint8")


def png_bits(picture):
    """Bits of a PNG file of a black-and-white picture (H, W)."""
    file = io.BytesIO()
    Image.fromarray(picture).convert("1").save(file, "PNG", optimize=True)
    return 8 * len(file.getvalue())


test_tokens = tokens_of(vqvae, test_bw)
with torch.no_grad():
    prior_bits = nats(prior, test_tokens).mean().item() / math.log(2)
pixel_bits = distortions["with the medicine"] / math.log(2)
shares = torch.bincount(train_tokens.flatten(), minlength=K).add(1).float()
own_bits = -(shares / shares.sum()).log2()[test_tokens].sum((1, 2)).mean().item()
bits = {
    "PNG, one file per digit": sum(map(png_bits, binary)) / len(binary),
    "PNG, all in one file": png_bits(binary.reshape(-1, 28)) / len(binary),
    "tokens of equal length + pixels": 49 * math.log2(K) + pixel_bits,
    "tokens by frequency + pixels": own_bits + pixel_bits,
    "tokens by the prior + pixels": prior_bits + pixel_bits,
}

# %% tags=["figure"]
# Bits per black-and-white digit, losslessly
print(f"{28 * 28} pixels; the tokens alone: {49 * math.log2(K):.0f} bits of equal length, {own_bits:.0f} by frequency, "
      f"{prior_bits:.0f} by the prior; then the pixels: {pixel_bits:.0f}")  # fmt: skip
figure, ax = plt.subplots(figsize=(9, 2.9))
for row, (name, value) in enumerate(bits.items()):
    ax.barh(row, value, color=plots.COLORS[2 if "PNG" in name else 1])
    ax.text(value + 8, row, f"{value:.0f}", va="center")
ax.set_yticks(range(len(bits)), list(bits))
ax.invert_yaxis()
ax.set(title="One test digit, every pixel exact", xlabel="bits per digit")
ax.margins(x=0.1)
plots.show(
    figure,
    alt="Bars of bits per digit: PNG with one file per digit needs most, PNG in one file less, and tokens with the prior least.",
)

# %% tags=["claim"]
alone, together, plain, frequent, guessed = bits.values()
assert guessed < frequent < plain, "each bit of knowledge should save bits"
assert guessed < 0.85 * together < 0.5 * alone, "and the prior should beat PNG"
assert prior_bits < 0.8 * own_bits

# %% [markdown]
# One small file per digit is mostly header, so the second bar is PNG's true score, and a good one: PNG knows nothing of
# digits, only that pixels resemble those before them. Tokens of equal length come near it already. With
# a prior that knows what digits look like they beat it clearly, and most of the bits that remain are for the single
# pixels of the edges, which were drawn by chance and which nobody can know.
#
# The prior has done two things at once. It *compresses*, because what it expects costs few bits, and it *writes*: its
# samples are the strings that it finds probable. That is the whole idea of a language model, and since pictures can be
# written as tokens, the same network can read and write both. Ours sees only three rows back, so some of its digits
# forget how they began; the priors of today look at everything that was written before.
#
# Back to [lesson 14 · Where next](../14_where_next.ipynb).
