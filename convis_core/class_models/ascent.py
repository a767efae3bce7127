"""Who loops: one step after the other, the views of a step on different lanes, a frame every few steps."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from convis_core import network
from convis_core.class_models import frames as showing
from convis_core.class_models import objectives, parameterisation, regularisers, transforms
from convis_core.class_models.checks import check_resume, check_spec, check_start
from convis_core.class_models.presets import MODERN
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.results.class_models import AscentState, ClassModelFrame, ClassModelSpec, Transforms
from convis_core.results.objectives import ClassLogit, Objective
from convis_core.runtime import lanes

CLASSES_IN_A_CHUNK = 2
"""Pictures that one lane differentiates at once. It does not depend on the number of lanes: nor do the bits."""

Frames = Generator[tuple[ClassModelFrame, ...], None, None]


def ascend(
    model: LoadedModel,
    target: int | Objective,
    spec: ClassModelSpec = MODERN,
    *,
    picture: Tensor | None = None,
    resume: ClassModelFrame | None = None,
) -> Iterator[ClassModelFrame]:
    """A picture that the network finds ever more typical of a class, by gradient ascent.

    x = argmax_x S(x) - lambda |x - mean|^2 - tau TV(x), S being the objective. Each step follows the gradient of S,
    averaged over randomly disturbed views of x.

    Args:
        model: the network.
        target: index of the class, whose logit is then maximised, or any other objective.
        spec: how to draw.
        picture: float32 [1, 3, S, S] or [3, S, S] in [0, 1]; where to begin when the spec starts from a picture.
        resume: the frame of an earlier run of the same spec, but for its number of steps, to continue from. The
            picture is bit for bit that of a run in one go.

    Returns:
        An iterator of frames: one every ``spec.frame_every`` steps and one after the last.

    Raises:
        SpecError: the network has no such class, layer or channel; a value of the spec is out of range; a picture is
            missing; or the run to be continued was another one.

    Simonyan, Vedaldi and Zisserman, "Deep Inside Convolutional Networks", 2013 (arXiv:1312.6034); Olah, Mordvintsev
    and Schubert, "Feature Visualization", Distill 2017.
    """
    earlier = None if resume is None else (resume,)
    return _alone(ascend_many(model, (target,), spec, picture=picture, resume=earlier))


def ascend_many(
    model: LoadedModel,
    targets: Sequence[int | Objective],
    spec: ClassModelSpec = MODERN,
    *,
    picture: Tensor | None = None,
    resume: Sequence[ClassModelFrame] | None = None,
) -> Frames:
    """Several pictures in step, all seen through the same views: a frame of each, together.

    Args:
        model: the network.
        targets: indices of classes, or objectives; at least one.
        spec: how to draw each of them.
        picture: as for ``ascend``, the same for all.
        resume: one frame for each target, all of the same step.

    Raises:
        SpecError: as for ``ascend``.
    """
    wanted = tuple(ClassLogit(target) if isinstance(target, int) else target for target in targets)
    if not wanted:
        raise SpecError("Name at least one class or objective to draw.")
    check_spec(spec)
    for objective in wanted:
        objectives.check_objective(model, objective)
    start = check_start(spec, model.input_size, picture)
    if resume is not None:
        check_resume(spec, wanted, resume)
    return _climb(model, wanted, spec, start, resume)


def _alone(frames: Frames) -> Iterator[ClassModelFrame]:
    with closing(frames):
        for (frame,) in frames:
            yield frame


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What stays the same from the first step to the last; the spec's transforms as this network can bear them."""

    model: LoadedModel
    objectives: tuple[Objective, ...]
    spec: ClassModelSpec
    transforms: Transforms
    origin: Tensor
    chunks: tuple[slice, ...]


def _climb(
    model: LoadedModel,
    wanted: tuple[Objective, ...],
    spec: ClassModelSpec,
    start: Tensor | None,
    resume: Sequence[ClassModelFrame] | None,
) -> Frames:
    run = lanes.run(partial(_prepare, model, wanted, spec))
    if resume is None:
        state = lanes.run(partial(_begin, run, start))
        latest: tuple[ClassModelFrame | Objective, ...] = wanted
    else:
        state = _stack([frame.state for frame in resume], run)
        continued = tuple(showing.continued(frame, spec) for frame in resume)
        latest = continued
        if state.step == spec.steps:
            yield continued
    while state.step < spec.steps:
        first = state.step - state.step % spec.steps_at_once
        pictures = lanes.run(partial(_render, run, state, first))
        steps = range(state.step, min(first + spec.steps_at_once, spec.steps))
        work = [(view, chunk) for step in steps for view in _views(run, step, first) for chunk in run.chunks]
        parts = list(lanes.map(partial(_differentiate, run, pictures), work))
        each = len(parts) // len(steps)
        groups = [parts[start : start + each] for start in range(0, len(parts), each)]
        directions = list(lanes.map(partial(_direct, run, state, pictures), groups))
        for after, gradient in lanes.run(partial(_follow, run, state, directions)):
            state = after
            if state.step % spec.frame_every == 0 or state.step == spec.steps:
                shown = lanes.run(partial(_show, run, state, gradient, latest))
                latest = shown
                yield shown


def _prepare(model: LoadedModel, wanted: tuple[Objective, ...], spec: ClassModelSpec) -> _Run:
    seen_by = spec.transforms
    sides = {transforms.side_of(share, model.input_size) for share in seen_by.sides}
    if any(map(objectives.names_a_place, wanted)) or not _accepts(model, sides):
        seen_by = replace(seen_by, sides=(1.0,))
    starts = range(0, len(wanted), CLASSES_IN_A_CHUNK)
    chunks = tuple(slice(first, first + CLASSES_IN_A_CHUNK) for first in starts)
    origin = torch.tensor(model.spec.mean, device=model.device).view(3, 1, 1)
    return _Run(model, wanted, spec, seen_by, origin, chunks)


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
    start = parameterisation.start(run.spec, run.model.input_size, run.origin.cpu(), picture)
    return _stack([start] * len(run.objectives), run)


def _stack(states: Sequence[AscentState], run: _Run) -> AscentState:
    values, first, second, seen = (
        torch.stack(tensors).to(run.model.device) for tensors in zip(*map(_tensors, states), strict=True)
    )
    return AscentState(values, first, second, seen, states[0].step)


def _alone_state(state: AscentState, index: int) -> AscentState:
    # Copies: a slice would keep, and pickle, the whole batch.
    values, first, second, seen = (
        (tensor[index] if len(tensor) else tensor).detach().cpu().clone() for tensor in _tensors(state)
    )
    return AscentState(values, first, second, seen, state.step)


def _tensors(state: AscentState) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return state.values, state.first_moment, state.second_moment, state.seen


def _progress(run: _Run, step: int) -> float:
    return min(1.0, step / run.spec.ramp)


def _views(run: _Run, step: int, first: int) -> tuple[transforms.View, ...]:
    """The views of one step; those of steps taken at once are of one size and stray equally far."""
    key = (run.spec.seed, step)
    return transforms.draw(run.transforms, key, _progress(run, first), run.model.input_size)


def _render(run: _Run, state: AscentState, first: int) -> Tensor:
    """The pictures that the next steps look at, in the size of the views."""
    side = transforms.side_at(run.transforms, _progress(run, first), run.model.input_size)
    with torch.no_grad():
        return parameterisation.render(run.spec, parameterisation.looked_at(state), run.origin, side)


def _differentiate(run: _Run, pictures: Tensor, work: tuple[transforms.View, slice]) -> Tensor:
    """The gradient of the objectives of one chunk, through one view, with respect to the pictures."""
    view, chunk = work
    leaf = pictures[chunk].detach().requires_grad_(True)
    scores, _ = objectives.measure(run.model, transforms.apply(view, leaf), run.objectives[chunk])
    # Pictures do not see each other, so the gradient of the sum is the gradient of each.
    (gradient,) = torch.autograd.grad(scores.sum(), leaf)
    asleep = (scores.detach() <= 0) & ~gradient.flatten(1).any(dim=1)
    if asleep.any():
        seen = transforms.apply(view, leaf)
        scores, _ = objectives.measure(run.model, seen, run.objectives[chunk], relu=objectives.ajar)
        (through,) = torch.autograd.grad(scores.sum(), leaf)
        gradient = torch.where(asleep.view(-1, 1, 1, 1), through, gradient)
    return gradient


def _direct(run: _Run, state: AscentState, pictures: Tensor, parts: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The gradient of one step, the mean over its views, and where it moves the parameters."""
    spec, count = run.spec, len(run.chunks)
    views = [torch.cat(list(parts[first : first + count])) for first in range(0, len(parts), count)]
    gradient = torch.stack(views).mean(dim=0)
    direction = gradient
    if spec.normalise:
        typical = gradient.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        direction = gradient / typical.clamp(min=torch.finfo(gradient.dtype).tiny)
    direction = direction - regularisers.penalty_gradient(spec.regularisers, pictures, run.origin)
    return gradient, parameterisation.pull_back(spec, parameterisation.looked_at(state), direction, run.origin)


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


def _show(
    run: _Run,
    state: AscentState,
    gradient: Tensor,
    latest: Sequence[ClassModelFrame | Objective],
) -> tuple[ClassModelFrame, ...]:
    with torch.no_grad():
        images = parameterisation.render(run.spec, state.values, run.origin).clamp(0, 1)
        measured = [objectives.measure(run.model, images[chunk], run.objectives[chunk]) for chunk in run.chunks]
    scores = torch.cat([score for score, _ in measured])
    logits = torch.cat([logit for _, logit in measured])
    shown = []
    for index, objective in enumerate(run.objectives):
        image = images[index].cpu().clone()
        figures = (scores[index], logits[index], gradient[index])
        now = showing.moment(image, objective, figures, state.step)
        shown.append(showing.frame(image, now, _alone_state(state, index), run.spec, latest[index]))
    return tuple(shown)
