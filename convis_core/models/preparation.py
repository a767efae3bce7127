"""A copy of somebody's network that stands alone: on the CPU, in float32, in eval mode, with plain weights."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from convis_core.errors import SpecError
from convis_core.models.tracing import first_line


def own_copy(module: nn.Module) -> nn.Module:
    """A copy of the network in float32 and eval mode, without what torch.compile or DataParallel laid around it.

    Args:
        module: the network, which is not changed.

    Raises:
        SpecError: when it is scripted, has no weights yet, or cannot be copied.
    """
    module = _bare(module)
    for part in module.modules():
        if isinstance(part, torch.jit.ScriptModule):
            raise SpecError("A scripted network cannot be looked into; wrap the module that it was scripted from.")
        if any(tensor.is_meta or is_lazy(tensor) for tensor in _tensors(part)):
            raise SpecError("The network has layers without weights; load or initialise them, then wrap it.")
    # torch copies no tensor that was computed from others, such as a normalised weight: these are copied as values.
    memo: dict[int, Any] = {}
    for part in module.modules():
        for value in vars(part).values():
            if isinstance(value, Tensor) and not value.is_leaf:
                memo[id(value)] = value.detach().clone()
    try:
        network = copy.deepcopy(module, memo)
    except Exception as error:
        raise SpecError(f"The network cannot be copied: {first_line(error)}.") from error
    for part in list(network.modules()):
        for name, child in part.named_children():
            part._modules[name] = _bare(child)
    return network.cpu().float().eval().requires_grad_(False)


def fold(network: nn.Module) -> None:
    """Put the weights themselves in the place of what computes them, and take off all hooks.

    Weight norm, spectral norm, pruning and other parametrisations make a weight from tensors that are trained; after
    training it is a constant.

    Args:
        network: a copy of one's own; it is changed.
    """
    for part in list(network.modules()):
        if parametrize.is_parametrized(part):
            _fold_parametrisations(part)
        for hook in list(part._forward_pre_hooks.values()):
            if isinstance(hook, WeightNorm):
                remove_weight_norm(part, hook.name)
            elif isinstance(hook, SpectralNorm):
                remove_spectral_norm(part, hook.name)
            elif isinstance(hook, prune.BasePruningMethod):
                prune.remove(part, hook._tensor_name)
        for name, hooks in vars(part).items():
            if name.endswith(("_hooks", "_hooks_with_kwargs", "_hooks_always_called")) and hooks:
                hooks.clear()
    network.requires_grad_(False)


def _fold_parametrisations(part: nn.Module) -> None:
    # Not with remove_parametrizations: it changes the class, which the copy shares with the network it was made from.
    names = list(part.get_submodule("parametrizations")._modules)
    values = {name: getattr(part, name).detach().clone() for name in names}
    plain = parametrize.type_before_parametrizations(part)
    del part._modules["parametrizations"]
    part.__class__ = plain
    for name, value in values.items():
        part.register_parameter(name, nn.Parameter(value, requires_grad=False))


def _bare(module: nn.Module) -> nn.Module:
    """The network inside what torch.compile or data parallelism laid around it."""
    while True:
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            module = module.module
        elif type(module).__name__ == "OptimizedModule" and isinstance(
            vars(module)["_modules"].get("_orig_mod"), nn.Module
        ):
            module = vars(module)["_modules"]["_orig_mod"]
        else:
            return module


def _tensors(part: nn.Module) -> list[Tensor]:
    return [tensor for tensor in (*part._parameters.values(), *part._buffers.values()) if tensor is not None]
