"""Checks of specs, of pictures to start from, and of runs to continue."""

from dataclasses import replace

from torch import Tensor

from convis_core.errors import SpecError
from convis_core.results.class_models import ClassModelFrame, ClassModelSpec, DreamSpec, Regularisers, Transforms
from convis_core.results.objectives import Objective
from convis_core.values import check_choice, check_real, check_seed, check_whole, shown

_MOST_STEPS, _MOST_VIEWS, _MOST_JITTER = 100_000, 64, 1024
_MOST_WEIGHT = 1e6
_LEAST = 1e-3


def check_spec(spec: ClassModelSpec) -> None:
    """Refuse a specification that cannot be drawn.

    Raises:
        SpecError: a value is out of range, or a regulariser does not fit the parameterisation.
    """
    check_choice("The parameterisation", spec.parameterisation, ("fourier", "pixels"))
    check_choice("The start", spec.start, ("zeros", "noise", "picture"))
    check_whole("The number of steps", spec.steps, 1, _MOST_STEPS)
    check_whole("The ramp", spec.ramp, 1, _MOST_STEPS)
    check_whole("The number of steps from frame to frame", spec.frame_every, 1, _MOST_STEPS)
    check_whole("The number of steps at once", spec.steps_at_once, 1, _MOST_VIEWS)
    check_real("The learning rate", spec.learning_rate, 0, 100)
    check_real("The cool-down", spec.cool_down, 0, 1)
    check_seed(spec.seed)
    _check_regularisers(spec.regularisers, spec.parameterisation)
    _check_transforms(spec.transforms)
    check_real("The decay of the spectrum", spec.spectrum.decay, 0, 10)
    check_real("The cutoff of the spectrum", spec.spectrum.cutoff, 0, 10)
    check_real("The chroma", spec.spectrum.chroma, _LEAST, 100)
    check_real("The contrast", spec.spectrum.contrast, _LEAST, 100)


def check_dream(spec: DreamSpec) -> None:
    """Refuse a specification of a dream that cannot be drawn.

    Raises:
        SpecError: a value is out of range.
    """
    check_whole("The number of octaves", spec.octaves, 1, 16)
    check_whole("The number of steps", spec.steps, 1, _MOST_STEPS)
    check_whole("The number of views", spec.views, 1, _MOST_VIEWS)
    check_real("The learning rate", spec.learning_rate, 0, 100)
    check_whole("The jitter", spec.jitter, 0, _MOST_JITTER)
    check_seed(spec.seed)
    check_real("The ratio of one octave to the one before", spec.octave_scale, 1 + _LEAST, 4)


def check_start(spec: ClassModelSpec, side: int, picture: Tensor | None) -> Tensor | None:
    """The picture to start from, float32 [3, S, S]; None when the spec does not start from one.

    Raises:
        SpecError: a picture is missing, superfluous, or not of the network's size.
    """
    if (spec.start == "picture") != (picture is not None):
        raise SpecError("Give a picture together with start='picture', and neither without the other.")
    if picture is None:
        return None
    shape = tuple(picture.shape)
    if shape not in ((3, side, side), (1, 3, side, side)):
        raise SpecError(f"The start must be one picture (1, 3, {side}, {side}), not {shape}; see images.to_tensor.")
    return picture.detach().reshape(3, side, side).cpu().float()


def check_resume(spec: ClassModelSpec, objective: Objective, frame: ClassModelFrame) -> None:
    """Refuse to continue a different run.

    Raises:
        SpecError: the objective differs; the spec does, other than in its number of steps and its frames; or the
            frame is past the last step asked for.
    """
    if frame.objective != objective:
        raise SpecError("A run can only be continued with the objective that it was started with.")
    if replace(frame.spec, steps=spec.steps, frame_every=spec.frame_every) != spec:
        raise SpecError("A run can only be continued with the settings that it was started with; start a new one.")
    if frame.step > spec.steps:
        raise SpecError("The run has already taken more steps than that; ask for more.")


def _check_regularisers(regularisers: Regularisers, parameterisation: str) -> None:
    check_real("The weight of the L2 penalty", regularisers.l2, 0, _MOST_WEIGHT)
    check_real("The weight of the total variation", regularisers.total_variation, 0, _MOST_WEIGHT)
    check_real("The blur", regularisers.blur_sigma, 0, 100)
    check_whole("The number of steps from blur to blur", regularisers.blur_every, 1, _MOST_STEPS)
    check_real("The share of pixels with a small norm", regularisers.small_norm, 0, 1)
    check_real("The share of pixels with a small contribution", regularisers.small_contribution, 0, 1)
    on_pixels = (regularisers.blur_sigma, regularisers.small_norm, regularisers.small_contribution)
    if parameterisation != "pixels" and any(on_pixels):
        raise SpecError("Blur and clipping of small pixels change pixels; choose the parameterisation 'pixels'.")


def _check_transforms(transforms: Transforms) -> None:
    check_whole("The number of views", transforms.views, 1, _MOST_VIEWS)
    check_whole("The jitter", transforms.jitter, 0, _MOST_JITTER)
    check_real("The shift", transforms.shift, 0, 1)
    check_real("The rotation", transforms.rotation, 0, 180)
    check_real("The colour shift", transforms.colour_shift, 0, 10)
    for name, pair in (("The noise", transforms.noise), ("The zoom", transforms.zoom)):
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise SpecError(f"{name} is a pair of numbers, not {shown(pair)}.")
    for sigma in transforms.noise:
        check_real("The noise", sigma, 0, 10)
    for side in transforms.zoom:
        check_real("The zoom", side, _LEAST, 4)
    if transforms.zoom[0] > transforms.zoom[1]:
        raise SpecError(f"The zoom goes from a smaller to a larger share of the picture, not {shown(transforms.zoom)}.")
    if not isinstance(transforms.sides, tuple) or not 1 <= len(transforms.sides) <= 64:
        raise SpecError("The sides of the views are from 1 to 64 shares of the network's input.")
    for side in transforms.sides:
        check_real("The side of a view", side, _LEAST, 1)
