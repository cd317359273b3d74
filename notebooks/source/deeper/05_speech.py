# %% [markdown]
# # Deeper · Cleaning speech
#
# [Lesson 05](../05_denoising_autoencoders.ipynb) cleans pictures. Does the same network clean spoken words? On this page
# you will see speech as a picture, spoil it with hiss, clean it in two ways, measure the result, and **listen** to it.
# Sections 1 to 3 of the lesson are enough to follow.

# %%
import matplotlib.pyplot as plt
import torch
from IPython.display import Audio, display

from vae_helpers import checks, plots
from vae_helpers.data import load_speech
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.train import fit
from vae_helpers.unet import UNet

plots.use_course_style()
device = pick_device()

# %% [markdown]
# ## 1 · Speech as a picture
#
# A recording is a long list of numbers, here 8,000 per second: the air pressure at the microphone. In such a list speech
# and noise are all mixed up. In a **spectrogram** they come apart.
#
# Cut the sound into short pieces of 256 samples (32 milliseconds), each overlapping the next by half, and fade each piece
# in and out (the **window**), so that the cuts make no clicks. For each piece compute which frequencies it holds, by the
# Fourier transform, and put the results side by side. This is the **short-time Fourier transform** (STFT). Time runs to the
# right, frequency upwards.
#
# Each place of the result holds a **complex number**, that is, an arrow in the plane. Its length, the **magnitude**, says
# how strong this frequency is at this time. Its angle, the **phase**, says where in its cycle the wave is. The way back
# from a spectrogram to a sound is the inverse STFT. PyTorch has both.
#
# The first line that the next cell prints says whether your words are spoken by people or **synthesised** by the course.
# Synthetic voices are easier: each is a set of numbers for one and the same machine, so "a new voice" means less there
# than a new person would.


# %%
speech = {split: load_speech(split) for split in ("train", "valid", "test")}
RATE = speech["test"].sample_rate
LENGTH = speech["test"].waveforms.shape[1]
WINDOW, HOP = 256, 128


def spectrogram(sounds):
    """Complex spectrograms of sounds, (N, samples) → (N, frequencies, times)."""
    window = torch.hann_window(WINDOW, device=sounds.device)
    return torch.stft(sounds, WINDOW, HOP, window=window, return_complex=True)


def to_sound(spectrograms):
    """The way back, (N, frequencies, times) → (N, samples)."""
    window = torch.hann_window(WINDOW, device=spectrograms.device)
    return torch.istft(spectrograms, WINDOW, HOP, window=window, length=LENGTH)


# The last speaker is heard in the test only: a voice that is new to every method.
speakers = speech["test"].speakers
new_voice = speech["test"].subset(speakers == speakers.max())
clean, valid_clean = new_voice.waveforms, speech["valid"].waveforms

# %% tags=["figure"]
# How many recordings there are, and how well the inverse gives a sound back
print(f"{len(speech['train'])} recordings to learn from, {len(new_voice)} of a new voice")
error = (to_sound(spectrogram(clean)) - clean).abs().max().item()
frequencies, times = spectrogram(clean[:1]).shape[1:]
print(f"a spectrogram: {frequencies} frequencies up to {RATE // 2} Hz, {times} times")
print(f"largest error, there and back: {error:.0e}")

# %% tags=["claim"]
assert error < 1e-4, "the inverse STFT should give the sound back"

# %% [markdown]
# ## 2 · How much noise, and how good is a sound?
#
# The mean of a sound's squares is its **power**. How loud a noise is, is stated relative to the speech, as the
# **signal-to-noise ratio**
#
# $$ \text{SNR} = 10 \log_{10} \frac{\text{power of the speech}}{\text{power of the noise}} \quad \text{dB}, $$
#
# so that at 0 dB both are equally strong, which is a lot of noise, and at 10 dB the speech has ten times the power. To
# get a wanted SNR, scale the noise: a power ratio of SNR dB is an amplitude ratio of $10^{\text{SNR}/20}$.
#
# ### Your turn · Noise of a wanted loudness (7 min)
#
# Mix `clean` and `noise`, both (N, samples), so that each sound has exactly the wanted `snr` in dB. `snr` is one number,
# or one per sound, (N, 1). The noise comes in any loudness, so measure it; scale the noise and leave the speech as it is.
# The result is (N, samples). All that is heard and learnt below will be spoiled by your function.


# %% tags=["exercise"]
def my_mix(clean, noise, snr):
    noisy = ...  # your code here
    return noisy


verdict = checks.mix_at_snr(my_mix)
mix = verdict.working
verdict


# %% tags=["solution"]
def my_mix(clean, noise, snr):
    speech_power = clean.square().mean(1, keepdim=True)
    noise_power = noise.square().mean(1, keepdim=True)
    wanted_power = speech_power / 10 ** (snr / 10)
    return clean + noise * (wanted_power / noise_power).sqrt()


# %%
def add_hiss(clean, snr):
    """Speech with white noise, which is equally strong at all frequencies."""
    return mix(clean, torch.randn_like(clean), snr)


def si_snr(estimate, clean):
    """Scale-invariant signal-to-noise ratio of each sound in dB, (N, samples) → (N,)."""
    estimate = estimate - estimate.mean(1, keepdim=True)
    clean = clean - clean.mean(1, keepdim=True)
    scale = (estimate * clean).sum(1, keepdim=True) / clean.square().sum(1, keepdim=True)
    target = scale * clean
    return 10 * torch.log10(target.square().sum(1) / (estimate - target).square().sum(1))


# %% [markdown]
# The second function judges a cleaned sound $\hat s$ against the clean one $s$, by the **scale-invariant SNR** (SI-SNR; Le
# Roux, Wisdom, Erdogan and Hershey, 2019). A sound that is only too quiet or too loud should not count as worse, so it
# first splits $\hat s$ into a multiple of $s$, its projection $t$, and the rest, and then compares their powers:
#
# $$ t = \frac{\langle \hat s, s \rangle}{\langle s, s \rangle} \, s, \qquad
# \text{SI-SNR} = 10 \log_{10} \frac{\lVert t \rVert^2}{\lVert \hat s - t \rVert^2} \quad \text{dB} $$
#
# ## 3 · The rival: spectral subtraction
#
# Steven Boll's idea (1979) is simple. On average, noise adds its power to every place of the spectrogram, so if we know the
# noise's mean power, we subtract it, and what falls below zero is taken for noise. Two settings help in practice: subtract
# more than the mean (the **strength**), and always leave a little (the **floor**). We are generous to this rival. It is
# told the noise's true power, which a telephone would have to estimate, and its settings are chosen on the validation
# voice, for each SNR separately. The network is trained once, for all of them.


# %%
def hiss_power(clean, snr):
    """The power of the noise that was added, (N, 1)."""
    return clean.square().mean(1, keepdim=True) / 10 ** (snr / 10)


def spectral_subtraction(noisy, power, setting):
    """Subtract the power of white noise, (N, 1), from the spectrogram: back to sound."""
    strength, floor = setting
    spectrum = spectrogram(noisy)
    # White noise has the same mean power everywhere: its own times the window's squares.
    expected = power[:, :, None] * torch.hann_window(WINDOW).square().sum()
    kept = 1 - strength * expected / (spectrum.abs().square() + 1e-9)
    return to_sound(kept.clamp(min=floor**2).sqrt() * spectrum)


# %% [markdown]
# ## 4 · The network: a mask
#
# Spectral subtraction decides at each place alone how much to keep. It does not know that speech has shapes: stripes that
# run in parallel, and rise and fall together. The lesson's U-Net can learn them, because a spectrogram is a picture.
#
# The network sees the logarithm of the noisy magnitude (the ear, too, hears ratios) and answers with a **mask** $m$, a
# number from 0 to 1 for each place: how much of it to keep. With the noisy spectrogram $\tilde S$ and the clean one $S$,
#
# $$ \hat S = m \cdot \tilde S, \qquad \text{loss} = \sum \lvert \hat S - S \rvert^2. $$
#
# A mask makes places quieter and does not touch the phase, so the cleaned sound has the **phase of the noisy one**. That
# is a limit of this method, and we shall measure what it costs. In the loss, each recording is scaled so that the noisy
# sound has the power 1, and the SNR is drawn anew for each sound in each step, from −5 to 15 dB.


# %%
def mask_of(model, spectrum):
    """How much to keep of each place of a noisy spectrogram, from 0 to 1."""
    magnitude = spectrum.abs()
    typical = magnitude.square().mean((1, 2), keepdim=True).sqrt()
    logarithm = torch.log(magnitude / typical + 0.01)
    picture = (logarithm[:, None] + 2.5) / 1.5  # roughly mean 0 and spread 1
    return torch.sigmoid(model(picture).float())[:, 0]


def speech_loss(model, clean, labels):
    snr = 20 * torch.rand(len(clean), 1, device=clean.device) - 5
    noisy = add_hiss(clean, snr)
    loudness = noisy.square().mean(1, keepdim=True).sqrt()
    spectrum, target = spectrogram(noisy / loudness), spectrogram(clean / loudness)
    cleaned = mask_of(model, spectrum) * spectrum
    return (cleaned - target).abs().square().sum((1, 2)) / WINDOW  # a handy number


# %% [markdown]
# Training takes some seconds; watch the loss.

# %%
STEPS = budget(cpu=400, gpu=4_000)
seed_everything(1)
denoiser = UNet(width=12)
epochs = max(1, STEPS * 4 // len(speech["train"]))
record = fit(denoiser, speech["train"], speech_loss, epochs=epochs, batch_size=4, lr=6e-3)


@torch.no_grad()
def clean_speech(noisy):
    """Noisy sounds → what the network makes of them."""
    spectrum = spectrogram(noisy.to(device))
    return to_sound(mask_of(denoiser, spectrum) * spectrum).cpu()


# %% [markdown]
# Now the test, on the new voice. Two more rows show what nobody could build, because both need the clean sound. One takes
# the **clean magnitudes with the noisy phase**. The other is the **best mask** between 0 and 1: at each place, it keeps the
# part of the noisy arrow that points along the clean one, and so it knows where a wrong phase makes a large magnitude
# harmful (the *phase-sensitive* mask).
#
# **Predict.** By how many dB does the network improve a sound of 0 dB? Is the gain larger or smaller at 10 dB? And which
# of the two impossible rows is better?

# %%
STRENGTHS = [(a, b) for a in (1, 2, 3, 5, 8, 12) for b in (0, 0.03, 0.1, 0.2)]
sounds, chosen = {}, {}
for snr in (0, 5, 10):
    seed_everything(10 + snr)
    noisy, valid_noisy = add_hiss(clean, snr), add_hiss(valid_clean, snr)
    valid_power = hiss_power(valid_clean, snr)
    tries = [spectral_subtraction(valid_noisy, valid_power, s) for s in STRENGTHS]
    quality = torch.stack([si_snr(sound, valid_clean).mean() for sound in tries])
    chosen[snr] = STRENGTHS[int(quality.argmax())]
    spectrum, target = spectrogram(noisy), spectrogram(clean)
    best_mask = (target / (spectrum + 1e-9)).real.clamp(0, 1)
    sounds[snr] = {
        "noisy": noisy,
        "spectral subtraction": spectral_subtraction(
            noisy, hiss_power(clean, snr), chosen[snr]
        ),
        "network": clean_speech(noisy),
        "clean magnitude, noisy phase": to_sound(
            torch.polar(target.abs(), spectrum.angle())
        ),
        "best mask": to_sound(best_mask * spectrum),
    }

# %% tags=["figure"]
# How good each method's sounds are, at three loudnesses of the noise
scores = {}
print(f"new voice {'':31s} SI-SNR (dB)   improvement (dB)")
for snr, methods in sounds.items():
    for name, sound in methods.items():
        scores[snr, name] = si_snr(sound, clean).mean().item()
        gain = scores[snr, name] - scores[snr, "noisy"]
        print(f"{snr:2d} dB: {name:32s} {scores[snr, name]:12.1f} {gain:18.1f}")
known = speech["test"].subset((speakers > 0) & (speakers < speakers.max())).waveforms[::3]
known_noisy = add_hiss(known, 5)
by_voice = {
    "voices of the training, new recordings": si_snr(clean_speech(known_noisy), known),
    "new voice": si_snr(sounds[5]["network"], clean),
}
by_voice = {name: quality.mean().item() - 5 for name, quality in by_voice.items()}
print(
    "improvement at 5 dB:", ", ".join(f"{n} {gain:.1f} dB" for n, gain in by_voice.items())
)

# %% tags=["claim"]
gains = []
for snr in sounds:
    assert scores[snr, "network"] > scores[snr, "spectral subtraction"] + 0.4, (
        "the network wins"
    )
    assert scores[snr, "clean magnitude, noisy phase"] > scores[snr, "network"] + 1
    assert scores[snr, "best mask"] > scores[snr, "clean magnitude, noisy phase"]
    assert 1 < chosen[snr][0] < 12 and chosen[snr][1] < 0.2, (
        "the settings are inside their range"
    )
    gains.append(scores[snr, "network"] - scores[snr, "noisy"])
assert gains[0] > gains[1] > gains[2], "less noise, less to gain"
assert abs(by_voice["new voice"] - by_voice["voices of the training, new recordings"]) < 2

# %% [markdown]
# Our network is ahead at every SNR, although the rival was told the noise's true power. It improves a sound of 0 dB most, and
# gains less where there is less noise to take away. The new voice is cleaned about as well as the known ones. (If yours
# are synthetic, that is no great feat, because all come from one machine.)
#
# All magnitudes right, and yet the fourth row is far from perfect: that is the price of the noisy phase. The best mask
# does a little better still, because where the phase is badly wrong it rather keeps less. Our network is trained towards
# this mask, since its loss compares complex numbers. No mask gets beyond it; newer systems therefore estimate the phase as
# well, or work on the waveform directly.
#
# ## 5 · Look, and listen
#
# Measures are one thing. Here is one word at 0 dB, and below it two to hear.

# %% tags=["figure"]
# Spectrograms of one word: clean, noisy, and cleaned in two ways
LISTEN_SNR = 0
names = ("clean", "noisy", "spectral subtraction", "network")
to_hear = {"clean": clean, **sounds[LISTEN_SNR]}
examples = [int((new_voice.labels == label).nonzero()[0]) for label in (7, 9)]
word = [new_voice.label_names[label] for label in new_voice.labels]

figure, axes = plt.subplots(1, 4, figsize=(9.5, 3.4), sharey=True)
loudest = spectrogram(clean[examples[:1]]).abs().max()
for ax, name in zip(axes, names, strict=True):
    magnitude = spectrogram(to_hear[name][examples[:1]])[0].abs()
    colors = ax.imshow(
        20 * torch.log10(magnitude / loudest + 1e-4),
        cmap="viridis",
        vmin=-60,
        vmax=0,
        origin="lower",
        aspect="auto",
        extent=(0, LENGTH / RATE, 0, RATE / 2000),
    )
    ax.set(title=name, xlabel="time (s)")
axes[0].set_ylabel("frequency (kHz)")
figure.colorbar(colors, ax=axes, label="level (dB, 0 = loudest, clean)")
figure.suptitle(f"The word “{word[examples[0]]}” in the new voice, SNR {LISTEN_SNR} dB")
plots.show(
    figure,
    alt="Four spectrograms of one word. Clean: bright shapes on a dark ground. Noisy: the weaker parts drown in a "
    "bright ground. Spectral subtraction: the strong parts among scattered specks. Network: the strong parts and a bit "
    "more around them, and a dark ground with faint soft patches.",
)

# %% tags=["figure"]
# Listen: two words, clean, noisy, and cleaned in two ways


def player(waveform, loudest):
    """An audio player; all sounds of a row are scaled alike, so that loudness can be compared."""
    audio = Audio((waveform / loudest).numpy(), rate=RATE, normalize=False)
    return f'<audio controls style="width: 12em" src="{audio.src_attr()}"></audio>'


table = "<table><tr><th>word</th>" + "".join(f"<th>{name}</th>" for name in names) + "</tr>"
for i in examples:
    loudest = max(to_hear[name][i].abs().max() for name in names)
    players = "".join(f"<td>{player(to_hear[name][i], loudest)}</td>" for name in names)
    table += f"<tr><td>{word[i]}</td>{players}</tr>"
table += "</table>"
words = " and ".join(f"“{word[i]}”" for i in examples)
text = f"Players for the words {words}: {', '.join(names)}. Run this cell if they do not appear."
display({"text/html": table, "text/plain": text}, raw=True)

# %% [markdown]
# In the noisy spectrogram the weak parts of the word have drowned. Spectral subtraction keeps the strong parts, and leaves
# lone specks where the noise happened to be strong. Each speck is a short tone, and together they twitter, which sound
# engineers call **musical noise**. In the network's picture the specks are soft patches, and more of the weak parts is left,
# because they lie where speech would have them. How much more?


# %%
def weak_parts_kept(name):
    """How much of the clean sound is left where it is 20 to 40 dB below its loudest place."""
    target, spectrum = spectrogram(clean), spectrogram(to_hear[name])
    level = target.abs() / target.abs().amax((1, 2), keepdim=True)
    weak = (level > 0.01) & (level < 0.1)
    common = (spectrum * target.conj()).real  # what the two have in common
    return (common[weak].sum() / target[weak].abs().square().sum()).item()


kept = {name: weak_parts_kept(name) for name in ("spectral subtraction", "network")}
print("kept of the weak parts:", {name: f"{share:.0%}" for name, share in kept.items()})

# %% tags=["claim"]
assert kept["network"] > kept["spectral subtraction"] + 0.05

# %% [markdown]
# What is not kept is missing, and words can sound muffled. Where the network is in doubt, the mask lies between 0 and 1:
# the conditional mean of the lesson's section 5 again.
#
# **Going on.** Mix in something else than hiss: a second voice (`clean.roll(1, 0)`), or a hum of 50 Hz. Does the network,
# which has met nothing but hiss, still help?
#
# ## Read and listen
#
# - J. Le Roux and others, [SDR – half-baked or well done?](https://arxiv.org/abs/1811.02508) (2019): why a measure of sounds
#   should not care about loudness.
# - H. Erdogan and others, [Phase-sensitive and recognition-boosted speech separation using deep recurrent neural
#   networks](https://doi.org/10.1109/ICASSP.2015.7178061) (2015): the best mask.
# - J. Lehtinen and others, [Noise2Noise](https://arxiv.org/abs/1803.04189) (2018): one can even train with noisy targets, if
#   their noise is independent and has the mean 0.
#
# **Back to** [lesson 05 · Denoising autoencoders](../05_denoising_autoencoders.ipynb).
