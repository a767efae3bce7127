"""Every refusal of a spec, a picture to start from, or a run to continue."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from convis_core.errors import SpecError
from convis_core.results.class_models import ClassModelFrame, ClassModelSpec, DreamSpec, Regularisers, Transforms
from convis_core.results.objectives import Objective


def check_spec(spec: ClassModelSpec) -> None:
    """Refuse what cannot be drawn.

    Raises:
        SpecError: a value is out of range, or a regulariser does not fit the parameterisation.
    """
    if spec.parameterisation not in ("fourier", "pixels"):
        raise SpecError(f"The parameterisation is 'fourier' or 'pixels', not {spec.parameterisation!r}.")
    if spec.start not in ("zeros", "noise", "picture"):
        raise SpecError(f"The start is 'zeros', 'noise' or 'picture', not {spec.start!r}.")
    _at_least(1, steps=spec.steps, ramp=spec.ramp, frame_every=spec.frame_every, steps_at_once=spec.steps_at_once)
    _at_least(0, learning_rate=spec.learning_rate, seed=spec.seed)
    _share(cool_down=spec.cool_down)
    _check_regularisers(spec.regularisers, spec.parameterisation)
    _check_transforms(spec.transforms)
    _at_least(0, decay=spec.spectrum.decay, cutoff=spec.spectrum.cutoff)
    if spec.spectrum.chroma <= 0 or spec.spectrum.contrast <= 0:
        raise SpecError("Chroma and contrast must be more than 0, or every picture would be grey.")


def check_dream(spec: DreamSpec) -> None:
    """Refuse what cannot be dreamt.

    Raises:
        SpecError: a value is out of range.
    """
    _at_least(1, octaves=spec.octaves, steps=spec.steps, views=spec.views)
    _at_least(0, learning_rate=spec.learning_rate, jitter=spec.jitter, seed=spec.seed)
    if spec.octave_scale <= 1:
        raise SpecError(f"Each octave must be larger than the one before; {spec.octave_scale} is not more than 1.")


def check_start(spec: ClassModelSpec, side: int, picture: Tensor | None) -> Tensor | None:
    """The picture to start from, float32 [3, S, S]; None when the spec does not start from one.

    Raises:
        SpecError: a picture is missing, unasked for, or not of the network's size.
    """
    if (spec.start == "picture") != (picture is not None):
        raise SpecError("Give a picture together with start='picture', and neither without the other.")
    if picture is None:
        return None
    shape = tuple(picture.shape)
    if shape not in ((3, side, side), (1, 3, side, side)):
        raise SpecError(f"The start must be one picture (1, 3, {side}, {side}), not {shape}; see images.to_tensor.")
    return picture.detach().reshape(3, side, side).cpu().float()


def check_resume(spec: ClassModelSpec, objectives: Sequence[Objective], frames: Sequence[ClassModelFrame]) -> None:
    """Refuse to continue a run that was another one.

    Raises:
        SpecError: the spec, but for its number of steps and its frames, or an objective differs; or the frames are
            not of one step; or that step is past the last one asked for.
    """
    if len(frames) != len(objectives) or any(
        frame.objective != objective for frame, objective in zip(frames, objectives, strict=False)
    ):
        raise SpecError("A run can only be continued with the objectives that it was begun with.")
    for frame in frames:
        if replace(frame.spec, steps=spec.steps, frame_every=spec.frame_every) != spec:
            raise SpecError("A run can only be continued with the settings that it was begun with; start a new one.")
    steps = {frame.step for frame in frames}
    if len(steps) > 1:
        raise SpecError("The runs to be continued together have taken different numbers of steps.")
    if steps.pop() > spec.steps:
        raise SpecError("The run has already taken more steps than that; ask for more.")


def _check_regularisers(regularisers: Regularisers, parameterisation: str) -> None:
    _at_least(0, l2=regularisers.l2, total_variation=regularisers.total_variation, blur=regularisers.blur_sigma)
    _at_least(1, blur_every=regularisers.blur_every)
    _share(small_norm=regularisers.small_norm, small_contribution=regularisers.small_contribution)
    on_pixels = (regularisers.blur_sigma, regularisers.small_norm, regularisers.small_contribution)
    if parameterisation != "pixels" and any(on_pixels):
        raise SpecError("Blur and clipping of small pixels change pixels; choose the parameterisation 'pixels'.")


def _check_transforms(transforms: Transforms) -> None:
    _at_least(1, views=transforms.views)
    _at_least(0, jitter=transforms.jitter, shift=transforms.shift, rotation=transforms.rotation)
    _at_least(0, colour_shift=transforms.colour_shift, noise=min(transforms.noise))
    low, high = transforms.zoom
    if not 0 < low <= high:
        raise SpecError(f"Zoom goes from a smaller to a larger share of the picture, above 0, not {low} to {high}.")
    if not transforms.sides or not all(0 < side <= 1 for side in transforms.sides):
        raise SpecError("The sides of the views are one or more shares of the network's input, above 0 and up to 1.")


def _at_least(least: int, **values: float) -> None:
    for name, value in values.items():
        if not value >= least:  # so that nan is refused too
            raise SpecError(f"The setting {name.replace('_', ' ')} must be at least {least}, not {value}.")


def _share(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise SpecError(f"The setting {name.replace('_', ' ')} is a share from 0 to 1, not {value}.")
