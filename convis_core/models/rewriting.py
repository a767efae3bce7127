"""The operations of a traced network, rewritten so that none is in place, random, or bound to a memory layout.

Every engine reads this list, and none of them has to handle what is handled here once.
"""

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import torch
from torch import fx, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from convis_core.errors import SpecError
from convis_core.models.mutation import out_of_place

_REWRITTEN = "convis_rewritten"

# In torch's native functions the third argument switches randomness on.
_NATIVE_DROPOUTS = frozenset({torch.dropout, torch.feature_dropout, torch.alpha_dropout, torch.feature_alpha_dropout})
_RANDOM = frozenset(
    {
        *("bernoulli", "gumbel_softmax", "multinomial", "normal", "poisson", "rand", "rand_like", "randint"),
        *("randint_like", "randn", "randn_like", "randperm"),
    }
)
_INSTANCE_NORMS = (
    (nn.BatchNorm1d, nn.InstanceNorm1d),
    (nn.BatchNorm2d, nn.InstanceNorm2d),
    (nn.BatchNorm3d, nn.InstanceNorm3d),
)


def rewrite(module: nn.Module, graph: fx.Graph, lines: Mapping[fx.Node, str]) -> fx.GraphModule:
    """Bring a traced network to the form that ``symbolic`` guarantees.

    Args:
        module: the network that was traced; it is not changed.
        graph: its operations; they are changed.
        lines: the line of the network's code that each operation comes from, for error messages.

    Returns:
        The operations as a module, in eval mode.

    Raises:
        SpecError: when something cannot be rewritten.
    """
    changed = _return_logits(graph)
    changed |= out_of_place(graph, module, lines)
    for node in graph.nodes:
        changed |= _fix(node, lines)
    graph.eliminate_dead_code(is_impure_node=lambda node: node.op in ("placeholder", "output"))
    graph.lint()
    graph_module = fx.GraphModule(module, graph, type(module).__name__)
    for target in dict.fromkeys(str(node.target) for node in graph.nodes if node.op == "call_module"):
        layer = graph_module.get_submodule(target)
        twin = _fixed_layer(layer)
        if twin is not layer:
            path, _, name = target.rpartition(".")
            setattr(graph_module.get_submodule(path), name, twin)
            changed |= any(part.training or _reads_the_batch(part) for part in layer.modules())
    for part in graph_module.modules():
        if part.training:
            part.training = False
    graph_module.meta[_REWRITTEN] = changed
    return graph_module


def is_rewritten(graph_module: fx.GraphModule) -> bool:
    """Whether the operations compute something other than the module that they were traced from.

    Setting the module's layers to out of place does not count as a difference.

    Args:
        graph_module: from ``rewrite``.
    """
    return bool(graph_module.meta[_REWRITTEN])


def _return_logits(graph: fx.Graph) -> bool:
    """Make the network return one tensor; whether that changed it."""
    output = next(node for node in reversed(graph.nodes) if node.op == "output")
    value: Any = output.args[0]
    while not isinstance(value, fx.Node) or (value.op == "call_function" and isinstance(value.target, type)):
        parts = _parts(value)
        tensors = {name: part for name, part in parts.items() if part is not None}
        if "logits" not in tensors and len(tensors) != 1:
            names = ", ".join(tensors) or "nothing"
            raise SpecError(
                "A network must return logits [N, C] or something with a part called 'logits'; this one returns "
                f"{names}, and which of these are the logits cannot be known; return them alone."
            )
        value = tensors.get("logits", next(iter(tensors.values())))
    if value is output.args[0]:
        return False
    output.args = (value,)
    return True


def _parts(value: Any) -> dict[str, Any]:
    """The parts of a compound output, by name."""
    if isinstance(value, Mapping):
        return {str(name): part for name, part in value.items()}
    if isinstance(value, tuple | list):
        return {f"part {index}": part for index, part in enumerate(value)}
    if isinstance(value, fx.Node):  # the construction of a named tuple or a dataclass
        names = getattr(value.target, "_fields", range(len(value.args)))
        return {**{str(name): part for name, part in zip(names, value.args, strict=True)}, **value.kwargs}
    raise SpecError(f"A network must return logits [N, C]; this one returns {value!r}.")


def _fix(node: fx.Node, lines: Mapping[fx.Node, str]) -> bool:
    """Make one operation independent of chance, of the batch and of the memory layout; whether it was changed."""
    if node.op == "call_method":
        return _fix_method(node, lines)
    if node.op != "call_function":
        return False
    if node.target in _NATIVE_DROPOUTS:
        return _set(node, "train", 2, False)
    if node.target is functional.batch_norm:
        return _fix_batch_norm(node)
    if node.target is functional.scaled_dot_product_attention:
        return _set(node, "dropout_p", 4, 0.0) if _argument(node, "dropout_p", 4, 0.0) else False
    if getattr(node.target, "__name__", "") == "stochastic_depth":
        random = bool(_argument(node, "training", 3, True))
        node.target, node.args, node.kwargs = functional.dropout, node.args[:1], {"training": False}
        node.meta.pop("is_wrapped", None)  # otherwise torch.fx wraps the new function by name, for all later networks
        return random
    position = _position(node.target, "training")
    if position is not None and _argument(node, "training", position, _default(node.target, "training")):
        return _set(node, "training", position, False)
    if getattr(node.target, "__name__", "") in _RANDOM:
        _refuse(node, lines, "draws random numbers, so the same picture would be answered differently each time")
    return False


def _fix_method(node: fx.Node, lines: Mapping[fx.Node, str]) -> bool:
    name = str(node.target)
    if name in _RANDOM:
        _refuse(node, lines, "draws random numbers, so the same picture would be answered differently each time")
    if name == "as_strided":
        _refuse(node, lines, "reads memory in an order of its own, which depends on how a tensor is stored")
    if name == "view" and not any(isinstance(argument, torch.dtype) for argument in _arguments(node)):
        node.target = "reshape"
        if "size" in node.kwargs:
            node.args, node.kwargs = (*node.args, node.kwargs["size"]), {}
        return True
    if name == "view_as":
        node.target = "reshape_as"
        return True
    return False


def _fix_batch_norm(node: fx.Node) -> bool:
    """Replace the statistics of the batch by those of each picture: the same for a batch of one."""
    if not _argument(node, "training", 5, False) and _argument(node, "running_mean", 1, None) is not None:
        return False
    node.kwargs = {
        "weight": _argument(node, "weight", 3, None),
        "bias": _argument(node, "bias", 4, None),
        "use_input_stats": True,
        "eps": _argument(node, "eps", 7, 1e-5),
    }
    node.target, node.args = functional.instance_norm, (_argument(node, "input", 0, None),)
    return True


def _fixed_layer(layer: nn.Module) -> nn.Module:
    """The layer itself, or a copy with the same weights in eval mode, out of place, and independent of the batch."""
    if isinstance(layer, _BatchNorm) and _reads_the_batch(layer):
        kind = next((instance for batch, instance in _INSTANCE_NORMS if isinstance(layer, batch)), nn.InstanceNorm2d)
        norm = kind(layer.num_features, eps=layer.eps).eval()
        norm.affine = layer.affine
        norm._parameters.update(layer._parameters)
        return norm
    if not any(part.training or _is_in_place(part) or _reads_the_batch(part) for part in layer.modules()):
        return layer
    twin = copy.copy(layer)
    twin._modules = {name: child and _fixed_layer(child) for name, child in layer._modules.items()}
    twin.training = False
    if _is_in_place(twin):
        twin.inplace = False  # type: ignore[assignment]
    return twin


def _is_in_place(layer: nn.Module) -> bool:
    return getattr(layer, "inplace", False) is True


def _reads_the_batch(layer: nn.Module) -> bool:
    """Whether it is a batch norm without running statistics."""
    return isinstance(layer, _BatchNorm) and layer.running_mean is None


def _refuse(node: fx.Node, lines: Mapping[fx.Node, str], why: str) -> NoReturn:
    raise SpecError(f"The network {why}: {lines.get(node) or node.name}.")


def _arguments(node: fx.Node) -> Iterator[Any]:
    yield from node.args
    yield from node.kwargs.values()


def _argument(node: fx.Node, name: str, position: int, default: Any) -> Any:
    if name in node.kwargs:
        return node.kwargs[name]
    return node.args[position] if len(node.args) > position else default


def _set(node: fx.Node, name: str, position: int, value: Any) -> bool:
    if len(node.args) > position:
        node.args = (*node.args[:position], value, *node.args[position + 1 :])
    else:
        node.kwargs = {**node.kwargs, name: value}
    return True


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # a function of torch that is not written in Python
        return {}


def _position(function: Any, name: str) -> int | None:
    names = list(_parameters(function))
    return names.index(name) if name in names else None


def _default(function: Any, name: str) -> Any:
    return _parameters(function)[name].default
