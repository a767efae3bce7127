"""The traced network: read any layer, replace any operation, without a hook and without changing the shared model.

``torch.fx`` records a network as a list of operations. An interpreter runs through the list and can record what an
operation returned, change it, or carry it out by another rule. The network itself is never written to, so any number
of threads may do this at once.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.models.tracing import symbolic
from convis_core.network.axes import Axes, follow
from convis_core.network.memo import once
from convis_core.network.operations import Operation
from convis_core.network.shapes import Shapes, propagate
from convis_core.network.table import read_all
from convis_core.values import shown

Edit: TypeAlias = Callable[[Tensor], Tensor]
"""Takes the output of a layer and returns what the following layers read instead."""


@dataclass(frozen=True, slots=True, eq=False)
class Traced:
    """A network as a list of operations.

    Attributes:
        module: the operations, over the network's own layers and weights.
        names: operation -> name: the layer's own name where the layer is used first; for further uses, and for
            operations that are not layers, a name that no layer has, such as ``layer1.0.add``.
        shapes: operation -> shape of its output for one picture of the network's size; tensors only.
        operations: operation -> what it does.
        axes: operation -> which axes of its output are rows and columns, if any are.
    """

    module: fx.GraphModule
    names: Mapping[fx.Node, str]
    shapes: Shapes
    operations: Mapping[fx.Node, Operation]
    axes: Axes

    def node(self, layer: str) -> fx.Node:
        """The operation whose output is the output of the layer; of a block, its last operation.

        Raises:
            SpecError: when the network runs no layer of this name.
        """
        exact = [node for node, name in self.names.items() if name == layer]
        inside = [node for node, name in self.names.items() if name.startswith(f"{layer}.")]
        if not exact and not inside:
            raise SpecError(f"The network has no layer called {shown(layer)}.")
        return exact[0] if exact else inside[-1]

    def layer(self, node: fx.Node) -> nn.Module | None:
        """The layer that an operation runs; None for a function or method."""
        return self.module.get_submodule(str(node.target)) if node.op == "call_module" else None


@once
def trace(model: LoadedModel) -> Traced:
    """The model as a list of operations, traced once per model and shared.

    Args:
        model: the network.

    >>> from convis_core import models
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    >>> traced = trace(models.wrap(network, input_size=8))
    >>> traced.shapes[traced.node("1")], traced.operations[traced.node("1")].label
    ((1, 4, 6, 6), 'ReLU')
    """
    return _described(*symbolic(model.module), model.input_size)


@once
def fast(model: LoadedModel) -> Traced:
    """The same function in fewer and faster operations: batch norm folded, weights in channels-last order.

    A convolution followed by batch norm equals one convolution with other weights. All weights outside convolutions
    and folded batch norms are shared with the model. Logits differ from the model's by rounding only. Inputs should be
    in channels-last order too: ``x.contiguous(memory_format=torch.channels_last)``.

    Args:
        model: the network.

    >>> from convis_core import models
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 6), nn.Flatten())
    >>> model = models.wrap(network, input_size=8)
    >>> len(trace(model).operations), len(fast(model).operations)
    (7, 6)
    """
    return _described(*_fold(trace(model)), model.input_size)


@once
def shapes_at(model: LoadedModel, size: int) -> Shapes:
    """The output shape of every operation of ``trace(model)`` for a picture of another size.

    Args:
        model: the network.
        size: side of the picture, in pixels.

    >>> from convis_core import models
    >>> network = nn.Sequential(nn.Conv2d(3, 2, 3, stride=2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> model = models.wrap(network, input_size=9)
    >>> convolution = trace(model).node("0")
    >>> shapes_at(model, 9)[convolution], shapes_at(model, 17)[convolution]
    ((1, 2, 4, 4), (1, 2, 8, 8))
    """
    traced = trace(model)
    return traced.shapes if size == model.input_size else propagate(traced.module, size)


def _described(module: fx.GraphModule, names: Mapping[fx.Node, str], size: int) -> Traced:
    shapes = propagate(module, size)
    axes, operations = follow(module, shapes, read_all(module, shapes))
    return Traced(module, names, shapes, operations, axes)


def layer_names(model: LoadedModel) -> tuple[str, ...]:
    """Names of all operations of the network in order of execution, without the input and the output.

    Args:
        model: the network.

    >>> from convis_core import models
    >>> layer_names(models.wrap(nn.Sequential(nn.Conv2d(3, 2, 8), nn.Flatten()), input_size=8))
    ('normalise', '0', '1')
    """
    traced = trace(model)
    return tuple(name for node, name in traced.names.items() if node.op not in ("placeholder", "output", "get_attr"))


def forward(
    traced: Traced,
    x: Tensor,
    *,
    layers: Iterable[str] = (),
    relu: Edit | None = None,
    edits: Mapping[str, Edit] | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Run the network once, reading outputs of layers and changing them on the way.

    Gradients flow as they would through the network, so with ``x.requires_grad`` the tensors returned can be
    differentiated.

    Args:
        traced: from ``trace`` or ``fast``.
        x: pixels in [0, 1], float32 [N, 3, S, S], on the model's device.
        layers: names of the layers to read.
        relu: replaces every ReLU, whether a layer, a function or a method; given the activation's input.
        edits: layer name -> function of its output, whose result the following layers read.

    Returns:
        The logits [N, C], and for each name in ``layers`` that layer's output [N, C, H, W] after its edit.

    Raises:
        SpecError: when a name is not a layer of the network.

    >>> from convis_core import models
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 6, bias=False), nn.Flatten())
    >>> traced = trace(models.wrap(network, input_size=8))
    >>> logits, outputs = forward(traced, torch.rand(1, 3, 8, 8), layers=["1"], edits={"1": torch.zeros_like})
    >>> tuple(outputs["1"].shape), logits.tolist()
    ((1, 4, 6, 6), [[0.0, 0.0]])
    """
    wanted = {name: traced.node(name) for name in layers}
    changed = {traced.node(name): edit for name, edit in (edits or {}).items()}
    interpreter = _Interpreter(traced, relu, changed, set(wanted.values()))
    logits: Tensor = interpreter.run(x)
    return logits, {name: interpreter.outputs[node] for name, node in wanted.items()}


def record(model: LoadedModel, x: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
    """The outputs of the named layers for a picture, in one pass.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [N, 3, S, S].
        layers: names from ``layer_names``, or names of blocks, such as ``layer1.0``.

    Returns:
        name -> float32 [N, C, H, W] on the CPU.

    Raises:
        SpecError: when a name is not a layer of the network.

    >>> from convis_core import models
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 6), nn.Flatten())
    >>> outputs = record(models.wrap(network, input_size=8), torch.rand(5, 3, 8, 8), ["1", "2"])
    >>> {name: tuple(values.shape) for name, values in outputs.items()}
    {'1': (5, 4, 6, 6), '2': (5, 2, 1, 1)}
    """
    with torch.no_grad():
        _, outputs = forward(trace(model), x.to(model.device), layers=layers)
    return {name: value.cpu() for name, value in outputs.items()}


class _Interpreter(fx.Interpreter):
    """Runs the operations in order; torch.fx requires a subclass here."""

    def __init__(self, traced: Traced, relu: Edit | None, edits: Mapping[fx.Node, Edit], wanted: set[fx.Node]) -> None:
        super().__init__(traced.module)
        self.extra_traceback = False
        self._operations = traced.operations
        self.outputs: dict[fx.Node, Tensor] = {}
        self._relu = relu
        self._edits = edits
        self._wanted = wanted

    def run_node(self, n: fx.Node) -> Any:
        if self._relu is not None and self._operations[n].gate is not None:
            (argument, *_), _ = self.fetch_args_kwargs_from_env(n)
            result = self._relu(argument)
        else:
            result = super().run_node(n)
        if n in self._edits:
            result = self._edits[n](result)
        if n in self._wanted:
            self.outputs[n] = result
        return result


def _fold(traced: Traced) -> tuple[fx.GraphModule, dict[fx.Node, str]]:
    """Fold every batch norm that is a convolution's only reader into it; store convolution weights channels last."""
    layers = dict(traced.module.named_modules())
    replaced: dict[str, nn.Module] = {}
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    names: dict[fx.Node, str] = {}
    for node in traced.module.graph.nodes:
        convolution = _folded_into(node, layers)
        if convolution is not None:
            target = str(convolution.target)
            replaced[target] = fuse_conv_bn_eval(layers[target], layers[str(node.target)])
            copies[node] = copies[convolution]
        else:
            copies[node] = graph.node_copy(node, copies.__getitem__)
        if node in traced.names:
            # A folded convolution takes its batch norm's name, since it now gives the batch norm's output.
            names[copies[node]] = traced.names[node]
    for name, layer in layers.items():
        if isinstance(layer, nn.Conv2d):
            replaced[name] = _channels_last(replaced.get(name, layer))
    used = {str(node.target) for node in graph.nodes if node.op in ("call_module", "get_attr")}
    root = {name: replaced.get(name, layers.get(name)) for name in used if name in layers}
    tensors = {name: attribute(traced.module, name) for name in used if name not in layers}
    return fx.GraphModule({**root, **tensors}, graph), names


def _folded_into(node: fx.Node, layers: Mapping[str, nn.Module]) -> fx.Node | None:
    """The convolution that this batch norm can be folded into, if any."""
    if node.op != "call_module" or not isinstance(layers[str(node.target)], nn.BatchNorm2d):
        return None
    before = node.args[0]
    if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) != 1:
        return None
    used_once = sum(other.target == before.target for other in node.graph.nodes if other.op == "call_module") == 1
    return before if used_once and isinstance(layers[str(before.target)], nn.Conv2d) else None


def _channels_last(layer: nn.Module) -> nn.Module:
    """A convolution over the same weights in channels-last order."""
    twin = nn.Conv2d.__new__(nn.Conv2d)
    twin.__dict__ = {**layer.__dict__, "_parameters": dict(layer._parameters)}
    weight: Tensor = layer.get_parameter("weight")
    reordered = weight.detach().contiguous(memory_format=torch.channels_last)
    twin._parameters["weight"] = nn.Parameter(reordered, requires_grad=False)
    return twin


def attribute(module: nn.Module, name: str) -> Any:
    """The parameter, buffer or layer of a dotted name.

    Args:
        module: where the name begins.
        name: such as ``layer1.0.weight``.
    """
    value: Any = module
    for part in name.split("."):
        value = getattr(value, part)
    return value
