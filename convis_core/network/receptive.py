"""The receptive field of a cell: the pixels of the picture that it depends on.

Along one axis, let the cells of a layer see ``size`` pixels each, the first cell from pixel ``start`` on and
each next one ``jump`` pixels further. For the picture itself size = jump = 1 and start = 0. A window of k
taps, d cells apart, moved by s cells with p cells of padding before the first, turns these into

    size' = size + d * (k - 1) * jump,    start' = start - p * jump,    jump' = jump * s.

Where branches meet (add, concatenation) a cell sees what it sees through any of them, so the field reaches
from the first pixel of the first branch to the last pixel of the last. This is the algebra of A. Araujo, W.
Norris and J. Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019
(doi:10.23915/distill.00021), applied to the traced network as it is, with asymmetric padding, dilation and any
number of branches.

``field`` gives these numbers, as if the picture had no border. ``box`` gives the pixels that one particular
cell sees: it applies the rule backwards from the cell, and leaves out cells in the padding or past the last
window at every layer, not only at the picture's edge.
"""

from collections.abc import Mapping

from torch import fx

from convis_core.models import LoadedModel
from convis_core.network.axes import cells
from convis_core.network.memo import once
from convis_core.network.operations import Operation, Region
from convis_core.network.trace import Traced, shapes_at, trace
from convis_core.results.architecture import NO_PADDING, Box, Pair, ReceptiveField
from convis_core.values import check_whole

_SAME_CELL = (Region.CELL, Region.REARRANGED)
_PICTURE = ReceptiveField(size=(1, 1), jump=(1, 1), start=(0, 0))


def field(model: LoadedModel, layer: str) -> ReceptiveField:
    """The receptive field of a layer's cells.

    A layer without rows and columns, such as a linear one, counts as one window over the whole map. So does
    an operation that is not known to have a window: a field is never underestimated.

    Args:
        model: the network.
        layer: a name from ``network.layer_names``, or the name of a block.

    Raises:
        SpecError: when the network has no such layer.

    >>> from torch import nn
    >>> from convis_core import models
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 2, 3), nn.Flatten())
    >>> field(models.wrap(network, input_size=8), "1")
    ReceptiveField(size=(7, 7), jump=(2, 2), start=(-1, -1))
    """
    return fields(model)[trace(model).node(layer)]


@once
def fields(model: LoadedModel) -> dict[fx.Node, ReceptiveField]:
    """The receptive field of every operation of ``network.trace(model)`` that depends on the pixels' values.

    Args:
        model: the network.
    """
    return _all_fields(trace(model))


def box(model: LoadedModel, layer: str, row: int, column: int, size: int | None = None) -> Box:
    """The smallest rectangle of pixels that holds everything one cell of a layer can see.

    Exact at the borders. A cell that sees nothing but padding has an empty box, Box(0, 0, 0, 0).

    Args:
        model: the network.
        layer: a name from ``network.layer_names``, or the name of a block.
        row: the cell's row; 0 for a layer without rows and columns.
        column: the cell's column; likewise.
        size: side of the picture, in pixels; without it, the side that the network was made for.

    Raises:
        SpecError: when the network has no such layer, or the layer no such cell.

    >>> from torch import nn
    >>> from convis_core import models
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 2, 3), nn.Flatten())
    >>> box(models.wrap(network, input_size=8), "1", 0, 1)
    Box(top=0, left=1, bottom=6, right=8)
    """
    traced = trace(model)
    shapes = shapes_at(model, model.input_size if size is None else size)
    end = traced.node(layer)
    grids = {node: cells(shapes[node], traced.axes.get(node)) for node in shapes}
    rows, columns = grids.get(end, (1, 1))
    check_whole(f"The row of a cell of layer {layer}", row, 0, rows - 1)
    check_whole(f"The column of a cell of layer {layer}", column, 0, columns - 1)
    depends = fields(model)
    seen = {end: Box(row, column, row + 1, column + 1)}
    for node in reversed(traced.module.graph.nodes):
        if node not in seen or node.op == "placeholder":
            continue
        for source in node.all_input_nodes:
            if source not in depends:
                continue
            made, read = (_grid_of(each, traced, grids) for each in (node, source))
            through = _behind(traced.operations[node], seen[node], made, read)
            if through is not None:
                seen[source] = _union(seen[source], through) if source in seen else through
    return next((seen[node] for node in seen if node.op == "placeholder"), Box(0, 0, 0, 0))


def extent(operation: Operation) -> Pair:
    """Height and width of a window from its first tap to its last, in cells: d * (k - 1) + 1.

    Args:
        operation: with a window.

    >>> extent(Operation("convolution", kernel=(3, 5), dilation=(2, 1)))
    (5, 5)
    """
    (kernel_down, kernel_across), (step_down, step_across) = operation.kernel, operation.dilation
    return step_down * (kernel_down - 1) + 1, step_across * (kernel_across - 1) + 1


def _grid_of(node: fx.Node, traced: Traced, grids: Mapping[fx.Node, Pair]) -> Pair | None:
    """Rows and columns of an operation's output, None if it has none; parts of a split have its grid."""
    if node not in traced.axes:
        return None
    return grids[node] if node in grids else _grid_of(node.all_input_nodes[0], traced, grids)


def _all_fields(traced: Traced) -> dict[fx.Node, ReceptiveField]:
    shapes = traced.shapes
    known: dict[fx.Node, ReceptiveField] = {}
    # A flattened map is recorded with its former grid: a linear layer after it is a window over that grid.
    grids: dict[fx.Node, Pair] = {}
    for node in traced.module.graph.nodes:
        sources = [source for source in node.all_input_nodes if source in known]
        if node.op == "placeholder":
            known[node], grids[node] = _PICTURE, cells(shapes[node], traced.axes[node])
        elif sources and node.op != "output" and traced.operations[node].region is not Region.NONE:
            operation = traced.operations[node]
            cellwise = operation.region in _SAME_CELL
            if node in shapes and node in traced.axes:
                made = cells(shapes[node], traced.axes[node])
            else:
                # A flattened map is recorded with its former grid, and so is the list that a split returns.
                same = node in traced.axes or operation.region in (*_SAME_CELL, Region.FLATTEN)
                made = grids[sources[0]] if same else (1, 1)
            branches = [
                (_after(operation, known[source], grids[source], made), grids[source] if cellwise else made)
                for source in sources
            ]
            known[node], grids[node] = _meet(branches, made), made
    return known


def _after(operation: Operation, before: ReceptiveField, cells: Pair, made: Pair) -> ReceptiveField:
    """The field after an operation from ``cells`` to ``made`` cells, from the field before it."""
    if operation.region in (*_SAME_CELL, Region.FLATTEN):
        return before
    padding = NO_PADDING
    if operation.has_window:
        window, stride, padding = extent(operation), operation.stride, operation.padding
    elif operation.region is Region.ADAPTIVE:
        window = (_widest(cells[0], made[0]), _widest(cells[1], made[1]))
        stride = (cells[0] // made[0], cells[1] // made[1])
    else:
        # One window over the whole map. If it produces many cells, all of them see the same: the stride is 0.
        window = cells
        stride = cells if made == (1, 1) else (0, 0)
    (down, across), jump = before.size, before.jump
    return ReceptiveField(
        size=(down + (window[0] - 1) * jump[0], across + (window[1] - 1) * jump[1]),
        jump=(jump[0] * stride[0], jump[1] * stride[1]),
        start=(before.start[0] - padding.top * jump[0], before.start[1] - padding.left * jump[1]),
    )


def _meet(branches: list[tuple[ReceptiveField, Pair]], made: Pair) -> ReceptiveField:
    """The field of cells that depend on several maps at once, each given with its grid."""
    down, across = _meet_axis(branches, made[0], 0), _meet_axis(branches, made[1], 1)
    return ReceptiveField((down[0], across[0]), (down[1], across[1]), (down[2], across[2]))


def _meet_axis(branches: list[tuple[ReceptiveField, Pair]], made: int, axis: int) -> tuple[int, int, int]:
    """Size, jump and start along one axis."""
    # A map of one cell that is broadcast to many (a gate of squeeze-and-excitation) does not move with them.
    jumps = [seen.jump[axis] if cells[axis] == made else 0 for seen, cells in branches]
    jump = max(jumps)
    first, last = [], []
    for (seen, _), step in zip(branches, jumps, strict=True):
        # A branch with a smaller jump than the largest widens the field from cell to cell: the last cell decides.
        behind = (jump - step) * (made - 1)
        first.append(seen.start[axis] - behind)
        last.append(seen.start[axis] + seen.size[axis])
    return max(last) - min(first), jump, min(first)


def _behind(operation: Operation, seen: Box, made: Pair | None, source: Pair | None) -> Box | None:
    """The cells of a source that the cells ``seen`` of the operation's output depend on."""
    rows, columns = source or (1, 1)
    whole = Box(0, 0, rows, columns)
    if made is None or source is None:
        return whole
    if operation.region in _SAME_CELL:
        down = (seen.top, seen.bottom) if rows == made[0] else (0, rows)
        across = (seen.left, seen.right) if columns == made[1] else (0, columns)
    elif operation.has_window:
        reached_down = _reached((seen.top, seen.bottom), operation, 0, rows)
        reached_across = _reached((seen.left, seen.right), operation, 1, columns)
        if reached_down is None or reached_across is None:
            return None
        down, across = reached_down, reached_across
    elif operation.region is Region.ADAPTIVE:
        down = (_adaptive_start(seen.top, rows, made[0]), _adaptive_end(seen.bottom - 1, rows, made[0]))
        across = (
            _adaptive_start(seen.left, columns, made[1]),
            _adaptive_end(seen.right - 1, columns, made[1]),
        )
    else:
        return whole
    return Box(down[0], across[0], down[1], across[1])


def _reached(cells: Pair, operation: Operation, axis: int, length: int) -> Pair | None:
    """First, and one past the last, position along an axis of the map that the cells' windows read."""
    before = operation.padding.top if axis == 0 else operation.padding.left
    positions = (
        cell * operation.stride[axis] - before + tap * operation.dilation[axis]
        for cell in range(*cells)
        for tap in range(operation.kernel[axis])
    )
    inside = [position for position in positions if 0 <= position < length]
    return (min(inside), max(inside) + 1) if inside else None


def _adaptive_start(cell: int, length: int, made: int) -> int:
    return cell * length // made


def _adaptive_end(cell: int, length: int, made: int) -> int:
    return -(-(cell + 1) * length // made)


def _widest(length: int, made: int) -> int:
    return max(_adaptive_end(cell, length, made) - _adaptive_start(cell, length, made) for cell in range(made))


def _union(one: Box, other: Box) -> Box:
    return Box(
        min(one.top, other.top),
        min(one.left, other.left),
        max(one.bottom, other.bottom),
        max(one.right, other.right),
    )
