"""SmoothGrad: the mean gradient of noisy copies of the picture."""

import contextlib
import hashlib
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from convis_core.attribution.methods.chunks import chunk_size, logit_gradients
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network.predict import check_picture, check_target
from convis_core.results import Attribution, SampleSums, SmoothGradSpec
from convis_core.runtime import lanes

_METHODS = {
    "mean": "SmoothGrad",
    "squared": "SmoothGrad squared",
    "variance": "VarGrad",
    "absolute": "SmoothGrad of magnitudes",
}


def smoothgrad(
    model: LoadedModel, x: Tensor, target: int, spec: SmoothGradSpec, *, resume: Attribution | None = None
) -> Iterator[Attribution]:
    """The gradient without its flicker: averaged over noisy copies of the picture, frame by frame.

    values = 1/N sum_i g(x + e_i), with g = d logit_target / d pixel and e_i normal of standard deviation
    noise_level * (max(x) - min(x)); for the other variants, the mean of g^2 or of |g|, or the variance
    mean(g^2) - mean(g)^2. Noisy copies are not clipped to [0, 1].

    Every frame is a complete estimate from the copies so far; the last one has them all. A frame given as
    ``resume`` lets a run with more copies, or another variant, start where that one stood, and end with the very
    bits of a run in one go.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        spec: how to average.
        resume: a frame of the same network, picture, class, noise level, seed and pairing.

    Returns:
        An iterator of signed values, float32 [3, S, S].

    Raises:
        SpecError: when ``x``, ``target`` or ``spec`` is out of range, or ``resume`` is of another computation or
            holds more copies than are asked for.

    Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017 (arXiv:1706.03825); squared: Hooker et al.
    2019 (arXiv:1806.10758); variance: Adebayo et al. 2018 (arXiv:1810.03307).
    """
    check_picture(model, x)
    check_target(model, target)
    _check_spec(spec)
    origin = _origin(model, x, target, spec)
    side = x.shape[-1]
    # In the order in which the gradients come, channels last, or each addition would have to reorder them.
    zeros = torch.zeros(side, side, 3, dtype=torch.float64).permute(2, 0, 1)
    sums = SampleSums(origin, 0, zeros, zeros, zeros)
    if resume is not None:
        if resume.sums is None or resume.sums.origin != origin:
            raise SpecError("This result belongs to another picture, class, network or noise; start from nothing.")
        if resume.sums.samples > spec.n_samples:
            raise SpecError(f"This result holds more than the {spec.n_samples} samples asked for; start from nothing.")
        sums = resume.sums
    return _frames(model, x.detach(), target, spec, sums)


def sample_noise(spec: SmoothGradSpec, index: int, side: int) -> Tensor:
    """The noise of one copy before it is scaled: standard normal, float32 [3, side, side].

    It depends on the seed, on the index and, with antithetic pairs, on which of the pair it is; on nothing else.

    Args:
        spec: ``seed`` and ``antithetic`` are read.
        index: which copy, from 0.
        side: side S of the picture, in pixels.
    """
    stream = index // 2 if spec.antithetic else index
    # torch takes 32 bits of a seed and drops the rest, so seed and index are mixed into as many.
    mixed = int(np.random.SeedSequence((spec.seed, stream)).generate_state(1)[0])
    noise = torch.randn(3, side, side, generator=torch.Generator().manual_seed(mixed))
    return -noise if spec.antithetic and index % 2 else noise


def noise_scale(x: Tensor, noise_level: float) -> float:
    """Sigma of the noise in units of the pixels: noise_level * (max(x) - min(x))."""
    return noise_level * float(x.max() - x.min())


def _check_spec(spec: SmoothGradSpec) -> None:
    if spec.n_samples < 1:
        raise SpecError(f"At least one sample is needed, not {spec.n_samples}.")
    if not 0 <= spec.noise_level < float("inf"):
        raise SpecError(f"The noise level is a share of the picture's range, from 0, not {spec.noise_level}.")
    if not 0 <= spec.seed < 2**64:
        raise SpecError(f"The seed is a whole number from 0 to 2^64 - 1, not {spec.seed}.")
    if spec.variant not in _METHODS:
        raise SpecError(f"There is no variant called {spec.variant!r}; choose one of {', '.join(_METHODS)}.")


def _origin(model: LoadedModel, x: Tensor, target: int, spec: SmoothGradSpec) -> str:
    parts = (model.spec.id, str(model.source), chunk_size(model), target, spec.noise_level, spec.seed, spec.antithetic)
    digest = hashlib.sha256(repr(parts).encode())
    digest.update(x.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _frames(
    model: LoadedModel, x: Tensor, target: int, spec: SmoothGradSpec, sums: SampleSums
) -> Iterator[Attribution]:
    size = chunk_size(model)
    sigma = noise_scale(x, spec.noise_level)
    if sums.samples == spec.n_samples:
        yield _estimate(sums, target, spec, sums)
        return

    def add_up(first: int) -> tuple[int, Tensor, Tensor, Tensor]:
        copies = range(first, min(first + size, spec.n_samples))
        noise = torch.stack([sample_noise(spec, index, x.shape[-1]) for index in copies])
        gradients, _ = logit_gradients(model, x + (sigma * noise).to(x), target)
        return len(copies), *_moments(gradients)

    with contextlib.closing(lanes.map(add_up, range(sums.samples, spec.n_samples, size))) as chunks:
        for count, total, squares, absolute in chunks:
            grown = SampleSums(
                sums.origin,
                sums.samples + count,
                sums.total + total,
                sums.squares + squares,
                sums.absolute + absolute,
            )
            # A chunk cut short by the end is left out of what a longer run continues from: that run computes it
            # whole, because a batch of another size may round differently.
            sums = grown if count == size else sums
            yield _estimate(grown, target, spec, sums)


def _moments(gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sums over the samples of g, g^2 and |g| in double precision, in the order of the samples."""
    total = gradients[0].to(torch.float64, copy=True)
    squares, absolute = total.square(), total.abs()
    for gradient in gradients[1:]:  # one after the other in place: four times as fast as three reductions
        exact = gradient.to(torch.float64, copy=True)
        total += exact
        squares.addcmul_(exact, exact)
        absolute += exact.abs_()
    return total, squares, absolute


def _estimate(sums: SampleSums, target: int, spec: SmoothGradSpec, resumable: SampleSums) -> Attribution:
    count = sums.samples
    if spec.variant == "mean":
        values = sums.total / count
    elif spec.variant == "squared":
        values = sums.squares / count
    elif spec.variant == "absolute":
        values = sums.absolute / count
    else:
        values = (sums.squares / count - (sums.total / count).square()).clamp(min=0)
    return Attribution(
        values.float().contiguous(), target, _METHODS[spec.variant], count, spec.n_samples, sums=resumable
    )
