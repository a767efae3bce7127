"""A/B: two drawings from the same seed with one thing different, in step and side by side."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import streamlit as st

from convis_core import class_models
from convis_core.figures import class_models as pictures
from convis_core.figures.scores import percent
from convis_core.results import ClassLogit, ClassModelPair, ClassModelSpec, ClassProbability
from convis_core.results.class_models import Start
from convis_core.runtime.board import Job
from pages._sections.class_models import controls as settings
from pages._sections.class_models import film
from pages._sections.class_models.controls import Settings
from pages._shell import confirm, controls, layout, live
from pages._shell.context import Context

SLOT = "class_models_pair"
_PRESETS = dict(class_models.PRESETS)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that the second drawing does otherwise.

    Attributes:
        left: what the first does.
        right: what the second does.
        make: the settings of both, from the class and the spec to begin with.
    """

    left: str
    right: str
    make: Callable[[int, ClassModelSpec], tuple[Settings, Settings]]


def _specs(
    left: Callable[[ClassModelSpec], ClassModelSpec], right: Callable[[ClassModelSpec], ClassModelSpec]
) -> Callable[[int, ClassModelSpec], tuple[Settings, Settings]]:
    return lambda target, base: (
        Settings(ClassLogit(target), left(base)),
        Settings(ClassLogit(target), right(base)),
    )


def _goals(target: int, base: ClassModelSpec) -> tuple[Settings, Settings]:
    return Settings(ClassLogit(target), base), Settings(ClassProbability(target), base)


def _blurred(sigma: float) -> Callable[[ClassModelSpec], ClassModelSpec]:
    return lambda base: replace(base, regularisers=replace(base.regularisers, blur_sigma=sigma))


def _decayed(l2: float) -> Callable[[ClassModelSpec], ClassModelSpec]:
    return lambda base: replace(base, regularisers=replace(base.regularisers, l2=l2))


def _preset(name: str) -> Callable[[ClassModelSpec], ClassModelSpec]:
    return lambda base: replace(_PRESETS[name], steps=base.steps, seed=base.seed, frame_every=base.frame_every)


def _begun(start: Start) -> Callable[[ClassModelSpec], ClassModelSpec]:
    return lambda base: replace(base, start=start)


def _calm(base: ClassModelSpec) -> ClassModelSpec:
    return replace(
        base,
        transforms=replace(
            base.transforms,
            shift=0.0,
            zoom=(1.0, 1.0),
            rotation=0.0,
            mirror=False,
            colour_shift=0.0,
            noise=(0.0, 0.0),
            jitter=0,
            sides=(1.0,),
        ),
        steps_at_once=1,
    )


def _same(base: ClassModelSpec) -> ClassModelSpec:
    return base


CHANGES: dict[str, tuple[str, Change]] = {
    "raw or modern": (
        "raw",
        Change("raw gradient", "the modern way", _specs(_same, _preset("modern"))),
    ),
    "no blur or blur": ("blur", Change("no blur", "blur", _specs(_blurred(0.0), _same))),
    "no L2 or L2": ("l2", Change("no L2", "L2", _specs(_decayed(0.0), _same))),
    "logit or probability": ("modern", Change("logit", "probability", _goals)),
    "zeros or noise": (
        "blur",
        Change("mean colour", "with noise", _specs(_begun("zeros"), _begun("noise"))),
    ),
    "views or none": ("modern", Change("random views", "none", _specs(_same, _calm))),
}
SAYS = {
    "raw or modern": "Both climb the same hill. One finds grain, the other finds shapes, and in "
    "the end the network is sure of both.",
    "no blur or blur": "The score climbs more slowly with blur, and the picture is worth the wait.",
    "no L2 or L2": "Decay keeps the picture near the mean colour. The noise gets fainter, its grain stays.",
    "logit or probability": "The logit rises by more of the class; the probability rises as well by less of "
    "all others.",
    "zeros or noise": "Without noise there is one picture; with it, one for each seed.",
    "views or none": "The parameterisation alone is not enough: without views that move, the grain returns.",
}


def draw(context: Context) -> None:
    """The pair, its steps and seed, and both drawings in step."""
    asked, answer = st.columns([1, 3.4])
    with asked:
        chosen = controls.selectbox(
            "What differs",
            list(CHANGES),
            key="class_models_pair",
            help="Everything else is the same, the seed too.",
        )
        target = settings.target(context)
        iterations = settings.steps()
        number = settings.seed()
        lesson, change = CHANGES[chosen]
        base = replace(_PRESETS[lesson], steps=iterations, seed=number, frame_every=settings.FRAME_EVERY)
        left, right = change.make(target, base)
        key = ("class_models.pair", left.key(context), right.key(context))
        name = context.model.categories[target]
        begin = confirm.agreed(
            SLOT, key, f"Draw both **{name}**", icon=":material/brush:", width="stretch", place=st.empty()
        )
    with answer:
        if not begin:
            layout.sentence(SAYS[chosen])
            st.info("Two drawings cost twice the time of one, so they wait for the button.", icon=":material/compare:")
            return
        model = context.model
        job = live.watch(
            SLOT,
            key,
            lambda: class_models.ascend_pair(model, (left.objective, left.spec), (right.objective, right.spec)),
            lambda pair, job: _show(pair, job, change, name),
            height=520,
        )
        if job.frame is not None:
            _words(job.frame, change, name)
        st.markdown(SAYS[chosen])
        if job.done and job.frame is not None:
            _files(context, job.frame, change, name)


def _show(pair: ClassModelPair, job: Job[ClassModelPair], change: Change, name: str) -> None:
    one, other = st.columns(2)
    slider = st.container()
    with slider:
        moment = film.scrub(pair.left, done=job.done, key="class_models_pair_moment")
    at = [shown.step for shown in pair.left.film].index(moment.step)
    for place, frame, said in ((one, pair.left, change.left), (other, pair.right, change.right)):
        shown = frame.film[at]
        place.image(
            pictures.picture(shown, pixels=672),
            width="stretch",
            alt=f"{name} after {shown.step} steps: {said}",
        )
        place.markdown(f"**{said}**: logit {shown.logit:.2f}, probability {percent(shown.probability)}")
    layout.figure(
        pictures.ascent(
            [pictures.Run(change.left, pair.left.film), pictures.Run(change.right, pair.right.film)],
            total=pair.total,
            at=moment.step,
            height=340,
        ),
        key="class_models_pair_climb",
        caption=f"Logit and probability of {name}: {change.left} in blue, {change.right} in orange.",
    )


def _words(pair: ClassModelPair, change: Change, name: str) -> None:
    left, right = pair.left, pair.right
    layout.sentence(
        f"After {pair.done} steps the network gives **{percent(left.probability)}** {name} to *{change.left}* and "
        f"**{percent(right.probability)}** to *{change.right}*. Which of the two would you call a {name}?"
    )


def _files(context: Context, pair: ClassModelPair, change: Change, name: str) -> None:
    for frame, said, side in ((pair.left, change.left, "left"), (pair.right, change.right, "right")):
        st.markdown(f"**{said}**")
        recipe = settings.recipe(context, "class_models.ascend", frame.objective, film.taken(frame))
        film.files(recipe, frame, f"{name}-{said}-{frame.step}".replace(" ", "-"), f"class_models_pair_{side}")
