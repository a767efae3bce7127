"""The loop: one step after the other, the views of a step on different lanes, a frame every few steps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from convis_core import network
from convis_core.class_models import frames, objectives, parameterisation, regularisers, transforms
from convis_core.class_models.checks import check_resume, check_spec, check_start
from convis_core.class_models.presets import MODERN
from convis_core.models import LoadedModel
from convis_core.results.class_models import AscentState, ClassModelFrame, ClassModelSpec, Transforms
from convis_core.results.objectives import ClassLogit, Objective
from convis_core.runtime import lanes


def ascend(
    model: LoadedModel,
    target: int | Objective,
    spec: ClassModelSpec = MODERN,
    *,
    picture: Tensor | None = None,
    resume: ClassModelFrame | None = None,
) -> Iterator[ClassModelFrame]:
    """Draws a picture for which an objective, such as a class logit, is as high as possible, by gradient ascent.

    x = argmax_x S(x) - lambda |x - mean|^2 - tau TV(x), where S is the objective. Each step follows the gradient of S,
    averaged over random transformations of x.

    Args:
        model: the network.
        target: index of the class whose logit is maximised, or any other objective.
        spec: how to draw.
        picture: float32 [1, 3, S, S] or [3, S, S] in [0, 1], the starting point when ``spec.start`` is "picture".
        resume: a frame of an earlier run to continue from, with the same spec except for its number of steps. The
            result is bit for bit that of an uninterrupted run.

    Returns:
        An iterator of frames: one every ``spec.frame_every`` steps and one after the last.

    Raises:
        SpecError: the network has no such class, layer or channel; a value of the spec is out of range; a picture is
            missing; or ``resume`` belongs to a different run.

    Simonyan, Vedaldi and Zisserman, "Deep Inside Convolutional Networks", 2013 (arXiv:1312.6034); Olah, Mordvintsev
    and Schubert, "Feature Visualization", Distill 2017.

    >>> from convis_core import models
    >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, 2))
    >>> model = models.wrap(linear, input_size=16)
    >>> spec = ClassModelSpec(steps=4, frame_every=1, transforms=Transforms())
    >>> first, *_, last = ascend(model, 1, spec)
    >>> (first.step, last.step), tuple(last.image.shape), last.logit > first.logit
    ((1, 4), (3, 16, 16), True)
    """
    objective = ClassLogit(target) if isinstance(target, int) else target
    check_spec(spec)
    objectives.check_objective(model, objective)
    start = check_start(spec, model.input_size, picture)
    if resume is not None:
        check_resume(spec, objective, resume)
    return _climb(model, objective, spec, start, resume)


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What stays the same from the first step to the last; the transforms are those that this network accepts."""

    model: LoadedModel
    objective: Objective
    spec: ClassModelSpec
    transforms: Transforms
    origin: Tensor


def _climb(
    model: LoadedModel,
    objective: Objective,
    spec: ClassModelSpec,
    start: Tensor | None,
    resume: ClassModelFrame | None,
) -> Iterator[ClassModelFrame]:
    run = lanes.run(partial(_prepare, model, objective, spec))
    if resume is None:
        state = lanes.run(partial(_begin, run, start))
        latest: ClassModelFrame | Objective = objective
    else:
        state = _batched(resume.state, run)
        latest = continued = frames.continued(resume, spec)
        if state.step == spec.steps:
            yield continued
    while state.step < spec.steps:
        first = state.step - state.step % spec.steps_at_once
        picture = lanes.run(partial(_render, run, state, first))
        steps = range(state.step, min(first + spec.steps_at_once, spec.steps))
        views = [view for step in steps for view in _views(run, step, first)]
        gradients = list(lanes.map(partial(_differentiate, run, picture), views))
        each = len(views) // len(steps)
        groups = [gradients[start : start + each] for start in range(0, len(gradients), each)]
        directions = list(lanes.map(partial(_direct, run, state, picture), groups))
        for after, gradient in lanes.run(partial(_follow, run, state, directions)):
            state = after
            if state.step % spec.frame_every == 0 or state.step == spec.steps:
                frame = lanes.run(partial(_show, run, state, gradient, latest))
                latest = frame
                yield frame


def _prepare(model: LoadedModel, objective: Objective, spec: ClassModelSpec) -> _Run:
    accepted = spec.transforms
    sides = {transforms.side_of(share, model.input_size) for share in accepted.sides}
    if objectives.names_a_position(objective) or not _accepts(model, sides):
        accepted = replace(accepted, sides=(1.0,))
    origin = torch.tensor(model.spec.mean, device=model.device).view(3, 1, 1)
    return _Run(model, objective, spec, accepted, origin)


def _accepts(model: LoadedModel, sides: set[int]) -> bool:
    """Whether the network takes pictures of all these sides; one that flattens a fixed grid takes its own only."""
    try:
        with torch.no_grad():
            for side in sides - {model.input_size}:
                network.fast(model).module(torch.zeros(1, 3, side, side, device=model.device))
    except RuntimeError:
        return False
    return True


def _begin(run: _Run, picture: Tensor | None) -> AscentState:
    return _batched(parameterisation.start(run.spec, run.model.input_size, run.origin.cpu(), picture), run)


def _batched(state: AscentState, run: _Run) -> AscentState:
    """The state of a frame with the batch axis that networks expect, on the network's device."""
    values, first, second, seen = (tensor[None].to(run.model.device) for tensor in _tensors(state))
    return AscentState(values, first, second, seen, state.step)


def _unbatched(state: AscentState) -> AscentState:
    # Copies: whoever changes a frame does not change the run.
    values, first, second, seen = (
        (tensor[0] if len(tensor) else tensor).detach().cpu().clone() for tensor in _tensors(state)
    )
    return AscentState(values, first, second, seen, state.step)


def _tensors(state: AscentState) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return state.values, state.first_moment, state.second_moment, state.seen


def _progress(run: _Run, step: int) -> float:
    return min(1.0, step / run.spec.ramp)


def _views(run: _Run, step: int, first: int) -> tuple[transforms.View, ...]:
    """The views of one step; steps that are taken at once have views of one size and equally strong transforms."""
    key = (run.spec.seed, step)
    return transforms.draw(run.transforms, key, _progress(run, first), run.model.input_size)


def _render(run: _Run, state: AscentState, first: int) -> Tensor:
    """The picture whose views the next steps differentiate, in the size of the views."""
    side = transforms.side_at(run.transforms, _progress(run, first), run.model.input_size)
    with torch.no_grad():
        return parameterisation.render(run.spec, parameterisation.viewed(state), run.origin, side)


def _differentiate(run: _Run, picture: Tensor, view: transforms.View) -> Tensor:
    """The gradient of the objective, through one view, with respect to the picture."""
    leaf = picture.detach().requires_grad_(True)
    score, _ = objectives.measure(run.model, transforms.apply(view, leaf), run.objective)
    (gradient,) = torch.autograd.grad(score.sum(), leaf)
    if score.item() <= 0 and not gradient.any():  # every unit on the path is inactive
        leaking = objectives.relu_with_leaky_gradient
        score, _ = objectives.measure(run.model, transforms.apply(view, leaf), run.objective, relu=leaking)
        (gradient,) = torch.autograd.grad(score.sum(), leaf)
    return gradient


def _direct(run: _Run, state: AscentState, picture: Tensor, gradients: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The gradient of one step, the mean over its views, and where it moves the parameters."""
    spec = run.spec
    gradient = torch.stack(list(gradients)).mean(dim=0)
    direction = gradient
    if spec.normalise:
        typical = gradient.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        direction = gradient / typical.clamp(min=torch.finfo(gradient.dtype).tiny)
    direction = direction - regularisers.penalty_gradient(spec.regularisers, picture, run.origin)
    return gradient, parameterisation.pull_back(spec, parameterisation.viewed(state), direction, run.origin)


def _follow(
    run: _Run, state: AscentState, directions: Sequence[tuple[Tensor, Tensor]]
) -> list[tuple[AscentState, Tensor]]:
    """One step after the other: the state after each, and the gradient that led there."""
    taken = []
    for gradient, direction in directions:
        state = parameterisation.climb(run.spec, state, direction)
        if run.spec.parameterisation == "pixels":
            tidied = regularisers.tidy(run.spec.regularisers, state.values, gradient, run.origin, state.step)
            state = replace(state, values=tidied)
        taken.append((state, gradient))
    return taken


def _show(run: _Run, state: AscentState, gradient: Tensor, latest: ClassModelFrame | Objective) -> ClassModelFrame:
    with torch.no_grad():
        picture = parameterisation.render(run.spec, state.values, run.origin).clamp(0, 1)
        score, logits = objectives.measure(run.model, picture, run.objective)
    image = picture[0].cpu()
    moment = frames.moment(image, run.objective, (score[0], logits[0], gradient[0]), state.step)
    return frames.frame(image, moment, _unbatched(state), run.spec, latest)
