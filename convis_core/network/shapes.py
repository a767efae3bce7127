"""The output shape of every operation of a traced network."""

import copy
from collections.abc import Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor, fx, nn

from convis_core.results.architecture import Pair, Shape

Shapes: TypeAlias = Mapping[fx.Node, Shape]


def propagate(module: fx.GraphModule, size: int) -> Shapes:
    """The output shapes for one picture [1, 3, size, size], where possible without computing a single value.

    Operations that return something other than a tensor are left out.

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
        original: interpreter.shapes[copied]
        for original, copied in zip(module.graph.nodes, twin.graph.nodes, strict=True)
        if copied in interpreter.shapes
    }


def grid(shape: Shape) -> Pair:
    """Rows and columns of a feature map [N, C, H, W]; (1, 1) for a tensor without them.

    >>> grid((1, 64, 56, 56)), grid((1, 1000))
    ((56, 56), (1, 1))
    """
    return (shape[2], shape[3]) if len(shape) == 4 else (1, 1)


def _on_meta(module: fx.GraphModule) -> fx.GraphModule:
    # A copy on the meta device, where tensors have shapes and no values. The memo makes deepcopy use the meta
    # tensors in place of the weights, so that nothing large is copied.
    tensors: dict[int, Any] = {}
    for tensor in (*module.parameters(), *module.buffers()):
        tensors[id(tensor)] = tensor.to("meta")
    for parameter in module.parameters():
        tensors[id(parameter)] = nn.Parameter(parameter.to("meta"), requires_grad=False)
    twin: fx.GraphModule = copy.deepcopy(module, tensors)
    return twin


class _Shapes(fx.Interpreter):
    """Runs the operations and records output shapes; torch.fx requires a subclass here."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.extra_traceback = False
        self.shapes: dict[fx.Node, Shape] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor):
            self.shapes[n] = tuple(result.shape)
        return result
