"""Measures of how similar two maps are, independent of their scale.

SSIM is scikit-image's. Pearson's and Spearman's correlations are three lines each and stand here: ``scipy.stats`` has
both, but takes a second and 62 MB to import.
"""

import math

import torch
from torch import Tensor

_CLIP = 0.99


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's correlation of two tensors, value by value: 1 if equal up to scale and offset, 0 if unrelated.

    r = cov(a, b) / (std(a) std(b)).

    Args:
        a: any shape.
        b: as many values as ``a``.

    Returns:
        -1 to 1; nan when one of them is constant, since the correlation is then undefined.

    >>> round(correlation(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([9.0, 7.0, 5.0])), 6)
    -1.0
    """
    first, second = a.flatten().double(), b.flatten().double()
    first, second = first - first.mean(), second - second.mean()
    # Each is divided by its own norm first: squares of very small gradients would underflow in their product.
    norms = float(first.norm()), float(second.norm())
    if not all(math.isfinite(norm) and norm > 0 for norm in norms):
        return math.nan
    return max(-1.0, min(1.0, float((first / norms[0]) @ (second / norms[1]))))


def rank_correlation(a: Tensor, b: Tensor) -> float:
    """Spearman's correlation, which is Pearson's of the ranks: only the order of the values counts.

    Equal values share the mean of their ranks.

    Args:
        a: any shape.
        b: as many values as ``a``.

    Returns:
        -1 to 1; nan when one of them is constant or not finite.

    >>> round(rank_correlation(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 8.0, 27.0])), 6)
    1.0
    """
    if not (bool(a.isfinite().all()) and bool(b.isfinite().all())):
        return math.nan
    return correlation(_ranks(a), _ranks(b))


def structural_similarity(a: Tensor, b: Tensor) -> float:
    """SSIM of two maps, each scaled to [0, 1]: 1 for the same structure, near 0 for no common structure.

    The mean over all whole windows of (2 m_a m_b + c1)(2 s_ab + c2) / ((m_a^2 + m_b^2 + c1)(s_a^2 + s_b^2 + c2)),
    m for mean, s^2 for variance, s_ab for covariance, weighted by a Gaussian of sigma 1.5 truncated at 5 pixels;
    c1 = 0.01^2, c2 = 0.03^2. A map is clipped at its 99th percentile and divided by it, as it is for display.

    Args:
        a: magnitudes, float32 [H, W], not negative; at least 11 pixels along each side.
        b: magnitudes, float32 [H, W].

    Returns:
        At most 1; nan when one of them is zero everywhere or not finite.

    Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004.

    >>> ramp = torch.linspace(0, 1, 15).expand(15, 15)
    >>> round(structural_similarity(ramp, 3 * ramp), 6), round(structural_similarity(ramp, ramp.T), 2)
    (1.0, 0.04)
    """
    from skimage import metrics

    first, second = _displayed(a), _displayed(b)
    if first is None or second is None:
        return math.nan
    return float(
        metrics.structural_similarity(
            first.cpu().numpy(),
            second.cpu().numpy(),
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def _ranks(values: Tensor) -> Tensor:
    _, inverse, counts = torch.unique(values.flatten(), return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    return (last - (counts.double() - 1) / 2)[inverse]


def _displayed(values: Tensor) -> Tensor | None:
    """The map in float64, clipped at its 99th percentile and scaled to [0, 1]; None when there is nothing to show."""
    if not bool(values.isfinite().all()):
        return None
    flat = values.double().flatten()
    top = float(flat.kthvalue(max(1, round(_CLIP * flat.numel()))).values)
    top = top if top > 0 else float(flat.max())
    return values.double().clamp(max=top) / top if top > 0 else None
