r"""Exact re-inference of the part of a network that a changed patch of the picture can reach.

Paste a patch into a picture and run the network again: most of what it computes is unchanged. This package computes
only what changes, and the logits are the same.

**Where a change goes.** Take one axis; rows and columns never mix. A convolution or a pooling with kernel k,
stride s, padding p and dilation d reads, for its output o, the inputs

    receptive(o) = { s o - p + d j : j = 0 .. k-1 }.

Conversely, a changed interval of inputs [a, b) can change the outputs whose receptive field overlaps it, its
*projective field*

    projective([a, b)) = [ ceil((a + p - d (k-1)) / s),  floor((b - 1 + p) / s) + 1 )   within the map.

An elementwise operation passes the interval on, padding shifts it, a sum or a concatenation takes the union of its
operands' intervals. Starting from the window's rows and columns this gives, for every layer, the crop that has to
be computed; outside of it the layer's output is that of the base picture. A 32-pixel window on 224 pixels reaches
2 % of VGG16's first layer and, on average over all its positions, 63 % of the last: 2.3 G multiply-adds of 15.5.

**How a crop is computed.** To compute the outputs [o, o + n) a layer must be given the inputs [s o - p,
s (o + n - 1) - p + d (k-1) + 1): the crop of the previous layer, with a halo around it. The halo is cut out of the
base's map, which is stored with its padding (zeros for a convolution, minus infinity for max pooling), the changed
crop is pasted over it, and the layer is run without padding. Crops of several windows form one batch; they share one
size per layer, and a crop that would extend beyond the edge of the map is moved inwards, where it holds base values.

**Exact** means more than a small tolerance here. With oneDNN every convolution runs with weights that were
converted to its own layout once; it then computes an output by the same sequence of operations whether it belongs
to a crop or to the whole map, to a batch or to one picture. So the logits are, bit for bit, those that the same
operations give for the whole pasted picture, however windows are grouped into batches. Large 3x3 convolutions are
computed with fewer multiplications, tile by tile (see ``engines.winograd``). For the same to hold for them, their
crops begin where a tile does, and the region that they can change is extended to whole tiles. The logits differ from
``model.module(pasted)`` by rounding only, since batch norm is folded into the convolutions.

**Unknown operations are computed in full.** An operation without a rule is given whole maps, the base with the crop
pasted over it, and everything after it is computed in full. A network that writes into its own values in a way that
cannot be followed is computed in full from the start. The result remains correct; only the speed is lost.

    base = incremental.prepare(model, x)                            # once per picture
    logits = incremental.logits(base, patches, tops, lefts)         # [N, C], for any number and size of patches

Compare S. Nakandala, A. Kumar and Y. Papakonstantinou, "Incremental and Approximate Inference for Faster
Occlusion-based Deep CNN Explanations", SIGMOD 2019, which introduced incremental inference for occlusion.
"""

from convis_core.engines.incremental.batches import Batch, Limits, arrange
from convis_core.engines.incremental.costs import (
    Work,
    expected,
    measured_pace,
    multiply_adds,
    tail_multiply_adds,
    tail_seconds,
)
from convis_core.engines.incremental.engine import Base, before_tail, logits, prepare, tail
from convis_core.engines.incremental.program import Program, program

__all__ = [
    "Base",
    "Batch",
    "Limits",
    "Program",
    "Work",
    "arrange",
    "before_tail",
    "expected",
    "logits",
    "measured_pace",
    "multiply_adds",
    "prepare",
    "program",
    "tail",
    "tail_multiply_adds",
    "tail_seconds",
]
