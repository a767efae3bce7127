"""Layers put together into the blocks that a person thinks in: convolution, batch norm and ReLU are one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate

from convis_core.network import operations
from convis_core.results.architecture import Block, Costs, LayerRow

RESIDUAL, CONCAT, DENSE = "residual", "concat", "dense"
"""Kinds of blocks in which branches meet: by adding, side by side, or side by side again and again."""

_LEADING = frozenset({operations.PAD, operations.DROPOUT, operations.IDENTITY})
"""Kinds that prepare for the layer after them."""
_STARTING = frozenset(
    {
        *(operations.CONVOLUTION, operations.MAX_POOL, operations.AVERAGE_POOL, operations.PAD),
        *(operations.ADAPTIVE_AVERAGE_POOL, operations.ADAPTIVE_MAX_POOL),
        *(operations.NORMALISE, operations.ARITHMETIC),
    }
)
"""Kinds that are a step of their own; what is left, such as batch norm, finishes the layer before it."""


def blocks(rows: Sequence[LayerRow]) -> tuple[Block, ...]:
    """The network's blocks in order of execution, with the edges between them.

    Args:
        rows: from ``architecture.describe``.
    """
    return _gather(rows, {row.name: row.block for row in rows})


def inside(rows: Sequence[LayerRow], block: str) -> tuple[Block, ...]:
    """What a block is made of, as smaller blocks; what it reads from outside has its layer's name.

    Args:
        rows: from ``architecture.describe``.
        block: name of the block.
    """
    within = [row for row in rows if row.block == block]
    return _gather(within, assign(within, ()))


def costs(blocks: Sequence[Block]) -> Costs:
    """Where most of the parameters are, and by when half of the work is done.

    Args:
        blocks: from ``blocks``.
    """
    parameters, macs = sum(block.parameters for block in blocks), sum(block.macs for block in blocks)
    heaviest = max(blocks, key=lambda block: block.parameters)
    done, held = accumulate(block.macs for block in blocks), accumulate(block.parameters for block in blocks)
    steps = enumerate(zip(blocks, done, held, strict=True), start=1)
    count, (half, done_by_then, held_by_then) = next(step for step in steps if 2 * step[1][1] >= macs)
    return Costs(
        heaviest=heaviest.name,
        heaviest_parameters=heaviest.parameters / max(1, parameters),
        heaviest_macs=heaviest.macs / max(1, macs),
        half=half.name,
        half_blocks=count,
        half_macs=done_by_then / max(1, macs),
        half_parameters=held_by_then / max(1, parameters),
    )


def assign(rows: Sequence[LayerRow], groups: Sequence[str]) -> dict[str, str]:
    """Which block each row belongs to: row name -> block name.

    Rows of a module named in ``groups`` belong together. Of the others, a layer takes with it what finishes
    it (batch norm, activation, dropout, flattening) and what prepares for it (padding).

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
    held = [group for group in groups if name == group or name.startswith(f"{group}.")]
    return max(held, key=len, default="")


def _joins(row: LayerRow, block: Sequence[LayerRow], readers: Mapping[str, int]) -> bool:
    """Whether a row belongs with the loose rows just before it."""
    last = block[-1]
    if row.inputs != (last.name,) or readers[last.name] > 1 or last.kind == operations.NORMALISE:
        return False
    prepared = all(before.kind in _LEADING for before in block)
    return prepared or not (row.macs or row.kind in _STARTING)


def _main(block: Sequence[LayerRow]) -> LayerRow:
    """The row that a block is named after: the one with the most work, else the first that does anything."""
    busiest = max(block, key=lambda row: row.macs)
    return busiest if busiest.macs else next((row for row in block if row.kind not in _LEADING), block[0])


def _gather(rows: Sequence[LayerRow], block_of: Mapping[str, str]) -> tuple[Block, ...]:
    members: dict[str, list[LayerRow]] = {}
    for row in rows:
        members.setdefault(block_of[row.name], []).append(row)
    found: list[Block] = []
    for name, block in members.items():
        sources = [source for row in block for source in row.inputs]
        origins = [block_of.get(source, source) for source in sources]
        concats = [row for row in block if row.kind == operations.CONCAT]
        maps = [row for row in block if len(row.output_shape) == 4]
        found.append(
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
    return tuple(found)


def _block_kind(block: Sequence[LayerRow]) -> str:
    kinds = Counter(row.kind for row in block)
    if len(block) > 1 and kinds[operations.CONCAT] and _main(block).macs:
        return CONCAT if kinds[operations.CONCAT] == 1 else DENSE
    if kinds[operations.ADD] and _main(block).macs:
        return RESIDUAL
    return _main(block).kind
