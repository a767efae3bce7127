"""Facts about a network that do not depend on a picture: its layers, their cost, their receptive fields."""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

Pair: TypeAlias = tuple[int, int]
"""Down and across: (height, width), or (row, column)."""

Shape: TypeAlias = tuple[int, ...]


class Box(NamedTuple):
    """A rectangle of pixels: rows ``top`` to ``bottom - 1`` and columns ``left`` to ``right - 1``."""

    top: int
    left: int
    bottom: int
    right: int


class Padding(NamedTuple):
    """Rows and columns added around a map before a window slides over it."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0


NO_PADDING = Padding()


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """The pixels that a cell of a layer can depend on, on a picture without borders.

    Cell i of an axis sees the pixels start + i * jump ... start + i * jump + size - 1.

    Attributes:
        size: height and width of the field, in pixels; it may be larger than the picture.
        jump: pixels between the fields of neighbouring cells, down and across.
        start: first row and first column that cell (0, 0) sees; negative where it begins in the padding.
    """

    size: Pair
    jump: Pair
    start: Pair


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One operation of a network, for one picture.

    Attributes:
        name: as in ``network.layer_names``.
        kind: of operation, such as "convolution" or "max pool".
        block: name of the block that it belongs to in ``architecture.blocks``.
        inputs: names of the rows whose outputs it reads; none for the first.
        input_shapes: what it reads, one shape for each input.
        output_shape: what it returns, [N, C, H, W] or [N, C].
        kernel: height and width of its window, in cells; None where there is no window.
        stride: cells from one window to the next, down and across; None likewise.
        padding: rows and columns added around its input; None likewise.
        dilation: cells from one tap of the kernel to the next; None likewise.
        groups: into how many parts the channels are split; 1 where they are not.
        weights: number of learned weights, without the biases.
        biases: number of learned biases.
        macs: multiply-adds for one picture; see ``architecture.describe``.
        activation_bytes: memory of its output in float32.
        field: the pixels that its cells can see.
    """

    name: str
    kind: str
    block: str
    inputs: tuple[str, ...]
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    kernel: Pair | None
    stride: Pair | None
    padding: Padding | None
    dilation: Pair | None
    groups: int
    weights: int
    biases: int
    macs: int
    activation_bytes: int
    field: ReceptiveField

    @property
    def input_shape(self) -> Shape:
        """Shape of the first input."""
        return self.input_shapes[0]

    @property
    def parameters(self) -> int:
        """Number of learned weights and biases."""
        return self.weights + self.biases

    @property
    def receptive_field(self) -> int:
        """Side of the receptive field, in pixels; the longer one where they differ."""
        return max(self.field.size)

    @property
    def jump(self) -> int:
        """Pixels between the fields of neighbouring cells; the larger one where they differ."""
        return max(self.field.jump)


@dataclass(frozen=True, slots=True)
class Totals:
    """A network in a few numbers.

    Attributes:
        parameters: number of learned weights and biases.
        weights: of these, the weights.
        biases: of these, the biases.
        macs: multiply-adds for one picture.
        activation_bytes: memory of all layers' outputs for one picture, in float32.
        depth: convolutions and linear layers on the longest path from the picture to the logits.
        learned_layers: convolutions and linear layers altogether.
        receptive_field: side of the largest field of a layer that still has rows and columns, in pixels.
    """

    parameters: int
    weights: int
    biases: int
    macs: int
    activation_bytes: int
    depth: int
    learned_layers: int
    receptive_field: int


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive layers that are drawn as one.

    Attributes:
        name: of the module that contains them, or of their first layer.
        kind: "residual", "concat", "dense", or the kind of its main layer, such as "convolution".
        layers: names of its rows, in order of execution.
        inputs: names of the blocks whose outputs it reads.
        input_shape: what it reads.
        output_shape: what it returns.
        map_shape: shape of its last output with rows and columns, before flattening; else that of the output.
        map_layer: name of the layer that returned that map; empty where no layer of the block returns one.
        parameters: number of weights and biases of its layers.
        macs: multiply-adds for one picture.
        activation_bytes: memory of its layers' outputs, in float32.
        field: the pixels that a cell of its output can see.
        parts: channels of each branch of a concatenation, in order; empty without one.
    """

    name: str
    kind: str
    layers: tuple[str, ...]
    inputs: tuple[str, ...]
    input_shape: Shape
    output_shape: Shape
    map_shape: Shape
    map_layer: str
    parameters: int
    macs: int
    activation_bytes: int
    field: ReceptiveField
    parts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Costs:
    """Which blocks hold the parameters, and which need the compute.

    Attributes:
        heaviest: name of the block with most parameters.
        heaviest_parameters: its share of all parameters, 0 to 1.
        heaviest_macs: its share of all multiply-adds.
        half: name of the block by the end of which at least half of the multiply-adds are done.
        half_blocks: how many blocks that is, from the first.
        half_macs: share of the multiply-adds that are done by then.
        half_parameters: share of the parameters that these blocks hold.
    """

    heaviest: str
    heaviest_parameters: float
    heaviest_macs: float
    half: str
    half_blocks: int
    half_macs: float
    half_parameters: float


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one picture took, in seconds, over several runs.

    Attributes:
        median: the middle of the runs.
        fastest: the shortest run, the one least disturbed by other work.
        slowest: the longest run.
        runs: number of runs after the warm-up.
        threads: number of threads available to the arithmetic.
    """

    median: float
    fastest: float
    slowest: float
    runs: int
    threads: int


@dataclass(frozen=True, slots=True)
class Race:
    """Two networks timed on the same picture in turns.

    Attributes:
        first: times of one of them.
        second: times of the other.
        done: turns so far.
        total: turns altogether.
    """

    first: Timing
    second: Timing
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Substitution:
    """A formula of a layer with the numbers substituted, and its value.

    Attributes:
        quantity: which formula, see ``architecture.substitutions``; ``figures.formulas`` writes it.
        numbers: (symbol, number) in the order of the formula.
        value: the result.
    """

    quantity: str
    numbers: tuple[tuple[str, int], ...]
    value: int
