"""A drawing as a film: the picture, its curves, the slider through its frames, and the files."""

from dataclasses import replace

import streamlit as st

from convis_core import class_models, export
from convis_core.export import Recipe
from convis_core.figures import class_models as pictures
from convis_core.figures.scores import percent
from convis_core.results import ClassModelFrame, ClassModelSpec, Moment
from convis_core.runtime.board import Job
from pages._shell import cache, layout
from pages._shell.context import Context

PROPORTIONS = (1.75, 1.2)
_FRAME_MS, _LAST_MS = 100, 2000


def scrub(frame: ClassModelFrame, *, done: bool, key: str) -> Moment:
    """The moment to show: the latest while the drawing grows, then whichever the slider says.

    Args:
        frame: the latest of the drawing.
        done: whether it has ended.
        key: of the slider.
    """
    if not done or len(frame.film) < 2:
        return frame.film[-1]
    moments = {moment.step: moment for moment in frame.film}
    # A key for every film: its slider begins at the film's own end.
    step = st.select_slider(
        "Scrub through the steps",
        list(moments),
        value=frame.film[-1].step,
        key=f"{key}_{frame.spec.seed}_{len(moments)}_{frame.step}",
        help="Any moment of the film; the arrow keys go step by step.",
    )
    return moments[step]


def show(frame: ClassModelFrame, job: Job[ClassModelFrame], name: str) -> None:
    """The picture large, its curves beside it, and under it the slider through the film."""
    picture, beside = st.columns(PROPORTIONS)
    with picture:
        place = st.container(key="class_models_frame")
        moment = scrub(frame, done=job.done, key="class_models_moment")
        place.image(
            pictures.picture(moment, pixels=672),
            width="stretch",
            alt=f"The picture drawn for {name} after {moment.step} steps",
        )
    with beside:
        layout.figure(
            pictures.ascent([pictures.Run(name, frame.film)], total=frame.total, at=moment.step),
            key="class_models_climb",
            caption=f"Logit and probability of {name} on the picture itself, undisturbed, step by step.",
        )
        st.markdown(
            f"Step **{moment.step}** of {frame.total}: logit **{moment.logit:.2f}**,  \n"
            f"probability **{percent(moment.probability)}**, gradient {moment.gradient_norm:.3g}"
        )


def files(recipe: Recipe, frame: ClassModelFrame, name: str, key: str) -> None:
    """The film and the best picture, each with the recipe inside.

    Args:
        recipe: how to draw it again.
        frame: the last of the drawing.
        name: of the files.
        key: of the buttons.
    """
    durations = [_FRAME_MS] * (len(frame.film) - 1) + [_LAST_MS]

    def made() -> tuple[bytes, bytes, bytes]:
        film = [pictures.picture(moment) for moment in frame.film]
        return (
            export.webp(film, durations, recipe),
            export.gif(film, durations, recipe),
            export.png(pictures.picture(frame.best), recipe),
        )

    webp, gif, png = cache.compute_large(("export", recipe.as_json()), made)
    with st.container(horizontal=True):
        layout.download("Film (WebP)", webp, f"{name}.webp", key=f"{key}_webp")
        layout.download("Film (GIF)", gif, f"{name}.gif", key=f"{key}_gif")
        layout.download(f"Best picture, step {frame.best.step} (PNG)", png, f"{name}.png", key=f"{key}_png")
        layout.download("Recipe (Python)", recipe.as_python().encode(), f"{name}.py", key=f"{key}_recipe")
    st.caption(
        "The figures are those of the drawing as it was computed. A picture file rounds every colour to one of 256 "
        "values, and a picture that is opened on these pages is cropped to its middle: the network's scores for the "
        "file differ a little, and for raw gradients a great deal."
    )


def words(context: Context, frame: ClassModelFrame, name: str) -> None:
    """What came of it, computed."""
    first, last = frame.film[0], frame.film[-1]
    network = context.model.spec.label
    if len(frame.film) < 2:
        layout.sentence(f"After {last.step} steps {network} gives the picture **{percent(last.probability)}** {name}.")
        return
    layout.sentence(
        f"From step {first.step} to step {last.step} the probability of **{name}** went from "
        f"{percent(first.probability)} to **{percent(last.probability)}**, its logit from {first.logit:.2f} to "
        f"**{last.logit:.2f}**."
    )
    model, best = context.model, frame.best
    # The saved file has whole numbers for colours, so it is that which is asked.
    said = cache.compute_large(
        context.key("class_models.recognise", frame.objective, taken(frame)),
        lambda: class_models.recognise((model,), best.pixels / 255, _target(frame)),
    )[0]
    seen = round(5 * said.steadiness)
    st.markdown(
        f"Shifted or rescaled a little, the best picture is still first choice in **{seen} of 5** views"
        + (f". Whether a person sees a {name} in it is another question." if seen == 5 else ".")
    )


def taken(frame: ClassModelFrame) -> ClassModelSpec:
    """The spec that draws exactly this far, also where the person stopped before the end."""
    return replace(frame.spec, steps=frame.step)


def _target(frame: ClassModelFrame) -> int:
    found = getattr(frame.objective, "target", None)
    if not isinstance(found, int):
        raise TypeError(f"{frame.objective} names no class.")
    return found
