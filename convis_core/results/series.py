"""Several attributions of one picture side by side, and the time that they take."""

from dataclasses import dataclass

from torch import Tensor

from convis_core.results.attribution import Attribution, Method
from convis_core.results.sanity import DeletionInsertion


@dataclass(frozen=True, slots=True, eq=False)
class Filmstrip:
    """One picture at growing noise levels.

    Attributes:
        levels: the noise levels.
        attributions: one for each level so far; the last of them may be a partial estimate.
        done: noisy copies computed.
        total: noisy copies to compute.
    """

    levels: tuple[float, ...]
    attributions: tuple[Attribution, ...]
    done: int
    total: int


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Several methods on one picture and class.

    Attributes:
        methods: the methods.
        attributions: one for each method so far.
        curves: deletion and insertion, one for each method so far; the last of them may be incomplete. The random
            orders stand in the first.
        agreement: float32 [M, M], Pearson's correlation of the signed values, summed over the channels, above and
            on the diagonal; Spearman's of the magnitudes below it. Nan where pending or where a map is constant.
        done: units of work, passes through the network.
        total: units of work in all.
    """

    methods: tuple[Method, ...]
    attributions: tuple[Attribution, ...]
    curves: tuple[DeletionInsertion, ...]
    agreement: Tensor
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Pace:
    """Measured seconds for one picture on this machine.

    Attributes:
        forward: of a forward pass.
        gradient: of a forward and a backward pass.
    """

    forward: float
    gradient: float

    def seconds(self, *, forwards: int = 0, gradients: int = 0) -> float:
        """Expected seconds for these numbers of passes, one after another."""
        return forwards * self.forward + gradients * self.gradient
