"""Gradients for many pictures: through the network prepared for input gradients, in chunks within a memory budget."""

import torch
from torch import Tensor, nn

from convis_core.engines.input_gradients import gradient_network, in_two_parts
from convis_core.models import LoadedModel
from convis_core.network.memo import once
from convis_core.runtime import lanes

CHUNK_BYTES = 112 * 2**20
"""Memory that one chunk may save for its backward pass. Two lanes work on two chunks and save twice as much."""

MAP_BYTES = 20 * 2**20
"""Memory of one layer's output; where a chunk would need more, its pictures pass that layer one by one."""

MOST_IN_A_CHUNK = 4
"""Larger chunks are no faster, and would delay the first frame."""


def logit_gradients(model: LoadedModel, pictures: Tensor, target: int) -> tuple[Tensor, Tensor]:
    """The gradient d logit_target / d pixel of each picture, and the logit.

    Args:
        model: the network.
        pictures: pixels, float32 [N, 3, S, S], on any device.
        target: index of the class.

    Returns:
        The gradients, float32 [N, 3, S, S], and the logits, float32 [N], both on the CPU.
    """
    whole = (nn.Identity(), gradient_network(model))
    first, second = in_two_parts(model, MAP_BYTES // (4 * chunk_size(model))) if len(pictures) > 1 else whole
    parts = [pictures] if isinstance(first, nn.Identity) else pictures.split(1)
    with lanes.known_grad_mode():
        leaves = [
            part.to(model.device, memory_format=torch.channels_last, copy=True).requires_grad_(True) for part in parts
        ]
        logits = second(torch.cat([first(leaf) for leaf in leaves]))[:, target]
        # Pictures do not affect each other, so the gradient of the sum contains the gradient of each.
        gradients = torch.autograd.grad(logits.sum(), leaves)
    return torch.cat(gradients).cpu(), logits.detach().cpu()


@once
def chunk_size(model: LoadedModel) -> int:
    """The number of pictures in a chunk: at least 1, at most ``MOST_IN_A_CHUNK``, within ``CHUNK_BYTES``.

    It depends only on the network and not on the number of lanes, so the bits of the results do not either.
    """
    return max(1, min(MOST_IN_A_CHUNK, CHUNK_BYTES // _saved_bytes(model)))


def _saved_bytes(model: LoadedModel) -> int:
    """Memory that autograd saves for one picture between the forward and the backward pass, without the weights."""
    module = gradient_network(model)
    weights = {tensor.untyped_storage().data_ptr() for tensor in [*module.parameters(), *module.buffers()]}
    saved: dict[int, int] = {}

    def record(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # an output that held itself would never be freed

    side = model.input_size
    example = next(iter(module.parameters()), torch.empty(0))
    with lanes.known_grad_mode(), torch.autograd.graph.saved_tensors_hooks(record, lambda tensor: tensor):
        # Two of them: a single picture takes a different path.
        pictures = torch.zeros(2, 3, side, side, dtype=example.dtype, device=model.device)
        # The result is held until all is counted, or the address of a freed tensor could be reused and count only once.
        logits = module(pictures.contiguous(memory_format=torch.channels_last).requires_grad_(True))
        total = sum(saved.values()) + logits.nbytes
    return max(1, total // 2)
