"""Layers grouped into the blocks that people think in: convolution, batch norm and ReLU count as one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate

from convis_core.network import operations
from convis_core.results.architecture import Block, Costs, LayerRow

RESIDUAL, CONCAT, DENSE = "residual", "concat", "dense"
"""Kinds of blocks in which branches meet: by addition, by one concatenation, or by several."""

_LEADING = frozenset({operations.PAD, operations.DROPOUT, operations.IDENTITY})
"""Kinds that prepare the input of the layer after them."""
_STARTING = frozenset(
    {
        *(operations.CONVOLUTION, operations.MAX_POOL, operations.AVERAGE_POOL, operations.PAD),
        *(operations.ADAPTIVE_AVERAGE_POOL, operations.ADAPTIVE_MAX_POOL),
        *(operations.NORMALISE, operations.ARITHMETIC),
    }
)
"""Kinds that begin a block of their own; the others, such as batch norm, complete the layer before them."""


def blocks(rows: Sequence[LayerRow]) -> tuple[Block, ...]:
    """The network's blocks in order of execution, with the edges between them.

    Args:
        rows: from ``architecture.describe``.

    >>> from torch import nn
    >>> from convis_core import architecture, models
    >>> network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> rows = architecture.describe(models.wrap(network, input_size=16))
    >>> [(block.kind, block.layers) for block in architecture.blocks(rows)[1:]]
    [('convolution', ('0', '1', '2')), ('adaptive average pool', ('3', '4'))]
    """
    return _gather(rows, {row.name: row.block for row in rows})


def inside(rows: Sequence[LayerRow], block: str) -> tuple[Block, ...]:
    """A block taken apart into smaller blocks; an input from outside has the name of the layer that returned it.

    Args:
        rows: from ``architecture.describe``.
        block: name of the block.

    >>> from convis_core import architecture
    >>> rows = architecture.describe(architecture.blueprint("efficientnet_lite0"))
    >>> for part in architecture.inside(rows, "blocks.1"):
    ...     print(part.name, part.kind, part.output_shape)
    blocks.1.branch.expand.conv convolution (1, 96, 112, 112)
    blocks.1.branch.depthwise.conv depthwise convolution (1, 96, 56, 56)
    blocks.1.branch.project.conv convolution (1, 24, 56, 56)
    """
    within = [row for row in rows if row.block == block]
    return _gather(within, assign(within, ()))


def costs(blocks: Sequence[Block]) -> Costs:
    """Which block has the most parameters, and by which block half of the multiply-adds are done.

    Args:
        blocks: from ``blocks``.

    >>> from torch import nn
    >>> from convis_core import architecture, models
    >>> network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1000))
    >>> rows = architecture.describe(models.wrap(network, input_size=16))
    >>> costs = architecture.costs(architecture.blocks(rows))
    >>> costs.heaviest, round(costs.heaviest_parameters, 2)
    ('3', 0.98)
    >>> costs.half, round(costs.half_macs, 2)
    ('0', 0.84)
    """
    parameters, macs = sum(block.parameters for block in blocks), sum(block.macs for block in blocks)
    heaviest = max(blocks, key=lambda block: block.parameters)
    macs_so_far = accumulate(block.macs for block in blocks)
    parameters_so_far = accumulate(block.parameters for block in blocks)
    steps = enumerate(zip(blocks, macs_so_far, parameters_so_far, strict=True), start=1)
    count, (half, macs_by_then, parameters_by_then) = next(step for step in steps if 2 * step[1][1] >= macs)
    return Costs(
        heaviest=heaviest.name,
        heaviest_parameters=heaviest.parameters / max(1, parameters),
        heaviest_macs=heaviest.macs / max(1, macs),
        half=half.name,
        half_blocks=count,
        half_macs=macs_by_then / max(1, macs),
        half_parameters=parameters_by_then / max(1, parameters),
    )


def assign(rows: Sequence[LayerRow], groups: Sequence[str]) -> dict[str, str]:
    """The block that each row belongs to, as row name -> block name.

    Rows of a module named in ``groups`` form one block. Elsewhere a block is one layer together with what completes it
    (batch norm, activation, dropout, flattening) and what prepares its input (padding).

    Args:
        rows: in order of execution.
        groups: names of modules, such as ``ModelSpec.feature_layers``.
    """
    owners = {row.name: _owner(row.name, groups) for row in rows}
    sizes = Counter(owner for owner in owners.values() if owner)
    readers = Counter(name for row in rows for name in row.inputs)
    members: list[list[LayerRow]] = []
    names: list[str] = []
    for row in rows:
        owner = owners[row.name]
        if sizes[owner] > 1:
            if names and names[-1] == owner:
                members[-1].append(row)
            else:
                members.append([row])
                names.append(owner)
            continue
        loose = bool(members) and sizes[names[-1]] <= 1
        if loose and _joins(row, members[-1], readers):
            members[-1].append(row)
        else:
            members.append([row])
            names.append("")
    block_of: dict[str, str] = {}
    for name, block in zip(names, members, strict=True):
        title = name or _main(block).name
        block_of.update({row.name: title for row in block})
    return block_of


def _owner(name: str, groups: Sequence[str]) -> str:
    containing = [group for group in groups if name == group or name.startswith(f"{group}.")]
    return max(containing, key=len, default="")


def _joins(row: LayerRow, block: Sequence[LayerRow], readers: Mapping[str, int]) -> bool:
    """Whether a row belongs to the same block as the rows just before it, none of which is in a group."""
    last = block[-1]
    if row.inputs != (last.name,) or readers[last.name] > 1 or last.kind == operations.NORMALISE:
        return False
    prepared = all(before.kind in _LEADING for before in block)
    return prepared or not (row.macs or row.kind in _STARTING)


def _main(block: Sequence[LayerRow]) -> LayerRow:
    """The row that names a block: the one with the most multiply-adds, else the first that computes anything."""
    busiest = max(block, key=lambda row: row.macs)
    return busiest if busiest.macs else next((row for row in block if row.kind not in _LEADING), block[0])


def _gather(rows: Sequence[LayerRow], block_of: Mapping[str, str]) -> tuple[Block, ...]:
    members: dict[str, list[LayerRow]] = {}
    for row in rows:
        members.setdefault(block_of[row.name], []).append(row)
    gathered: list[Block] = []
    for name, block in members.items():
        sources = [source for row in block for source in row.inputs]
        origins = [block_of.get(source, source) for source in sources]
        concats = [row for row in block if row.kind == operations.CONCAT]
        maps = [row for row in block if len(row.output_shape) == 4]
        gathered.append(
            Block(
                name=name,
                kind=_block_kind(block),
                layers=tuple(row.name for row in block),
                inputs=tuple(dict.fromkeys(origin for origin in origins if origin != name)),
                input_shape=block[0].input_shape,
                output_shape=block[-1].output_shape,
                map_shape=(maps or block)[-1].output_shape,
                map_layer=maps[-1].name if maps else "",
                parameters=sum(row.parameters for row in block),
                macs=sum(row.macs for row in block),
                activation_bytes=sum(row.activation_bytes for row in block),
                field=block[-1].field,
                parts=tuple(shape[1] for shape in concats[-1].input_shapes) if concats else (),
            )
        )
    return tuple(gathered)


def _block_kind(block: Sequence[LayerRow]) -> str:
    kinds = Counter(row.kind for row in block)
    if len(block) > 1 and kinds[operations.CONCAT] and _main(block).macs:
        return CONCAT if kinds[operations.CONCAT] == 1 else DENSE
    if kinds[operations.ADD] and _main(block).macs:
        return RESIDUAL
    return _main(block).kind
