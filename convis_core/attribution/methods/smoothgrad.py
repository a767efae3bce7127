"""SmoothGrad: the mean gradient of noisy copies of the picture."""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from convis_core.attribution.chunks import chunk_size, logit_gradients
from convis_core.attribution.info import PER_PIXEL, MethodInfo
from convis_core.attribution.noise import MOST_NOISE, noise_scale, sample_noise
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network.checks import check_picture, check_target
from convis_core.results import Attribution, SampleSums, SmoothGradSpec
from convis_core.runtime import lanes
from convis_core.values import check_choice, check_real, check_seed, check_whole

MOST_SAMPLES = 10_000
"""About 50 are enough; ten thousand take EfficientNet-Lite0 several minutes."""

_NAMES = {
    "mean": "SmoothGrad",
    "squared": "SmoothGrad squared",
    "variance": "VarGrad",
    "absolute": "SmoothGrad of magnitudes",
}
_UNITS = {
    "mean": f"mean {PER_PIXEL}",
    "squared": "mean squared change of logit",
    "variance": "variance of the change of logit",
    "absolute": "mean |change of logit| per unit of pixel",
}


def smoothgrad(
    model: LoadedModel, x: Tensor, target: int, spec: SmoothGradSpec, *, resume: Attribution | None = None
) -> Iterator[Attribution]:
    """The gradient averaged over noisy copies of the picture, as a running estimate.

    values = 1/N sum_i g(x + e_i), with g = d logit_target / d pixel and e_i normal of standard deviation
    noise_level * (max(x) - min(x)); for the other variants, the mean of g^2 or of |g|, or the variance
    mean(g^2) - mean(g)^2. Noisy copies are not clipped to [0, 1]. Without noise all copies are the same, and one
    gradient is enough.

    Every frame is a complete estimate from the copies so far; the last one contains all of them. With ``resume``, a
    run with more copies, or another variant, continues from a frame of an earlier run and ends bit-identical to an
    uninterrupted one.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        spec: how to average.
        resume: a frame with the same network, picture, class, noise level, seed and pairing.

    Returns:
        An iterator of signed values, float32 [3, S, S].

    Raises:
        SpecError: when ``x``, ``target`` or ``spec`` is out of range, or ``resume`` belongs to another computation or
            holds more copies than are requested.

    Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017 (arXiv:1706.03825); squared: Hooker et al.
    2019 (arXiv:1806.10758); variance: Adebayo et al. 2018 (arXiv:1810.03307).

    >>> from convis_core import models
    >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 2))
    >>> model, x = models.wrap(linear, input_size=4), torch.rand(1, 3, 4, 4)
    >>> *_, last = smoothgrad(model, x, 1, SmoothGradSpec(n_samples=8))
    >>> last.done, torch.allclose(last.values.flatten(), linear[1].weight[1])
    (8, True)
    """
    check_picture(model, x)
    check_target(model, target)
    _check_spec(spec)
    origin = _origin(model, x, target, spec)
    side = x.shape[-1]
    # Channels last in memory, like the gradients, or each addition would have to reorder them.
    zeros = torch.zeros(side, side, 3, dtype=torch.float64).permute(2, 0, 1)
    sums = SampleSums(origin, 0, zeros, zeros, zeros)
    if resume is not None:
        if resume.sums is None or resume.sums.origin != origin:
            raise SpecError("This result belongs to another picture, class, network or noise; start from nothing.")
        if resume.sums.samples > spec.n_samples:
            raise SpecError(f"This result holds more than the {spec.n_samples} samples asked for; start from nothing.")
        sums = resume.sums
    return _frames(model, x.detach(), target, spec, sums)


def _check_spec(spec: SmoothGradSpec) -> None:
    check_whole("The number of samples", spec.n_samples, 1, MOST_SAMPLES)
    check_real("The noise level", spec.noise_level, 0, MOST_NOISE)
    check_seed(spec.seed)
    check_choice("The variant", spec.variant, _NAMES)


def _origin(model: LoadedModel, x: Tensor, target: int, spec: SmoothGradSpec) -> str:
    parts = (model.key, chunk_size(model), target, spec.noise_level, spec.seed, spec.antithetic)
    digest = hashlib.sha256(repr(parts).encode())
    digest.update(x.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _frames(
    model: LoadedModel, x: Tensor, target: int, spec: SmoothGradSpec, sums: SampleSums
) -> Iterator[Attribution]:
    size = chunk_size(model)
    sigma = noise_scale(x, spec.noise_level)
    if sigma == 0:
        # All copies are the picture itself, so the gradient of one is the mean of any number.
        ((total, squares, absolute),) = lanes.map(lambda copy: _moments(logit_gradients(model, copy, target)[0]), [x])
        one = SampleSums(sums.origin, 1, total, squares, absolute)
        yield replace(_estimate(one, target, spec, one), done=spec.n_samples)
        return
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
    return Attribution(values.float().contiguous(), target, _NAMES[spec.variant], count, spec.n_samples, sums=resumable)


def _passes(spec: SmoothGradSpec) -> int:
    return spec.n_samples if spec.noise_level else 1


def _varied(spec: SmoothGradSpec) -> MethodInfo:
    mean = spec.variant == "mean"
    return replace(INFO, unit=_UNITS.get(spec.variant, INFO.unit), signed=mean, derivative=mean)


def _continues(before: SmoothGradSpec, after: SmoothGradSpec, reached: Attribution) -> bool:
    """The same noise, and no more copies than are requested; all variants are computed from the same sums."""
    same = replace(before, n_samples=after.n_samples, variant=after.variant) == after
    return same and reached.sums is not None and reached.sums.samples <= after.n_samples


INFO = MethodInfo(
    id="smoothgrad",
    label="SmoothGrad",
    unit=_UNITS["mean"],
    signed=True,
    spec_type=SmoothGradSpec,
    takes_layer=False,
    run=smoothgrad,
    recipe="attribution.smoothgrad",
    passes=_passes,
    derivative=True,
    varied=_varied,
    continues=_continues,
)
