"""What the class models page is asked: the lesson and every setting of it, each lesson keeping its own."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from convis_core import class_models
from convis_core.export import Recipe
from convis_core.results import ClassLogit, ClassModelSpec, ClassProbability, LogProbability, Objective
from convis_core.results.class_models import Parameterisation, Start
from pages._sections.class_models import rules
from pages._shell import controls
from pages._shell.context import Context

LESSONS: dict[str, str] = {
    "modern": "the modern way",
    "raw": "raw gradient",
    "l2": "L2",
    "blur": "blur",
    "yosinski": "Yosinski et al.",
}
SAYS: dict[str, str] = {
    "raw": "**Raw gradient ascent** is noise that the network is sure of. No eye can follow the steepest way up.",
    "l2": "**L2**, the article's way: what is far from the mean colour costs. The noise gets fainter, not rounder.",
    "blur": "**Blur** every few steps: fine noise is wiped out before it can pile up, and what is left has shape.",
    "yosinski": "**Yosinski et al.** put decay, blur and clipping together: patches of the class on an empty ground.",
    "modern": "**The modern way**: frequencies instead of pixels, and only what survives turning, zooming and noise.",
}
GOALS: dict[str, type[ClassLogit] | type[ClassProbability] | type[LogProbability]] = {
    "logit": ClassLogit,
    "probability": ClassProbability,
    "log-probability": LogProbability,
}
PARAMETERISATIONS: dict[Parameterisation, str] = {"fourier": "frequencies (Fourier)", "pixels": "pixels"}
STARTS: dict[Start, str] = {"zeros": "mean colour", "noise": "mean colour and noise", "picture": "the picture"}
FRAME_EVERY = 4
THE_CONTEXTS = "the class of the sidebar"
CLASS = "class_models_class"
_SPECS = dict(class_models.PRESETS)


@dataclass(frozen=True, slots=True)
class Settings:
    """What to draw and how.

    Attributes:
        objective: what is maximised.
        spec: how.
    """

    objective: ClassLogit | ClassProbability | LogProbability
    spec: ClassModelSpec

    def key(self, context: Context) -> tuple[Hashable, ...]:
        """All that the drawing depends on; the picture only where it begins with it."""
        begins = context.picture_id if self.spec.start == "picture" else ""
        return (context.model.spec.id, "class_models.ascend", begins, self.objective, self.spec)


def recipe(context: Context, method: str, objective: Objective, spec: Any) -> Recipe:
    """How to draw again what a file of this page shows."""
    begins = context.picture_id if getattr(spec, "start", "picture") == "picture" else ""
    return Recipe(context.model.spec.id, begins, method, objective, spec)


def target(context: Context) -> int:
    """The class to draw: that of the sidebar, or any other."""
    categories = context.model.categories
    chosen = controls.selectbox(
        "Class",
        [THE_CONTEXTS, *sorted(categories, key=str.lower)],
        key=CLASS,
        help="Which of the classes to draw; type to search.",
    )
    return categories.index(chosen) if chosen in categories else context.target


def lesson() -> str:
    """Which preset the settings begin with."""
    return controls.segmented(
        "Lesson",
        list(LESSONS),
        format_func=LESSONS.__getitem__,
        key="class_models_lesson",
        label_visibility="collapsed",
        help="A preset for each step of the story. Each keeps the changes that you make to it.",
    )


def steps() -> int:
    """Iterations."""
    return controls.slider(
        "Iterations",
        (16, 1024, 16),
        256,
        key="class_models_steps",
        help="Steps of the ascent, 16 to 1024. More steps go on where the drawing stands.",
    )


def seed() -> int:
    """Of the start and of the random views."""
    return controls.number(
        "Seed",
        0,
        9999,
        key="class_models_seed",
        help="Of the start and of the random views, 0 to 9999: the same seed draws the same picture.",
    )


def settings(wanted: int, chosen: str, iterations: int) -> Settings:
    """Every setting of the lesson, folded away.

    Args:
        wanted: index of the class.
        chosen: the lesson, one of ``LESSONS``.
        iterations: number of steps.
    """
    base = _SPECS[chosen]
    with st.expander("Settings", icon=":material/tune:"):
        goal = controls.selectbox(
            "Maximise",
            list(GOALS),
            key=f"class_models_{chosen}_goal",
            help="The logit of the class; its softmax probability, which can rise by lowering the others as well; or "
            "the logarithm of that.",
        )
        parameterisation: Parameterisation = controls.selectbox(
            "Draw with",
            list(PARAMETERISATIONS),
            default=base.parameterisation,
            format_func=PARAMETERISATIONS.__getitem__,
            key=f"class_models_{chosen}_parameterisation",
            help="What the steps change: every pixel by itself, or waves of every frequency in decorrelated colours.",
        )
        start: Start = controls.selectbox(
            "Begin with",
            list(STARTS),
            default=base.start,
            format_func=STARTS.__getitem__,
            key=f"class_models_{chosen}_start",
            help="The mean colour of the training pictures (mid grey for frequencies), the same with a little noise, "
            "or the picture of the sidebar.",
        )
        rate = controls.slider(
            "Learning rate",
            (0.005, 0.2, 0.005),
            base.learning_rate,
            format="%.3f",
            key=f"class_models_{chosen}_rate",
            help="Length of a step, 0.005 to 0.2. Pixels: the usual change of a pixel; frequencies: of Adam.",
        )
        number = seed()
        on_pixels = parameterisation == "pixels"
        held_back = rules.regularisers(chosen, base.regularisers, on_pixels)
        disturbed = rules.transforms(chosen, base.transforms)
    spec = replace(
        base,
        steps=iterations,
        parameterisation=parameterisation,
        start=start,
        learning_rate=rate,
        seed=number,
        regularisers=held_back,
        transforms=disturbed,
        frame_every=FRAME_EVERY,
    )
    return Settings(GOALS[goal](wanted), spec)
