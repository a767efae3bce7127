"""The shape of what every operation of a traced network returns."""

import copy
from collections.abc import Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor, fx, nn

from convis_core.results.architecture import Pair, Shape

Shapes: TypeAlias = Mapping[fx.Node, Shape]


def propagate(module: fx.GraphModule, size: int) -> Shapes:
    """Shapes for one picture [1, 3, size, size]; found without computing a single value where that is possible.

    Operations that return something else than a tensor are left out.

    Args:
        module: the traced network.
        size: side of the picture, in pixels.
    """
    twin = _on_meta(module)
    interpreter = _Shapes(twin)
    with torch.no_grad():
        try:
            interpreter.run(torch.empty(1, 3, size, size, device="meta"))
        except (RuntimeError, NotImplementedError):
            # An operation without a rule for shapes alone, or one that makes a tensor of its own on the CPU.
            twin, interpreter = module, _Shapes(module)
            example = next(iter(module.parameters()), torch.empty(0))
            interpreter.run(torch.zeros(1, 3, size, size, device=example.device, dtype=example.dtype))
    return {
        original: interpreter.found[copied]
        for original, copied in zip(module.graph.nodes, twin.graph.nodes, strict=True)
        if copied in interpreter.found
    }


def grid(shape: Shape) -> Pair:
    """Rows and columns of a map [N, C, H, W]; (1, 1) for what has none.

    >>> grid((1, 64, 56, 56)), grid((1, 1000))
    ((56, 56), (1, 1))
    """
    return (shape[2], shape[3]) if len(shape) == 4 else (1, 1)


def _on_meta(module: fx.GraphModule) -> fx.GraphModule:
    # A twin on the meta device, where tensors have shapes and no values. The memo tells deepcopy to take the
    # meta tensors for the weights, so that nothing large is copied.
    tensors: dict[int, Any] = {}
    for tensor in (*module.parameters(), *module.buffers()):
        tensors[id(tensor)] = tensor.to("meta")
    for parameter in module.parameters():
        tensors[id(parameter)] = nn.Parameter(parameter.to("meta"), requires_grad=False)
    twin: fx.GraphModule = copy.deepcopy(module, tensors)
    return twin


class _Shapes(fx.Interpreter):
    """Walks the operations and notes shapes; torch.fx asks for a subclass here."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.extra_traceback = False
        self.found: dict[fx.Node, Shape] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor):
            self.found[n] = tuple(result.shape)
        return result
