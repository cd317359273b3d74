"""Checks for lesson 02: dimensionality reduction."""

import torch
from torch import Tensor, tensor

from vae_helpers.checks.verdict import Complaint, Verdict, call, compare, exercise, measured, numbers

__all__ = ["components_needed", "pca_reconstruction", "ppca_draw", "principal_components"]


@exercise
def principal_components(answer) -> Verdict:
    """Check ``answer(images)``: all components (D, D) of images (N, D), one per row, the largest variance first."""

    def eigenvectors(centred: Tensor) -> Tensor:
        return torch.linalg.eigh(centred.T @ centred / len(centred))[1]

    def one_sign(rows: Tensor) -> Tensor:
        return rows * rows.sum(-1, keepdim=True).sign()

    def solution(images: Tensor) -> Tensor:
        return eigenvectors(images - images.mean(0)).T.flip(0)

    generator = torch.Generator().manual_seed(0)
    return compare(
        answer,
        solution,
        cases=[
            (torch.randn(9, 3, generator=generator) * tensor([1.0, 5.0, 2.0]) + 3,),
            (tensor([[2.0, 1.0], [6.0, 4.0], [4.0, 1.0], [9.0, 6.0]]),),
            (torch.randn(20, 4, generator=generator) * tensor([4.0, 1.0, 2.0, 7.0]) - 1,),
        ],
        hints={
            "You did not centre the images: subtract their mean before you build the covariance matrix.": (
                lambda x: eigenvectors(x).T.flip(0)
            ),
            "You return the smallest variance first; `.flip(0)` reverses the order of the rows.": (
                lambda x: solution(x).flip(0)
            ),
            "You return the eigenvectors as `eigh` does, in columns: transpose, then reverse the order of the rows.": (
                lambda x: eigenvectors(x - x.mean(0))
            ),
            "You reversed the rows of a matrix that has the eigenvectors in its columns: transpose it first.": (
                lambda x: eigenvectors(x - x.mean(0)).flip(0)
            ),
            "The order is right, but the components are in the columns: transpose.": lambda x: solution(x).T,
        },
        praise="Right: these are the principal components, up to their sign.",
        tolerance=1e-3,
        up_to=one_sign,
    )


@exercise
def pca_reconstruction(answer) -> Verdict:
    """Check ``answer(images, mean, components)``: images (N, D) through k components (k, D) and back, (N, D)."""

    def solution(images: Tensor, mean: Tensor, components: Tensor) -> Tensor:
        return mean + (images - mean) @ components.T @ components

    generator = torch.Generator().manual_seed(0)
    directions = torch.linalg.qr(torch.randn(4, 2, generator=generator))[0].T.contiguous()
    return compare(
        answer,
        solution,
        cases=[
            (torch.rand(5, 4, generator=generator), torch.rand(4, generator=generator), directions),
            (tensor([[1.0, 2.0, -1.0]]), tensor([0.5, 0.0, 1.0]), tensor([[0.6, 0.8, 0.0]])),
            (tensor([[1.0, 2.0]]), tensor([0.5, 3.0]), torch.eye(2)),
        ],
        hints={
            "You forgot to subtract the mean before you compute the code.": lambda x, mean, c: mean + x @ c.T @ c,
            "You subtracted the mean of the images you were given; use the argument `mean`.": (
                lambda x, mean, c: x.mean(0) + (x - x.mean(0)) @ c.T @ c
            ),
            "You return the codes, k numbers per picture. Now go back from the codes to pictures.": (
                lambda x, mean, c: (x - mean) @ c.T
            ),
            "You return the error, what the components cannot express; return what they can.": (
                lambda x, mean, c: x - solution(x, mean, c)
            ),
        },
        praise="Right: centre, project, and back again.",
    )


@exercise
def components_needed(answer) -> Verdict:
    """Check ``answer(variances, share)``: how many of the largest variances (D,) make up at least this share."""

    def solution(variances: Tensor, share: float) -> int:
        shares = variances.double().cumsum(0) / variances.double().sum()
        return min(int((shares < share).sum()) + 1, len(variances))  # rounding may leave the last share below 1

    return compare(
        answer,
        solution,
        cases=[
            (tensor([5.0, 3.0, 2.0, 1.5, 1.0, 0.5]), 0.7),
            (tensor([8.0, 4.0, 2.0, 1.0, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1]), 0.9),
            (tensor([2.0, 1.9, 1.8, 1.7, 1.6, 1.5, 1.4, 1.3]), 0.6),
            (tensor([30.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 1.0]), 0.12),
            (tensor([4.0, 2.0, 1.0, 1.0]), 0.75),
            (tensor([4.0, 2.0, 1.0, 1.0]), 1.0),
        ],
        hints={
            "You add up variances, but never divide by their total.": (
                lambda v, share: min(int((v.cumsum(0) < share).sum()) + 1, len(v))
            ),
            "You compare percent with a share: a share lies between 0 and 1.": (
                lambda v, share: int((100 * v.cumsum(0) / v.sum() < share).sum()) + 1
            ),
            "That many components have at least this share each. Add their shares up.": (
                lambda v, share: int((v / v.sum() >= share).sum())
            ),
            "That is a share of all components. How many make up this share of the variance?": (
                lambda v, share: round(share * len(v))
            ),
        },
        praise="Right: that many components, and not one more.",
    )


@exercise
def ppca_draw(answer) -> Verdict:
    """Check ``answer(z, noise, mean, components, variances, sigma2)``: draws (N, D) of probabilistic PCA.

    z is (N, k) and noise is (N, D), both standard normal; components is (k, D), variances is (k,).
    """

    def draw(z, noise, mean, components, strengths, sigma):
        return mean + (z * strengths) @ components + sigma * noise

    generator = torch.Generator().manual_seed(0)
    cases = []
    for count, size, variances, sigma2 in ((4, 5, [3.0, 1.2], 0.3), (3, 6, [2.0, 1.5, 0.8], 0.09), (1, 2, [2.0], 0.0)):
        directions, _ = torch.linalg.qr(torch.randn(size, len(variances), generator=generator))
        z, noise = (torch.randn(count, n, generator=generator) for n in (len(variances), size))
        mean = torch.rand(size, generator=generator)
        cases.append((z, noise, mean, directions.T.contiguous(), tensor(variances), sigma2))
    return compare(
        answer,
        lambda z, noise, mean, components, variances, sigma2: draw(
            z, noise, mean, components, (variances - sigma2).sqrt(), sigma2**0.5
        ),
        cases,
        hints={
            "You scaled the noise with σ²; its standard deviation is σ.": (
                lambda z, e, mean, c, v, s2: draw(z, e, mean, c, (v - s2).sqrt(), s2)
            ),
            "You scaled z with λ − σ², which is a variance; take its root.": (
                lambda z, e, mean, c, v, s2: draw(z, e, mean, c, v - s2, s2**0.5)
            ),
            "Both scales are variances; take their roots.": lambda z, e, mean, c, v, s2: draw(
                z, e, mean, c, v - s2, s2
            ),
            "You scaled z with √λ: with the noise on top, your draws vary too much along the components.": (
                lambda z, e, mean, c, v, s2: draw(z, e, mean, c, v.sqrt(), s2**0.5)
            ),
        },
        praise="Right: that is a draw from probabilistic PCA.",
    )


@exercise(seconds=60)
def workshop(encode, decode) -> Verdict:
    """Measure a code of at most ten numbers: ``encode(images)``, (N, 784) → (N, 10), and ``decode(codes)``, back.

    The digits are those that the lesson has not opened; the yardstick is PCA with ten numbers.
    """
    from vae_helpers.data import load_digits

    known, unseen = (load_digits(split).floats[:10_000].flatten(1).double() for split in ("train", "valid"))
    unseen, mean = unseen[:1_000], known.mean(0)
    components = torch.linalg.eigh((known - mean).T @ (known - mean))[1].T.flip(0)
    by_pca = (unseen - mean).square().sum(1).mean() - ((unseen - mean) @ components.T).square().mean(0).cumsum(0)

    codes = numbers(call(encode, unseen.clone()), "What encode returns")
    if codes.ndim != 2 or len(codes) != len(unseen) or codes.shape[1] > 10:
        wanted = f"({len(unseen)}, 10), or with fewer columns,"
        raise Complaint(f"For {len(unseen)} images, codes should be {wanted} but have the shape {tuple(codes.shape)}.")
    if not torch.allclose(numbers(call(encode, unseen[:5].clone())), codes[:5], rtol=1e-2, atol=1e-2):
        raise Complaint("encode gives digits other codes when they come with fewer others: judge each digit by itself.")
    codes = codes.apply_(lambda number: float(f"{number:.3g}"))
    order = torch.randperm(len(codes), generator=torch.Generator().manual_seed(0))
    images = numbers(call(decode, codes[order]), "What decode returns", shape=unseen.shape)
    error = (images - unseen[order]).square().sum(1).mean()
    enough = int((by_pca > error).sum()) + 1
    return measured(
        100 * error / by_pca[9],
        what=f"On {len(unseen):,} unseen digits, the squared error of your code",
        at_most=90,
        unit="% of that of PCA's ten numbers",
        praise=f"Well done: PCA would need {enough} numbers to be as good.",
    )
