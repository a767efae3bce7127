"""What identifies a network, and whether its weights are finite."""

import hashlib
from collections.abc import Iterable, Mapping
from types import CodeType

import torch
from torch import Tensor, fx, nn

# What torch stores in a module besides the settings of the layer.
_BOOKKEEPING = frozenset(vars(nn.Module())) | {"training", "inplace"}
_PLAIN = (bool, int, float, complex, str, type(None))


def fingerprint(graph_module: fx.GraphModule, *further: object) -> str:
    """A digest of the function that a traced network computes.

    It covers the operations in their order, the settings and weights of every layer, and whatever else is given.

    Args:
        graph_module: a network as ``symbolic`` returns it.
        further: plain values that belong to the network's identity, such as the names of its classes.
    """
    digest = hashlib.sha256()
    for part in (graph_module.code, *_functions(graph_module), *_settings(graph_module), *map(repr, further)):
        digest.update(part.encode())
        digest.update(b"\0")
    state = {**dict(graph_module.named_parameters()), **dict(graph_module.named_buffers())}
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def not_finite(state: Mapping[str, Tensor]) -> str:
    """The name of the first tensor with a value that is not finite; empty if there is none.

    Args:
        state: name -> tensor, such as a module's state.

    >>> not_finite({"weight": torch.ones(2), "bias": torch.tensor([0.0, torch.inf])})
    'bias'
    """
    for name, tensor in state.items():
        if tensor.is_floating_point() and tensor.numel():
            low, high = torch.aminmax(tensor)
            if not (torch.isfinite(low) and torch.isfinite(high)):
                return name
    return ""


def _settings(module: nn.Module) -> Iterable[str]:
    """Every plain setting of every layer, including those that its printed form omits."""
    for name, layer in module.named_modules():
        if isinstance(layer, fx.GraphModule):
            continue
        settings = {key: value for key, value in vars(layer).items() if key not in _BOOKKEEPING and _is_plain(value)}
        yield f"{name} {type(layer).__qualname__} {sorted(settings.items())}"


def _functions(graph_module: fx.GraphModule) -> Iterable[str]:
    """The bytecode of the functions that are not torch's own: two of them may share a name."""
    for node in graph_module.graph.nodes:
        if node.op == "call_function" and (code := getattr(node.target, "__code__", None)) is not None:
            yield f"{node.name} {code.co_code.hex()} {_constants(code)}"


def _constants(code: CodeType) -> list[str]:
    return [
        f"{constant.co_code.hex()} {_constants(constant)}" if isinstance(constant, CodeType) else repr(constant)
        for constant in code.co_consts
    ]


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple | list):
        return all(_is_plain(item) for item in value)
    return isinstance(value, _PLAIN)
