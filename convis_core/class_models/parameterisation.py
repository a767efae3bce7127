"""What is optimised: the pixels themselves, or Fourier coefficients of decorrelated colours.

A parameterisation is four functions of the spec: the starting values, the picture that the parameters encode, the
gradient with respect to them for a given gradient of the picture, and the update.
"""

import math
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from convis_core.class_models.seeds import generator
from convis_core.results.class_models import AscentState, ClassModelSpec, Spectrum

PIXEL_NOISE = 0.05
"""Sigma of the noise around the mean colour when pixels start from noise."""

COEFFICIENT_NOISE = 0.01
"""Sigma of the scaled Fourier coefficients when the spectrum starts from noise."""

# Square root of the covariance of the colours of ImageNet's pixels, as measured and published by C. Olah,
# A. Mordvintsev and L. Schubert with "Feature Visualization", Distill 2017: columns are brightness, blue-yellow and
# green-magenta, rows are red, green and blue.
_COLOUR_ROOT = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
_COLOURS = _COLOUR_ROOT / _COLOUR_ROOT.norm(dim=0).max()

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8
_FAINTEST = 1e-4
"""Weight of a faded frequency below which it is left out."""
_SPECTRUM_UNIT = 4.0
"""Divides the spectrum, so that coefficients of size 1 give a contrast of about 1."""


def start(spec: ClassModelSpec, side: int, origin: Tensor, picture: Tensor | None) -> AscentState:
    """The parameters before the first step.

    Args:
        spec: how to draw.
        side: S of the picture, in pixels.
        origin: the network's mean colour, float32 [3, 1, 1].
        picture: float32 [3, S, S] in [0, 1], when the spec starts from a picture.
    """
    random = generator(spec.seed)
    nothing = torch.empty(0)
    if spec.parameterisation == "pixels":
        values = torch.zeros(3, side, side)
        if picture is not None:
            values = picture - origin
        elif spec.start == "noise":
            values = torch.randn(3, side, side, generator=random) * PIXEL_NOISE
        return AscentState(values, nothing, nothing, nothing, 0)
    shape = (3, side, side // 2 + 1, 2)
    if picture is not None:
        values = _analyse(picture, spec.spectrum)
    elif spec.start == "noise":
        values = torch.randn(shape, generator=random) * COEFFICIENT_NOISE
    else:
        values = torch.zeros(shape)
    return AscentState(values, torch.zeros(shape), torch.zeros(shape), nothing, 0)


def render(spec: ClassModelSpec, values: Tensor, origin: Tensor, side: int | None = None) -> Tensor:
    """The pictures that parameters encode, differentiable.

    Pixels: origin + z. Fourier: sigmoid(contrast * M u), where u is the inverse Fourier transform of the scaled
    coefficients and M the square root of the covariance of natural colours. A smaller picture leaves out the
    frequencies that its pixels cannot represent, which is cheaper than resizing the full one.

    Args:
        spec: how to draw.
        values: float32 [N, ...], as in ``AscentState``.
        origin: the network's mean colour, float32 [3, 1, 1].
        side: s of the pictures, even and at most S; S when not given. With pixels it is always S.

    Returns:
        float32 [N, 3, s, s].
    """
    if spec.parameterisation == "pixels":
        return origin + values
    whole = values.shape[2]
    weights = amplitudes(spec.spectrum, whole)
    if side is not None and side < whole:
        half = side // 2
        values = torch.cat((values[:, :, :half, : half + 1], values[:, :, -half:, : half + 1]), dim=2)
        weights = torch.cat((weights[:half, : half + 1], weights[-half:, : half + 1])) * (side / whole) ** 2
    else:
        side = whole
    scaled = torch.view_as_complex(values) * weights.to(values.device)
    channels = torch.fft.irfft2(scaled, s=(side, side)) / _SPECTRUM_UNIT
    mixed = torch.einsum("rc,nchw->nrhw", _mixing(spec.spectrum).to(values.device), channels)
    return torch.sigmoid(mixed)


def viewed(state: AscentState) -> Tensor:
    """The parameters of the picture whose views the next step differentiates."""
    return state.seen if state.seen.numel() else state.values


def pull_back(spec: ClassModelSpec, values: Tensor, direction: Tensor, origin: Tensor) -> Tensor:
    """The gradient with respect to the parameters of <picture, direction>, for a direction of the pixels.

    Args:
        spec: how to draw.
        values: the parameters of N pictures.
        direction: float32 [N, 3, s, s], the desired change of the pixels of the pictures rendered at side s.
        origin: the network's mean colour, float32 [3, 1, 1].
    """
    if spec.parameterisation == "pixels":
        return direction
    leaf = values.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(render(spec, leaf, origin, direction.shape[-1]), leaf, direction)
    return gradient


def climb(spec: ClassModelSpec, state: AscentState, direction: Tensor) -> AscentState:
    """The parameters after one step: learning_rate * direction for pixels, an Adam step for Fourier coefficients.

    Args:
        spec: how to draw.
        state: the parameters of N pictures.
        direction: the gradient with respect to them, of the same shape.
    """
    cooled = 1 - spec.cool_down * min(1.0, state.step / spec.ramp)
    rate = spec.learning_rate * cooled
    count = state.step + 1
    seen = viewed(state) if count % spec.steps_at_once else torch.empty(0)
    if spec.parameterisation == "pixels":
        return replace(state, values=state.values + rate * direction, seen=seen, step=count)
    first = direction.lerp(state.first_moment, _BETA_1)
    second = (_BETA_2 * state.second_moment).addcmul_(direction, direction, value=1 - _BETA_2)
    typical = (second / (1 - _BETA_2**count)).sqrt_().add_(_EPSILON)
    values = torch.addcdiv(state.values, first, typical, value=rate / (1 - _BETA_1**count))
    return AscentState(values, first, second, seen, count)


@lru_cache(maxsize=8)
def amplitudes(spectrum: Spectrum, side: int) -> Tensor:
    """What each Fourier coefficient is multiplied by: 1 / f^decay, faded out around the cutoff, float32 [S, S//2+1].

    The energy is that of the plain 1 / f spectrum, so that ``decay`` and ``cutoff`` change sharpness, not contrast.
    """
    rows = torch.fft.fftfreq(side)[:, None]
    columns = torch.fft.rfftfreq(side)[None]
    frequency = torch.sqrt(rows.square() + columns.square())
    whole = frequency.clamp(min=1 / side)  # the constant has frequency 0; it is weighted like one cycle per picture
    fade = torch.sigmoid((spectrum.cutoff - frequency) * 60)
    # Fainter frequencies would be invisible, and their squares are subnormal numbers, which slow arithmetic down.
    fade = torch.where(fade < _FAINTEST, 0.0, fade)
    shape = fade / whole**spectrum.decay
    return shape * ((1 / whole).norm() / shape.norm()) * side


def _mixing(spectrum: Spectrum) -> Tensor:
    return _COLOURS * torch.tensor([1.0, spectrum.chroma, spectrum.chroma]) * spectrum.contrast


def _analyse(picture: Tensor, spectrum: Spectrum) -> Tensor:
    """The coefficients that encode a picture, except for frequencies with too small a weight."""
    side = picture.shape[1]
    # Pure black and white would need infinite values before the sigmoid.
    logits = torch.logit(picture.double().clamp(0.02, 0.98))
    channels = torch.einsum("cr,rhw->chw", torch.linalg.inv(_mixing(spectrum).double()), logits)
    scale = amplitudes(spectrum, side).double()
    significant = scale > scale.max() * math.sqrt(torch.finfo(torch.float32).eps)
    coefficients = torch.fft.rfft2(channels) * _SPECTRUM_UNIT * torch.where(significant, 1 / scale, 0.0)
    return torch.view_as_real(coefficients).float().contiguous()
