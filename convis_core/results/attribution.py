"""What a gradient method says about every pixel, and the specifications that ask for it."""

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
        variant: what becomes of the gradients g: "mean" of g, "squared" for the mean of g^2, "variance" of g,
            "absolute" for the mean of |g|.
        antithetic: copies 2j and 2j+1 get the same noise with opposite signs, so that what is odd in it cancels.
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
        steps: points of the line where the gradient is taken (Gauss-Legendre). The logit of a deep network often leaps
            within the first twentieth of the line; on EfficientNet-Lite0 the values add up to within 1 % of the
            logit's rise with 256 points, within 5 % with 128, and not reliably with fewer.
        baseline: the picture that stands for "nothing".
    """

    steps: int = 256
    baseline: Baseline = "black"


@dataclass(frozen=True, slots=True)
class NoiseWalkSpec:
    """How to walk from a picture to the same picture with a little noise.

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
    """A method with its settings, as ``attribution.method_with`` fills them in; what it does not take is None.

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
    """What SmoothGrad has added up so far, so that more samples continue from fewer, and no variant costs anew.

    Attributes:
        origin: digest of everything but the number of samples and the variant; sums of another origin are refused.
        samples: how many noisy copies are in the sums, a multiple of the size of a chunk.
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
            has one value for a pixel and not for its colours: [1, S, S].
        target: index of the class.
        method: name of the method in plain words, such as "saliency".
        done: units of work (samples, steps) that the values hold so far.
        total: units of work that the final result holds.
        coarse: of Grad-CAM, the signed map float32 [h, w] on the layer's own grid; otherwise None.
        sums: of SmoothGrad, what a run with more samples can continue from; otherwise None.
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
    """The derivative of a class logit at one pixel, on the way from a picture to its noisy copy.

    What is still to be computed is nan.

    Attributes:
        positions: float32 [K], t from 0 (the picture) to 1 (the noisy copy).
        derivatives: float32 [K, 3], d logit_target / d pixel at x + t * e, in red, green and blue.
        largest: float32 [K], the largest |derivative| of the whole picture there, to compare the pixel with.
        logits: float32 [K], the class logit there.
        noisy: float32 [3, S, S], the copy x + e, not clipped to [0, 1].
        target: index of the class.
        pixel: (row, column) of the pixel.
        spec: what was asked.
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
    """How one paper or library does SmoothGrad and shows it, as far as it differs from the others.

    Attributes:
        id: its short name.
        label: how people call it.
        spec: what it does when nothing is asked of it.
        noise: how it measures the noise.
        averages: what it averages.
        shows: how it makes one picture of three channels.
        source: where this can be read.
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
        samples: units of work that each frame so far held.
        agreement: Pearson's correlation of the signed values of each frame with those of the frame before; nan for
            the first.
    """

    attribution: Attribution
    samples: tuple[int, ...]
    agreement: tuple[float, ...]

    @property
    def done(self) -> int:
        """Units of work that the estimate holds."""
        return self.attribution.done

    @property
    def total(self) -> int:
        """Units of work that the result will hold."""
        return self.attribution.total
