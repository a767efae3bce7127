"""Regularisers that keep a picture from becoming noise: two penalties, and four operations after each step.

J. Yosinski, J. Clune, A. Nguyen, T. Fuchs and H. Lipson, "Understanding Neural Networks Through Deep Visualization",
2015 (arXiv:1506.06579): decay, blur, clipping of pixels with small norm and with small contribution. The penalty on
the norm is K. Simonyan's (arXiv:1312.6034), total variation is A. Mahendran's and A. Vedaldi's (arXiv:1412.0035).
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from convis_core.results.class_models import Regularisers


def penalty_gradient(regularisers: Regularisers, pictures: Tensor, origin: Tensor) -> Tensor:
    """The gradient of lambda * |z|^2 + tau * TV(x) with respect to the pixels, where z = x - origin.

    TV(x) is the sum of |differences| between horizontal and vertical neighbours; the derivative of |0| is taken as 0.

    Args:
        regularisers: with the weights lambda and tau.
        pictures: x, float32 [N, 3, S, S].
        origin: the network's mean colour, float32 [3, 1, 1].
    """
    gradient = 2 * regularisers.l2 * (pictures - origin)
    if regularisers.total_variation:
        across = (pictures[..., :, 1:] - pictures[..., :, :-1]).sign()
        down = (pictures[..., 1:, :] - pictures[..., :-1, :]).sign()
        slope = functional.pad(across, (1, 0)) - functional.pad(across, (0, 1))
        slope = slope + functional.pad(down, (0, 0, 1, 0)) - functional.pad(down, (0, 0, 0, 1))
        gradient = gradient + regularisers.total_variation * slope
    return gradient


def tidy(regularisers: Regularisers, z: Tensor, gradient: Tensor, origin: Tensor, step: int) -> Tensor:
    """The pixels after the operations that follow a step: blur, clipping by norm and by contribution, range.

    Args:
        regularisers: which of these, and their strength.
        z: pixels minus the starting colour, float32 [N, 3, S, S].
        gradient: of the objective at the step just taken, float32 [N, 3, S, S].
        origin: the starting colour, float32 [3, 1, 1].
        step: number of steps taken, from 1.
    """
    if regularisers.blur_sigma and step % regularisers.blur_every == 0:
        z = blur(z, regularisers.blur_sigma)
    if regularisers.small_norm:
        z = without_smallest(z, z.norm(dim=1, keepdim=True), regularisers.small_norm)
    if regularisers.small_contribution:
        contribution = (z * gradient).sum(dim=1, keepdim=True).abs()
        z = without_smallest(z, contribution, regularisers.small_contribution)
    if regularisers.keep_in_range:
        z = (origin + z).clamp(0, 1) - origin
    return z


def blur(z: Tensor, sigma: float) -> Tensor:
    """Gaussian blur over rows and columns, with replicated edges.

    Args:
        z: float32 [N, 3, S, S].
        sigma: in pixels.
    """
    radius = max(1, math.ceil(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=z.dtype, device=z.device)
    kernel = torch.exp(-offsets.square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(z.shape[1], 1, -1)
    padded = functional.pad(z, (radius, radius, radius, radius), mode="replicate")
    across = functional.conv2d(padded, kernel[:, :, None, :], groups=z.shape[1])
    return functional.conv2d(across, kernel[:, :, :, None], groups=z.shape[1])


def without_smallest(z: Tensor, size: Tensor, share: float) -> Tensor:
    """Set the smallest pixels to the starting colour.

    Args:
        z: float32 [N, 3, S, S].
        size: of each pixel, float32 [N, 1, S, S].
        share: of all pixels; that many, rounded down, are set to zero. Ties are resolved in reading order.
    """
    count = math.floor(share * size[0].numel())
    smallest = size.flatten(1).argsort(dim=1, stable=True)[:, :count]
    keep = torch.ones_like(size).flatten(1).scatter(1, smallest, 0.0)
    return z * keep.view_as(size)
