"""Pictures drawn by gradient ascent, and the specifications that describe how."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from torch import Tensor

from convis_core.results.objectives import Objective
from convis_core.results.prediction import Prediction

Parameterisation: TypeAlias = Literal["fourier", "pixels"]
Start: TypeAlias = Literal["zeros", "noise", "picture"]


@dataclass(frozen=True, slots=True)
class Regularisers:
    """What keeps the picture from becoming noise that maximises the objective. Zero switches each of them off.

    The penalties ``l2`` and ``total_variation`` work with every parameterisation; blur and the two kinds of
    clipping change pixels and need the parameterisation "pixels" (Yosinski et al. 2015).

    Attributes:
        l2: lambda of the penalty lambda * |z|^2, z being the picture minus the colour it started from.
        total_variation: weight of the sum of |differences| of neighbouring pixels.
        blur_sigma: of a Gaussian blur, in pixels.
        blur_every: steps from one blur to the next.
        small_norm: after each step the pixels of smallest norm are set to the starting colour, this share of all.
        small_contribution: the same for pixels of smallest |sum over colours of z * gradient|.
        keep_in_range: whether values outside [0, 1] are clipped after each step.
    """

    l2: float = 0.0
    total_variation: float = 0.0
    blur_sigma: float = 0.0
    blur_every: int = 4
    small_norm: float = 0.0
    small_contribution: float = 0.0
    keep_in_range: bool = True


@dataclass(frozen=True, slots=True)
class Transforms:
    """Random transformations before the network sees the picture: what survives them does not depend on single pixels.

    The parameters of every view depend only on the seed, the step and the view. The defaults change nothing.

    Attributes:
        views: number of views a step; the gradient is their mean, and they are computed on different lanes.
        jitter: the picture is rolled by up to this many pixels in each direction.
        shift: the window that the network sees moves by up to this share of the picture's side.
        zoom: smallest and largest side of the window, as a share of the picture's side; above 1 its surroundings
            are the picture's mirror image.
        rotation: largest angle, in degrees.
        mirror: whether half of the views are mirrored.
        colour_shift: spread of a random brightness and contrast of each colour.
        noise: sigma of Gaussian noise on the pixels, at the first step and from step ``ramp`` on.
        sides: side of the view as a share of the network's own input, one for each of so many equal parts of the
            ramp, the last one also after it. Small views are cheaper and make the network draw one large object.
    """

    views: int = 1
    jitter: int = 0
    shift: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    rotation: float = 0.0
    mirror: bool = False
    colour_shift: float = 0.0
    noise: tuple[float, float] = (0.0, 0.0)
    sides: tuple[float, ...] = (1.0,)


@dataclass(frozen=True, slots=True)
class Spectrum:
    """How the parameterisation "fourier" weights frequencies and colours.

    Attributes:
        decay: the amplitude of a frequency f is scaled by 1 / f^decay. Photographs have about 1; more is smoother.
        cutoff: frequency, in cycles a pixel, around which the finest detail is faded out; 0.5 is the finest.
        chroma: weight of the two colour axes against brightness.
        contrast: scale of the values before the sigmoid that maps them to [0, 1].
    """

    decay: float = 1.4
    cutoff: float = 0.3
    chroma: float = 1.5
    contrast: float = 1.5


ROBUST = Transforms(
    shift=0.05,
    zoom=(0.7, 1.2),
    rotation=10.0,
    mirror=True,
    colour_shift=0.1,
    noise=(0.2, 0.06),
    sides=(9 / 14, 9 / 14, 9 / 14, 9 / 14, 10 / 14, 10 / 14, 11 / 14),
)
"""Strong transformations that only recognisable objects survive: zoom, shift, rotation, colours, and strong noise."""


@dataclass(frozen=True, slots=True)
class ClassModelSpec:
    """How to draw a picture by gradient ascent. The defaults are the preset "modern".

    Attributes:
        steps: number of steps.
        parameterisation: what is optimised: the "pixels", or the "fourier" coefficients of decorrelated colours.
        start: "zeros" is the network's mean colour (pixels) or mid grey (fourier), "noise" the same with a little
            noise, "picture" the picture given.
        learning_rate: length of a step. Pixels: change of a pixel where the gradient has its typical size, or factor
            of the raw gradient. Fourier: of Adam.
        cool_down: share of the learning rate that is taken away, evenly, by step ``ramp``.
        ramp: steps over which the learning rate cools down, the noise fades and the views grow. Independent of the
            number of steps, so that 400 steps are 200 steps and 200 more.
        normalise: whether the gradient is divided by its root mean square over the picture, which makes the learning
            rate and the penalties mean the same for every network.
        seed: of the start and of the transforms.
        regularisers: penalties and operations that keep the picture smooth.
        transforms: random transformations before the network sees the picture.
        steps_at_once: steps that all use views of the picture before the first of them, each step its own, so that
            they are computed on different lanes.
        spectrum: weights of frequencies and colours, for "fourier".
        frame_every: steps from one frame to the next.
    """

    steps: int = 256
    parameterisation: Parameterisation = "fourier"
    start: Start = "noise"
    learning_rate: float = 0.06
    cool_down: float = 0.85
    ramp: int = 256
    normalise: bool = True
    seed: int = 0
    regularisers: Regularisers = field(default_factory=Regularisers)
    transforms: Transforms = ROBUST
    steps_at_once: int = 2
    spectrum: Spectrum = field(default_factory=Spectrum)
    frame_every: int = 8


@dataclass(frozen=True, slots=True, eq=False)
class AscentState:
    """Everything that a run needs to resume where it stopped, with the same bits.

    Attributes:
        values: what is optimised: float32 [3, S, S], picture minus starting colour, or [3, S, S//2+1, 2], scaled
            Fourier coefficients, real and imaginary.
        first_moment: Adam's running mean of the gradient, of the same shape; empty for pixels.
        second_moment: Adam's running mean of its square; empty for pixels.
        seen: the values before the first of the steps that are taken at once, until all of them are taken, since the
            next one uses views of those; otherwise empty.
        step: number of steps taken.
    """

    values: Tensor
    first_moment: Tensor
    second_moment: Tensor
    seen: Tensor
    step: int


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """The picture at one step, with the eight bits of a picture file, and its scores.

    The scores are those of the untransformed and uncropped picture in the network's own size, before its values are
    rounded to eight bits. A file that is read again is rounded, and cropped by ``images.to_tensor``; both change them.

    Attributes:
        pixels: uint8 [3, S, S].
        score: the objective.
        logit: of the class; nan when the objective names no class.
        probability: of the class; nan when the objective names no class.
        gradient_norm: length of the gradient of the objective with respect to the pixels in [0, 1], mean over views,
            at the last step; the pixels are those of the picture in the size of the views. Where the gradient was zero
            because all units were inactive, the length of the one that was followed instead.
        step: number of steps taken.
    """

    pixels: Tensor
    score: float
    logit: float
    probability: float
    gradient_norm: float
    step: int


@dataclass(frozen=True, slots=True, eq=False)
class ClassModelFrame:
    """The state of a run of gradient ascent after some of its steps.

    Attributes:
        image: float32 [3, S, S] in [0, 1].
        score: the objective, for the untransformed ``image``.
        logit: of the class; nan when the objective names no class.
        probability: of the class; nan when the objective names no class.
        gradient_norm: length of the gradient of the objective with respect to the pixels, mean over views, at the
            last step.
        step: number of steps taken.
        total: number of steps requested.
        objective: what is maximised.
        spec: the specification.
        best: the moment with the highest score so far.
        film: moments from the first frame to this one, evenly spaced, at most 64.
        state: what a longer run continues from.
    """

    image: Tensor
    score: float
    logit: float
    probability: float
    gradient_norm: float
    step: int
    total: int
    objective: Objective
    spec: ClassModelSpec
    best: Moment
    film: tuple[Moment, ...]
    state: AscentState

    @property
    def done(self) -> int:
        """Units of work done: steps."""
        return self.step


@dataclass(frozen=True, slots=True)
class DreamSpec:
    """How to amplify, in a photograph, what a layer detects in it.

    Attributes:
        octaves: number of sizes, small to full.
        octave_scale: ratio of one size to the next.
        steps: number of steps at each size.
        learning_rate: change of a pixel in one step where the gradient has its typical size.
        jitter: the picture is rolled by up to this many pixels before each step.
        views: number of differently rolled copies a step, computed on different lanes.
        seed: of the jitter.
    """

    octaves: int = 4
    octave_scale: float = 1.4
    steps: int = 12
    learning_rate: float = 0.012
    jitter: int = 16
    views: int = 2
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class DreamFrame:
    """The photograph after some steps of Deep Dream.

    Attributes:
        image: float32 [3, H, W] in [0, 1], full size in the last octave, smaller before.
        score: the objective at the last step, mean over views.
        octave: 0 for the smallest size.
        step: number of steps taken, over all octaves.
        total: number of steps requested, over all octaves.
    """

    image: Tensor
    score: float
    octave: int
    step: int
    total: int

    @property
    def done(self) -> int:
        """Units of work done: steps."""
        return self.step


@dataclass(frozen=True, slots=True, eq=False)
class Recognition:
    """How a network classifies a finished picture.

    Attributes:
        model_id: id of the network.
        label: its name as usually written.
        prediction: its scores for the picture.
        probability: of the class that the picture was drawn for.
        rank: of that class among all, 1 for the most probable.
        steadiness: share of five slightly shifted or rescaled views in which that class is the most probable.
    """

    model_id: str
    label: str
    prediction: Prediction
    probability: float
    rank: int
    steadiness: float


@dataclass(frozen=True, slots=True, eq=False)
class ClassModelPair:
    """Two class models at the same step.

    Attributes:
        left: the first.
        right: the second, of as many steps.
    """

    left: ClassModelFrame
    right: ClassModelFrame

    @property
    def done(self) -> int:
        """Steps taken by each."""
        return self.left.step

    @property
    def total(self) -> int:
        """Steps requested of each."""
        return self.left.total


@dataclass(frozen=True, slots=True, eq=False)
class Recognitions:
    """How several networks classify a finished picture, as far as they have been run.

    Attributes:
        given: one for each network so far.
        total: number of networks.
    """

    given: tuple[Recognition, ...]
    total: int

    @property
    def done(self) -> int:
        """Networks that have answered."""
        return len(self.given)
