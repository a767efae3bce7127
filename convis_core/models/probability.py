"""From logits to probabilities, the same for every network."""

from torch import Tensor


def probabilities(logits: Tensor) -> Tensor:
    """The probability of each class.

    p_c = exp(logit_c) / sum_k exp(logit_k); for a network with a single output, p = 1 / (1 + exp(-logit)), the
    probability that the picture shows its one class.

    Args:
        logits: [..., C].

    Returns:
        [..., C]; along the last axis they sum to 1 when C is 2 or more.

    >>> import torch
    >>> probabilities(torch.tensor([0.0, 0.0])), probabilities(torch.tensor([0.0]))
    (tensor([0.5000, 0.5000]), tensor([0.5000]))
    """
    return logits.softmax(dim=-1) if logits.shape[-1] > 1 else logits.sigmoid()
