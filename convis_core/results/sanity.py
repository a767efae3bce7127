"""Results of the tests of an attribution, and their specifications."""

from dataclasses import dataclass

import torch
from torch import Tensor

from convis_core.results.attribution import Baseline


@dataclass(frozen=True, slots=True)
class DeletionInsertionSpec:
    """How pixels are deleted and inserted in the order of an attribution.

    Attributes:
        steps: parts into which all pixels are divided; the network is evaluated after each.
        cell: side of the squares that are deleted or inserted as one, in pixels; 1 for single pixels.
        deleted: what replaces a deleted pixel.
        start: the picture that insertion begins with.
        random_orders: number of random orders to compare with; 0 for none.
        seed: of the random orders.
    """

    steps: int = 28
    cell: int = 1
    deleted: Baseline = "mean"
    start: Baseline = "blurred"
    random_orders: int = 3
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class DeletionInsertion:
    """The class probability while the most important pixels are deleted, and while they are inserted.

    Pending values are nan.

    Attributes:
        fractions: float32 [K + 1], share of the pixels deleted or inserted, 0 to 1.
        deletion: float32 [K + 1], P(target) after deleting that share, the most important first.
        insertion: float32 [K + 1], P(target) after inserting it.
        random_deletion: float32 [R, K + 1], the same for each random order.
        random_insertion: float32 [R, K + 1], likewise.
        target: index of the class.
        method: name of the method that gave the order.
        spec: the specification.
        done: pictures evaluated so far.
        total: pictures to evaluate.
    """

    fractions: Tensor
    deletion: Tensor
    insertion: Tensor
    random_deletion: Tensor
    random_insertion: Tensor
    target: int
    method: str
    spec: DeletionInsertionSpec
    done: int
    total: int

    def deletion_auc(self) -> float:
        """Area under the deletion curve, 0 to 1: the lower, the better the order. Nan while incomplete."""
        return self._area(self.deletion)

    def insertion_auc(self) -> float:
        """Area under the insertion curve, 0 to 1: the higher, the better the order. Nan while incomplete."""
        return self._area(self.insertion)

    def random_deletion_auc(self) -> float:
        """The mean area under the deletion curves of the random orders."""
        return self._area(self.random_deletion)

    def random_insertion_auc(self) -> float:
        """The mean area under the insertion curves of the random orders."""
        return self._area(self.random_insertion)

    def _area(self, curve: Tensor) -> float:
        return float(torch.trapezoid(curve.double(), self.fractions.double(), dim=-1).mean())


@dataclass(frozen=True, slots=True)
class RandomisationSpec:
    """How the weights of a network are randomised.

    Attributes:
        seed: of the random weights.
        independent: randomise one layer at a time, the others stay trained; otherwise cumulatively from the top down.
    """

    seed: int = 0
    independent: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class WeightRandomisation:
    """How an attribution changes when the layers are randomised one after the other, from the top.

    Attributes:
        layers: names of the layers or blocks in the order in which they were randomised.
        magnitudes: float32 [S, S] each: the trained network's map first, then one for each layer so far.
        rank_correlation: Spearman's correlation of each of these maps with the first (1 for the first itself).
        structural_similarity: SSIM of each with the first.
        target: index of the class.
        method: name of the method.
        done: layers randomised so far.
        total: layers to randomise.
    """

    layers: tuple[str, ...]
    magnitudes: tuple[Tensor, ...]
    rank_correlation: tuple[float, ...]
    structural_similarity: tuple[float, ...]
    target: int
    method: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, eq=False)
class ClassSwap:
    """The same picture explained for several classes.

    Attributes:
        targets: indices of the classes.
        magnitudes: float32 [S, S] each, one for each class so far.
        correlation: float32 [T, T], Pearson's correlation of the signed values, nan where pending.
        rank_correlation: float32 [T, T], Spearman's correlation of the magnitudes, likewise.
        method: name of the method.
        done: classes explained so far.
        total: classes to explain.
    """

    targets: tuple[int, ...]
    magnitudes: tuple[Tensor, ...]
    correlation: Tensor
    rank_correlation: Tensor
    method: str
    done: int
    total: int
