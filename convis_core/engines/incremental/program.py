"""The traced network as a list of steps that the engine can compute on crops or on whole maps."""

import math
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from convis_core.engines.incremental import steps as stepwise
from convis_core.engines.incremental.regions import Spans
from convis_core.engines.incremental.steps import Kind, Step
from convis_core.models import LoadedModel
from convis_core.network import Traced, fast, operations
from convis_core.network.axes import MAP
from convis_core.network.memo import once
from convis_core.network.operations import Operation, Region
from convis_core.network.trace import attribute
from convis_core.results.architecture import Padding

Shape: TypeAlias = tuple[int, ...]
Pair: TypeAlias = tuple[Shape, Shape]
Margins: TypeAlias = dict[tuple[int, float], tuple[int, int, int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A step with its position in the program: what it reads, and what reads it.

    Attributes:
        name: the operation's name in the traced graph.
        step: the operation.
        inputs: indices of the steps that it reads.
        shape: shape of its output for one picture; a map has three dimensions; None if it is not a tensor.
        spatial: whether it is computed in crops.
        value: of a constant, [1, ...].
        uses: indices of the steps that read it.
    """

    name: str
    step: Step
    inputs: tuple[int, ...]
    shape: tuple[int, ...] | None
    spatial: bool
    value: Any = None
    uses: tuple[int, ...] = ()

    @property
    def extent(self) -> tuple[int, int]:
        """Height and width of its output map."""
        return (0, 0) if self.shape is None else (self.shape[1], self.shape[2])


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A network as steps in order of execution.

    Attributes:
        steps: the steps; the last one gives the logits.
        tail: index from which on everything is computed for many windows at once, because it reads large weights
            and no maps.
        crossing: the steps before the tail that it reads; the logits if there is no tail.
        margins: (step, fill) -> (left, right, top, bottom) that its readers read beyond the map.
    """

    steps: tuple[Placed, ...]
    tail: int
    crossing: tuple[int, ...]
    margins: Margins


@once
def program(model: LoadedModel) -> Program:
    """The model's program, compiled once per model and shared.

    Args:
        model: the network.

    >>> from convis_core import models
    >>> layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(6), nn.Flatten(), nn.Linear(4, 2))
    >>> [placed.step.kind.value for placed in program(models.wrap(layers, input_size=8)).steps]
    ['input', 'pointwise', 'sliding', 'sliding', 'whole', 'whole']
    """
    with torch.no_grad():
        return _compile(model)


def spans(network: Program, axis: int, positions: NDArray[np.int64], window: int) -> list[Spans | None]:
    """The span that windows at these positions can change, along one axis, at every step that is computed in crops.

    Args:
        network: the program.
        axis: 0 for rows, 1 for columns.
        positions: first row (column) of each window.
        window: its height (width).
    """
    reached: list[Spans | None] = []
    for placed in network.steps:
        reached.append(_reach(placed, [reached[index] for index in placed.inputs], axis))
        if placed.step.kind is Kind.INPUT:
            reached[-1] = np.stack((positions, positions + window))
    return reached


def _reach(placed: Placed, before: list[Spans | None], axis: int) -> Spans | None:
    step = placed.step
    changed = [span for span in before if span is not None]
    if not placed.spatial or not changed:
        return None
    if step.kind is Kind.SLIDING and step.slides is not None:
        slide = step.slides[axis]
        reached = slide.projective(changed[0])
        return reached if step.grain == 1 else _union([reached, slide.tiles(changed[0], step.grain)])
    if step.kind is Kind.SHIFT:
        return changed[0] + step.shift[axis]
    return _union(changed)


def _union(parts: list[Spans]) -> Spans:
    """The smallest spans that contain all of these."""
    if len(parts) == 1:
        return parts[0]
    return np.stack((np.min([lows for lows, _ in parts], axis=0), np.max([highs for _, highs in parts], axis=0)))


def _compile(model: LoadedModel) -> Program:
    placed = _Compiler(fast(model)).steps()
    uses = [[later for later, reader in enumerate(placed) if index in reader.inputs] for index in range(len(placed))]
    steps = [replace(one, uses=tuple(readers)) for one, readers in zip(placed, uses, strict=True)]
    tail = _tail(steps)
    read = {index for one in steps[tail:] for index in one.inputs if index < tail}
    crossing = tuple(sorted(index for index in read if steps[index].step.kind is not Kind.CONSTANT))
    return Program(tuple(steps), tail, crossing or (len(steps) - 1,), _margins(steps))


class _Compiler:
    """The state of a compilation, which turns nodes into steps one by one."""

    def __init__(self, traced: Traced) -> None:
        self._traced = traced
        self._placed: list[Placed] = []
        self._index: dict[fx.Node, int] = {}

    def steps(self) -> list[Placed]:
        """The steps in order; the last one gives the logits."""
        for node in self._traced.module.graph.nodes:
            if node.op == "output":
                logits = self._index[node.args[0]]
                if logits != len(self._placed) - 1:
                    self._place(node.name, Step(Kind.WHOLE, _same, _same), (logits,), self._placed[logits].shape)
            elif node not in self._index:  # an activation fused into its convolution is there already
                self._index[node] = self._add(node)
        return self._placed

    def _place(self, name: str, step: Step, inputs: tuple[int, ...], shape: Shape | None, value: Any = None) -> int:
        spatial = step.kind not in (Kind.CONSTANT, Kind.SHAPE, Kind.WHOLE)
        self._placed.append(Placed(name, step, inputs, shape, spatial, value))
        return len(self._placed) - 1

    def _add(self, node: fx.Node) -> int:
        shape = self._shape(node)
        if node.op == "placeholder":
            return self._place(node.name, Step(Kind.INPUT, _same, _same), (), shape)
        if node.op == "get_attr":
            return self._constant(node.name, attribute(self._traced.module, str(node.target)))
        layer, operation = self._traced.layer(node), self._traced.operations[node]
        inputs = tuple(self._index[before] for before in node.all_input_nodes)
        call = stepwise.generic(node, layer)
        if all(self._placed[index].step.kind is Kind.CONSTANT for index in inputs):
            return self._constant(node.name, call(*[self._placed[index].value for index in inputs]))
        if operation.region is Region.NONE:
            return self._place(node.name, Step(Kind.SHAPE, call, call), inputs, None)
        if len(inputs) == 1:
            return self._add_single(node, layer, inputs[0])
        if stepwise.is_merge(operation) and self._is_map(node) and shape is not None:
            operands = [self._as_map(index, shape, operation) for index in inputs]
            if None not in operands:
                maps = tuple(index for index in operands if index is not None)
                return self._place(node.name, Step(Kind.MERGE, call, call), maps, shape)
        return self._place(node.name, stepwise.whole(call), inputs, shape)

    def _add_single(self, node: fx.Node, layer: nn.Module | None, source: int) -> int:
        shapes, operation = self._traced.shapes, self._traced.operations[node]
        before, after = shapes.get(node.all_input_nodes[0]), shapes.get(node)
        call = stepwise.generic(node, layer)
        if before is None or after is None:
            return self._place(node.name, stepwise.whole(call), (source,), self._shape(node))
        if stepwise.is_identity(operation, (before, after)):
            return source
        if self._convolution_pads(node, layer, operation):
            return source
        step = None
        if self._is_map(node) and self._is_map(node.all_input_nodes[0]):
            if operation.kind == operations.AVERAGE_POOL and self._placed[source].spatial:
                return self._average(node, layer, operation, source)
            step = self._convolution(node, layer, operation, (before, after))
            step = step or stepwise.map_step(node, layer, operation, (before, after))
        step = step or stepwise.linear(layer, before) or stepwise.whole(call)
        if step.kind is not Kind.WHOLE and not self._placed[source].spatial:
            per_picture = step.multiply_adds * math.prod(after[2:])
            step = Step(Kind.WHOLE, step.whole, step.whole, multiply_adds=per_picture)
        return self._place(node.name, step, (source,), self._shape(node))

    def _convolution_pads(self, node: fx.Node, layer: nn.Module | None, operation: Operation) -> bool:
        """Whether this is zero padding whose only reader is a convolution that can do it."""
        follower = next(iter(node.users)) if len(node.users) == 1 else None
        if follower is None or not stepwise.pads_with_zeros(node, layer, operation):
            return False
        read = self._traced.operations[follower]
        return read.kind == operations.CONVOLUTION and isinstance(self._traced.layer(follower), nn.Conv2d)

    def _convolution(self, node: fx.Node, layer: nn.Module | None, operation: Operation, sizes: Pair) -> Step | None:
        """The convolution, fused with the ReLU after it if that is its only reader."""
        follower = next(iter(node.users)) if len(node.users) == 1 else None
        gate = None if follower is None else self._traced.operations[follower].gate
        padding = node.all_input_nodes[0]
        if padding.op != "placeholder" and self._convolution_pads(*self._read(padding)):
            before = self._traced.shapes.get(padding.all_input_nodes[0])
            margins = [sum(pair) for pair in zip(operation.padding, self._read(padding)[2].padding, strict=True)]
            operation = replace(operation, padding=Padding(*margins))
            sizes = sizes if before is None else (before, sizes[1])
        step = stepwise.convolution(layer, operation, sizes, gate)
        if step is not None and gate is not None and follower is not None:
            self._index[follower] = len(self._placed)
        return step

    def _average(self, node: fx.Node, layer: nn.Module | None, operation: Operation, source: int) -> int:
        before, after = self._traced.shapes.get(node.all_input_nodes[0]), self._traced.shapes.get(node)
        if before is None or after is None:
            raise TypeError(f"The pooling {node.name} has no map.")
        shape = tuple(after[1:])
        step, divisors = stepwise.average_pool(node, layer, operation, (before, after))
        pooled = self._place(node.name, step, (source,), shape)
        if divisors is None:
            return pooled
        divisor = self._constant(f"{node.name}_divisors", divisors)
        return self._place(f"{node.name}_mean", Step(Kind.MERGE, torch.div, torch.div), (pooled, divisor), shape)

    def _constant(self, name: str, value: Any) -> int:
        return self._place(name, Step(Kind.CONSTANT, _same, _same), (), None, value)

    def _as_map(self, index: int, shape: Shape, operation: Operation) -> int | None:
        """The step as an operand of a merge with an output of this shape, if it can be one."""
        placed = self._placed[index]
        joined = operation.kind == operations.CONCAT
        if placed.spatial and placed.shape is not None:
            return index if placed.shape[1:] == shape[1:] and (joined or placed.shape == shape) else None
        if joined or not isinstance(placed.value, Tensor) or placed.step.kind is not Kind.CONSTANT:
            return None
        try:
            return self._constant(placed.name, placed.value.broadcast_to((1, *shape)))
        except RuntimeError:  # it would enlarge the map
            return None

    def _read(self, node: fx.Node) -> tuple[fx.Node, nn.Module | None, Operation]:
        return node, self._traced.layer(node), self._traced.operations[node]

    def _is_map(self, node: fx.Node) -> bool:
        return self._traced.axes.get(node) == MAP and len(self._traced.shapes.get(node, ())) == 4

    def _shape(self, node: fx.Node) -> Shape | None:
        shape = self._traced.shapes.get(node)
        return None if shape is None else shape[1:]


def _tail(steps: list[Placed]) -> int:
    """The index of the first linear layer, if from there on only tensors are read and nothing is computed in crops."""
    first = next((index for index, placed in enumerate(steps) if placed.step.heavy), len(steps))
    following = steps[first:]
    sources = {index for placed in following for index in placed.inputs if index < first}
    clean = all(steps[index].shape is not None or steps[index].step.kind is Kind.CONSTANT for index in sources)
    whole = all(placed.step.kind in (Kind.WHOLE, Kind.CONSTANT) for placed in following)
    return first if clean and whole else len(steps)


def _margins(steps: list[Placed]) -> Margins:
    margins: Margins = {}
    for placed in steps:
        for index in placed.inputs:
            source = steps[index]
            if placed.step.slides is not None and placed.step.kind is Kind.SLIDING:
                rows, columns = placed.step.slides
                if not (rows.is_trivial and columns.is_trivial):
                    wanted = (columns.before, columns.after, rows.before, rows.after)
                    before = margins.get((index, placed.step.fill), (0, 0, 0, 0))
                    widest = [max(pair) for pair in zip(before, wanted, strict=True)]
                    margins[index, placed.step.fill] = (widest[0], widest[1], widest[2], widest[3])
            elif (
                placed.step.kind in (Kind.MERGE, Kind.WHOLE)
                and (source.spatial or placed.step.kind is Kind.MERGE)
                and not any(step == index for step, _ in margins)
            ):
                margins[index, 0.0] = (0, 0, 0, 0)
    return margins


def _same(x: Any) -> Any:
    return x
