"""Gradients of many pictures at once: through the leaner network, in chunks that fit a budget of memory."""

import torch
from torch import Tensor, nn

from convis_core.engines.input_gradients import gradient_network, in_two_parts
from convis_core.models import LoadedModel
from convis_core.network.memo import once
from convis_core.runtime import lanes

CHUNK_BYTES = 112 * 2**20
"""What one chunk may keep for its backward pass. Two lanes work on two chunks, so twice as much at a time."""

MAP_BYTES = 20 * 2**20
"""What one layer's output may take; where a chunk's would take more, its pictures go through that layer one by one."""

MOST_IN_A_CHUNK = 4
"""Larger chunks are no faster, and the first frame would come later."""


def logit_gradients(model: LoadedModel, pictures: Tensor, target: int) -> tuple[Tensor, Tensor]:
    """For each picture, d logit_target / d pixel and the logit itself.

    Args:
        model: the network.
        pictures: pixels, float32 [N, 3, S, S], anywhere.
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
        # Pictures do not see each other, so the gradient of the sum is the gradient of each.
        gradients = torch.autograd.grad(logits.sum(), leaves)
    return torch.cat(gradients).cpu(), logits.detach().cpu()


@once
def chunk_size(model: LoadedModel) -> int:
    """How many pictures to differentiate at once: at least 1, at most ``MOST_IN_A_CHUNK``, within ``CHUNK_BYTES``.

    It depends on the network alone and not on the number of lanes, so that neither do the bits of the results.
    """
    return max(1, min(MOST_IN_A_CHUNK, CHUNK_BYTES // _bytes_kept(model)))


def _bytes_kept(model: LoadedModel) -> int:
    """What autograd keeps of one picture between the forward and the backward pass, weights left out."""
    module = gradient_network(model)
    weights = {tensor.untyped_storage().data_ptr() for tensor in [*module.parameters(), *module.buffers()]}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # an output that held itself would never be freed

    side = model.input_size
    example = next(iter(module.parameters()), torch.empty(0))
    with lanes.known_grad_mode(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        # Two of them: one alone goes another way.
        pictures = torch.zeros(2, 3, side, side, dtype=example.dtype, device=model.device)
        # The result is held until all is counted, or a freed tensor's address would be counted for two.
        logits = module(pictures.contiguous(memory_format=torch.channels_last).requires_grad_(True))
        total = sum(kept.values()) + logits.nbytes
    return max(1, total // 2)
