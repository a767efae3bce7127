"""Attributions of every pixel, and the specifications of the methods that compute them."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from torch import Tensor

SmoothGradVariant: TypeAlias = Literal["mean", "squared", "variance", "absolute"]
Baseline: TypeAlias = Literal["black", "grey", "white", "mean", "blurred"]


@dataclass(frozen=True, slots=True)
class SmoothGradSpec:
    """How to average the gradients of noisy copies of a picture.

    Attributes:
        noise_level: sigma of the noise as a share of the picture's range max(x) - min(x), from 0.
        n_samples: number N of noisy copies.
        seed: of the noise, from 0; the noise of copy i depends on the seed and on i alone.
        variant: how the gradients g are combined: "mean" of g, "squared" for the mean of g^2, "variance" of g,
            "absolute" for the mean of |g|.
        antithetic: copies 2j and 2j+1 get the same noise with opposite signs, so that effects odd in the noise cancel.
    """

    noise_level: float = 0.15
    n_samples: int = 50
    seed: int = 0
    variant: SmoothGradVariant = "mean"
    antithetic: bool = False


@dataclass(frozen=True, slots=True)
class IntegratedGradientsSpec:
    """How to add up gradients on the straight line from a baseline to the picture.

    Attributes:
        steps: points of the line where the gradient is taken (Gauss-Legendre). The logit of a deep network often jumps
            within the first twentieth of the line; on EfficientNet-Lite0 the values add up to within 1 % of the
            logit's rise with 256 points, within 5 % with 128, and not reliably with fewer.
        baseline: the picture that stands for "nothing".
    """

    steps: int = 256
    baseline: Baseline = "black"


@dataclass(frozen=True, slots=True)
class NoiseWalkSpec:
    """How to move in steps from a picture to the same picture with a little noise.

    Attributes:
        noise_level: sigma of the noise at the end, as a share of the picture's range max(x) - min(x).
        steps: points of the walk, both ends included.
        seed: of the noise.
    """

    noise_level: float = 0.02
    steps: int = 96
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Method:
    """A method with its settings, as ``attribution.method_with`` fills them in; None for those it does not take.

    Attributes:
        id: its short name, one of ``attribution.KINDS``.
        spec: its specification; None for the default.
        layer: the layer that it explains; None for the network's last layer with maps.
    """

    id: str
    spec: Any = None
    layer: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SampleSums:
    """Running sums of SmoothGrad, from which more samples and other variants continue at no extra cost.

    Attributes:
        origin: digest of everything but the number of samples and the variant; sums of another origin are refused.
        samples: number of noisy copies in the sums, a multiple of the size of a chunk.
        total: float64 [3, S, S], the sum of the gradients.
        squares: float64 [3, S, S], the sum of their squares.
        absolute: float64 [3, S, S], the sum of their absolute values.
    """

    origin: str
    samples: int
    total: Tensor
    squares: Tensor
    absolute: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """A signed value for every value of the picture, with respect to one class logit.

    Attributes:
        values: float32 [3, S, S], signed; for a gradient, d logit_target / d pixel with pixels in [0, 1]. Grad-CAM
            has one value for each pixel, not for each colour: [1, S, S].
        target: index of the class.
        method: name of the method, such as "saliency".
        done: units of work (samples, steps) in the values so far.
        total: units of work in the final result.
        coarse: for class activation maps, the signed map float32 [h, w] on the layer's own grid; otherwise None.
        sums: for SmoothGrad, what a run with more samples can continue from; otherwise None.
    """

    values: Tensor
    target: int
    method: str
    done: int = 1
    total: int = 1
    coarse: Tensor | None = None
    sums: SampleSums | None = None

    def magnitude(self) -> Tensor:
        """The largest absolute value over the colour channels: [S, S], as Simonyan et al. (2013) draw it."""
        return self.values.abs().amax(dim=0)


@dataclass(frozen=True, slots=True, eq=False)
class NoiseWalk:
    """The derivative of a class logit at one pixel, along the line from a picture to its noisy copy.

    What is still to be computed is nan.

    Attributes:
        positions: float32 [K], t from 0 (the picture) to 1 (the noisy copy).
        derivatives: float32 [K, 3], d logit_target / d pixel at x + t * e, in red, green and blue.
        largest: float32 [K], the largest |derivative| of the whole picture there, to compare the pixel with.
        logits: float32 [K], the class logit there.
        noisy: float32 [3, S, S], the copy x + e, not clipped to [0, 1].
        target: index of the class.
        pixel: (row, column) of the pixel.
        spec: the specification.
        done: points computed.
    """

    positions: Tensor
    derivatives: Tensor
    largest: Tensor
    logits: Tensor
    noisy: Tensor
    target: int
    pixel: tuple[int, int]
    spec: NoiseWalkSpec
    done: int

    @property
    def total(self) -> int:
        """Points of the whole walk."""
        return self.spec.steps


@dataclass(frozen=True, slots=True)
class Convention:
    """How one paper or library computes and displays SmoothGrad, where it differs from the others.

    Attributes:
        id: its short name.
        label: its usual name.
        spec: its defaults.
        noise: how it measures the noise.
        averages: what it averages.
        shows: how it combines three channels for display.
        source: where this is documented.
    """

    id: str
    label: str
    spec: SmoothGradSpec
    noise: str
    averages: str
    shows: str
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """An estimate with its history.

    Attributes:
        attribution: the latest frame.
        samples: units of work in each frame so far.
        agreement: Pearson's correlation of the signed values of each frame with those of the frame before; nan for
            the first.
    """

    attribution: Attribution
    samples: tuple[int, ...]
    agreement: tuple[float, ...]

    @property
    def done(self) -> int:
        """Units of work in the estimate."""
        return self.attribution.done

    @property
    def total(self) -> int:
        """Units of work in the final result."""
        return self.attribution.total
