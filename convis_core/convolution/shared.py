"""Weight sharing: a weight used at many positions has the sum of their gradients."""

import torch
from torch import Tensor
from torch.nn import functional

from convis_core.errors import SpecError
from convis_core.results.convolution import SharedWeight


def learn(x: Tensor, weights: Tensor, targets: Tensor) -> SharedWeight:
    """A one-dimensional convolution, its loss, and the gradient of every weight, term by term.

    y_m = sum_f w_f x_(m + f), L = 1/2 sum_m (y_m - t_m)^2, dL/dw_f = sum_m (y_m - t_m) x_(m + f).

    Args:
        x: [N].
        weights: [F].
        targets: [N - F + 1].

    Raises:
        SpecError: when the sizes do not fit or a number is missing.

    >>> import torch
    >>> from convis_core import convolution
    >>> learned = convolution.learn(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 1.0]), torch.tensor([2.0, 5.0]))
    >>> learned.outputs.tolist(), learned.errors.tolist(), learned.loss
    ([3.0, 5.0], [1.0, 0.0], 0.5)
    >>> learned.gradient.tolist()  # the first position alone contributes: 1 * 1 and 1 * 2
    [1.0, 2.0]
    """
    if not 1 <= len(weights) <= len(x):
        raise SpecError(f"{len(weights)} weights do not fit into {len(x)} inputs.")
    positions = len(x) - len(weights) + 1
    if len(targets) != positions:
        raise SpecError(f"{len(x)} inputs make {positions} outputs with this window; there are {len(targets)} targets.")
    if not (x.isfinite().all() and weights.isfinite().all() and targets.isfinite().all()):
        raise SpecError("A number is missing: fill in every cell.")
    used = x.unfold(0, len(weights), 1).T
    outputs = weights @ used
    errors = outputs - targets
    terms = used * errors
    loss = float(errors.square().sum() / 2)
    return SharedWeight(
        x, weights, outputs, targets, errors, terms, terms.sum(dim=1), _by_autograd(x, weights, targets), loss
    )


def _by_autograd(x: Tensor, weights: Tensor, targets: Tensor) -> Tensor:
    free = weights.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        outputs = functional.conv1d(x[None, None], free[None, None])[0, 0]
        (gradient,) = torch.autograd.grad((outputs - targets).square().sum() / 2, free)
    return gradient
