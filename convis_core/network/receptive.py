"""Which pixels a cell of a layer can see.

Along one axis, let the cells of a layer see ``size`` pixels each, the first cell from pixel ``start`` on and
each next one ``jump`` pixels further. For the picture itself size = jump = 1 and start = 0. A window of k
taps, d cells apart, moved by s cells with p cells of padding before the first, makes of these

    size' = size + d * (k - 1) * jump,    start' = start - p * jump,    jump' = jump * s.

Where branches meet (add, concatenation) a cell sees what it sees through any of them, so the field reaches
from the first pixel of the first branch to the last pixel of the last. This is the algebra of A. Araujo, W.
Norris and J. Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019
(doi:10.23915/distill.00021), carried out for the traced network as it is: lopsided padding, dilation and any
number of branches included.

``field`` gives these numbers, as if the picture had no border. ``box`` gives the pixels that one particular
cell sees: there the rule is run backwards from the cell, and cells that lie in the padding or past the last
window are left out at every layer, not only at the picture's edge.
"""

import threading
from weakref import WeakKeyDictionary

from torch import fx

from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network import operations, trace
from convis_core.network.operations import Operation, Shapes, grid
from convis_core.results.architecture import NO_PADDING, Box, Pair, ReceptiveField, Shape

_PICTURE = ReceptiveField(size=(1, 1), jump=(1, 1), start=(0, 0))
_lock = threading.Lock()
_known: WeakKeyDictionary[LoadedModel, dict[fx.Node, ReceptiveField]] = WeakKeyDictionary()


def field(model: LoadedModel, layer: str) -> ReceptiveField:
    """The receptive field of a layer's cells.

    A layer without rows and columns, such as a linear one, counts as one window over the whole map. So does
    an operation that is not known to look through a window: a field is never given too small.

    Args:
        model: the network.
        layer: a name from ``graph.layer_names``, or the name of a block.

    Raises:
        SpecError: when the network has no such layer.
    """
    return fields(model)[trace(model).node(layer)]


def fields(model: LoadedModel) -> dict[fx.Node, ReceptiveField]:
    """The receptive field of every operation of ``graph.trace(model)`` that returns a tensor."""
    shapes = operations.shapes(model)
    with _lock:
        if model not in _known:
            _known[model] = _all_fields(trace(model).module, shapes)
        return _known[model]


def box(model: LoadedModel, layer: str, row: int, column: int, size: int | None = None) -> Box:
    """The smallest rectangle of pixels that holds everything one cell of a layer can see.

    Exact at the borders. A cell that sees nothing but padding has an empty box, Box(0, 0, 0, 0).

    Args:
        model: the network.
        layer: a name from ``graph.layer_names``, or the name of a block.
        row: the cell's row; 0 for a layer without rows and columns.
        column: the cell's column; likewise.
        size: side of the picture, in pixels; without it, the side that the network was made for.

    Raises:
        SpecError: when the network has no such layer, or the layer no such cell.
    """
    traced = trace(model)
    shapes = operations.shapes(model, size)
    end = traced.node(layer)
    rows, columns = grid(shapes.get(end, ()))
    if not (0 <= row < rows and 0 <= column < columns):
        raise SpecError(f"Layer {layer!r} has {rows} x {columns} cells; there is no cell ({row}, {column}).")
    seen = {end: Box(row, column, row + 1, column + 1)}
    for node in reversed(traced.module.graph.nodes):
        if node not in seen or node.op == "placeholder":
            continue
        operation = operations.read(node, traced.module, shapes)
        for source in node.all_input_nodes:
            through = _behind(operation, seen[node], shapes.get(node), shapes.get(source))
            if through is not None:
                seen[source] = _union(seen[source], through) if source in seen else through
    return next((seen[node] for node in seen if node.op == "placeholder"), Box(0, 0, 0, 0))


def extent(operation: Operation) -> Pair:
    """Height and width of a window from its first tap to its last, in cells: d * (k - 1) + 1."""
    (kernel_down, kernel_across), (step_down, step_across) = operation.kernel, operation.dilation
    return step_down * (kernel_down - 1) + 1, step_across * (kernel_across - 1) + 1


def _all_fields(module: fx.GraphModule, shapes: Shapes) -> dict[fx.Node, ReceptiveField]:
    known: dict[fx.Node, ReceptiveField] = {}
    # A flattened map keeps in mind the grid it was: a linear layer after it is a window over that grid.
    grids: dict[fx.Node, Pair] = {}
    for node in module.graph.nodes:
        sources = [source for source in node.all_input_nodes if source in known]
        if node.op == "placeholder":
            known[node], grids[node] = _PICTURE, grid(shapes[node])
        elif sources and node.op != "output":
            operation = operations.read(node, module, shapes)
            shape = shapes.get(node)
            cellwise = operation.kind in operations.CELLWISE
            flat = len(shape or ()) != 4 and (cellwise or operation.kind == operations.FLATTEN)
            made = grids[sources[0]] if flat else grid(shape or ())
            branches = [
                (_after(operation, known[source], grids[source], made), grids[source] if cellwise else made)
                for source in sources
            ]
            known[node], grids[node] = _meet(branches, made), made
    return known


def _after(operation: Operation, before: ReceptiveField, cells: Pair, made: Pair) -> ReceptiveField:
    """The field after an operation from ``cells`` to ``made`` cells, from the field before it."""
    if operation.kind in operations.CELLWISE or operation.kind == operations.FLATTEN:
        return before
    padding = NO_PADDING
    if operation.kind in operations.WINDOWED:
        window, stride, padding = extent(operation), operation.stride, operation.padding
    elif operation.kind in operations.ADAPTIVE:
        window = (_widest(cells[0], made[0]), _widest(cells[1], made[1]))
        stride = (cells[0] // made[0], cells[1] // made[1])
    else:
        # One window over the whole map. Where it makes many cells, all of them see the same: they are 0
        # apart.
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
    # A map of one cell that is spread over many (a gate of squeeze-and-excitation) does not move with them.
    jumps = [seen.jump[axis] if cells[axis] == made else 0 for seen, cells in branches]
    jump = max(jumps)
    first, last = [], []
    for (seen, _), step in zip(branches, jumps, strict=True):
        # A branch that falls behind the fastest widens the field from cell to cell: the last cell's counts.
        behind = (jump - step) * (made - 1)
        first.append(seen.start[axis] - behind)
        last.append(seen.start[axis] + seen.size[axis])
    return max(last) - min(first), jump, min(first)


def _behind(operation: Operation, seen: Box, shape: Shape | None, source: Shape | None) -> Box | None:
    """The cells of a source that the cells ``seen`` of the operation's output depend on."""
    rows, columns = grid(source or ())
    whole = Box(0, 0, rows, columns)
    if shape is None or source is None or len(shape) != 4 or len(source) != 4:
        return whole
    made = grid(shape)
    if operation.kind in operations.CELLWISE:
        down = (seen.top, seen.bottom) if rows == made[0] else (0, rows)
        across = (seen.left, seen.right) if columns == made[1] else (0, columns)
    elif operation.kind in operations.WINDOWED:
        reached_down = _reached((seen.top, seen.bottom), operation, 0, rows)
        reached_across = _reached((seen.left, seen.right), operation, 1, columns)
        if reached_down is None or reached_across is None:
            return None
        down, across = reached_down, reached_across
    elif operation.kind in operations.ADAPTIVE:
        down = (_adaptive_start(seen.top, rows, made[0]), _adaptive_end(seen.bottom - 1, rows, made[0]))
        across = (
            _adaptive_start(seen.left, columns, made[1]),
            _adaptive_end(seen.right - 1, columns, made[1]),
        )
    else:
        return whole
    return Box(down[0], across[0], down[1], across[1])


def _reached(cells: Pair, operation: Operation, axis: int, length: int) -> Pair | None:
    """First, and one past the last, place of the map along an axis that the cells' windows touch."""
    before = operation.padding.top if axis == 0 else operation.padding.left
    places = (
        cell * operation.stride[axis] - before + tap * operation.dilation[axis]
        for cell in range(*cells)
        for tap in range(operation.kernel[axis])
    )
    inside = [place for place in places if 0 <= place < length]
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
