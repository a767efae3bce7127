"""What is optimised: the pixels themselves, or Fourier coefficients of decorrelated colours.

A parameterisation is three functions of the spec: where to begin, which picture the parameters stand for, and where
a gradient with respect to that picture moves them.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

from convis_core.class_models.seeds import generator
from convis_core.results.class_models import AscentState, ClassModelSpec, Spectrum

PIXEL_NOISE = 0.05
"""Sigma of the noise around the mean colour from which pixels may start."""

COEFFICIENT_NOISE = 0.01
"""Sigma of the scaled Fourier coefficients from which the spectrum may start."""

# Square root of the covariance of the colours of ImageNet's pixels, as measured and published by C. Olah,
# A. Mordvintsev and L. Schubert with "Feature Visualization", Distill 2017: columns are brightness, blue-yellow and
# green-magenta, rows are red, green and blue.
_COLOUR_ROOT = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
_COLOURS = _COLOUR_ROOT / _COLOUR_ROOT.norm(dim=0).max()

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8
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
        return AscentState(values, nothing, nothing, 0)
    shape = (3, side, side // 2 + 1, 2)
    if picture is not None:
        values = _analyse(picture, spec.spectrum)
    elif spec.start == "noise":
        values = torch.randn(shape, generator=random) * COEFFICIENT_NOISE
    else:
        values = torch.zeros(shape)
    return AscentState(values, torch.zeros(shape), torch.zeros(shape), 0)


def render(spec: ClassModelSpec, values: Tensor, origin: Tensor) -> Tensor:
    """The pictures that parameters stand for, differentiable.

    Pixels: origin + z. Fourier: sigmoid(contrast * M u), where u is the inverse Fourier transform of the scaled
    coefficients and M the square root of the covariance of natural colours.

    Args:
        spec: how to draw.
        values: float32 [N, ...], as in ``AscentState``.
        origin: the network's mean colour, float32 [3, 1, 1].

    Returns:
        float32 [N, 3, S, S].
    """
    if spec.parameterisation == "pixels":
        return origin + values
    side = values.shape[2]
    scaled = torch.view_as_complex(values) * amplitudes(spec.spectrum, side).to(values.device)
    channels = torch.fft.irfft2(scaled, s=(side, side)) / _SPECTRUM_UNIT
    mixed = torch.einsum("rc,nchw->nrhw", _mixing(spec.spectrum).to(values.device), channels)
    return torch.sigmoid(mixed)


def climb(spec: ClassModelSpec, state: AscentState, direction: Tensor, origin: Tensor) -> AscentState:
    """The parameters after one step.

    Pixels move by learning_rate * direction. Fourier coefficients move by one step of Adam along the gradient of
    <picture, direction>: the direction, taken back through the rendering.

    Args:
        spec: how to draw.
        state: the parameters of N pictures.
        direction: float32 [N, 3, S, S], where the pixels should go.
        origin: the network's mean colour, float32 [3, 1, 1].
    """
    cooled = 1 - spec.cool_down * min(1.0, state.step / spec.ramp)
    rate = spec.learning_rate * cooled
    if spec.parameterisation == "pixels":
        return AscentState(state.values + rate * direction, state.first_moment, state.second_moment, state.step + 1)
    leaf = state.values.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(render(spec, leaf, origin), leaf, direction)
    count = state.step + 1
    first = gradient.lerp(state.first_moment, _BETA_1)
    second = (_BETA_2 * state.second_moment).addcmul_(gradient, gradient, value=1 - _BETA_2)
    typical = (second / (1 - _BETA_2**count)).sqrt_().add_(_EPSILON)
    values = torch.addcdiv(state.values, first, typical, value=rate / (1 - _BETA_1**count))
    return AscentState(values, first, second, count)


@lru_cache(maxsize=8)
def amplitudes(spectrum: Spectrum, side: int) -> Tensor:
    """What each Fourier coefficient is multiplied by: 1 / f^decay, faded out around the cutoff, float32 [S, S//2+1].

    The energy is that of the plain 1 / f spectrum, so that ``decay`` and ``cutoff`` change sharpness, not contrast.
    """
    rows = torch.fft.fftfreq(side)[:, None]
    columns = torch.fft.rfftfreq(side)[None]
    frequency = torch.sqrt(rows.square() + columns.square())
    whole = frequency.clamp(min=1 / side)  # the constant has frequency 0; it is weighed like one wave a picture
    shape = torch.sigmoid((spectrum.cutoff - frequency) * 60) / whole**spectrum.decay
    return shape * ((1 / whole).norm() / shape.norm()) * side


def _mixing(spectrum: Spectrum) -> Tensor:
    return _COLOURS * torch.tensor([1.0, spectrum.chroma, spectrum.chroma]) * spectrum.contrast


def _analyse(picture: Tensor, spectrum: Spectrum) -> Tensor:
    """The coefficients that stand for a picture, but for frequencies too faint to hold it."""
    side = picture.shape[1]
    # Pure black and white lie infinitely far out on the sigmoid.
    logits = torch.logit(picture.double().clamp(0.02, 0.98))
    channels = torch.einsum("cr,rhw->chw", torch.linalg.inv(_mixing(spectrum).double()), logits)
    scale = amplitudes(spectrum, side).double()
    audible = scale > scale.max() * math.sqrt(torch.finfo(torch.float32).eps)
    coefficients = torch.fft.rfft2(channels) * _SPECTRUM_UNIT * torch.where(audible, 1 / scale, 0.0)
    return torch.view_as_real(coefficients).float().contiguous()
