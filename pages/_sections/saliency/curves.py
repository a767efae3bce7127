"""Deletion and insertion: does the class go with the pixels that the map calls important?"""

import streamlit as st

from convis_core import attribution, export
from convis_core.attribution import Method, sanity
from convis_core.figures import saliency as figures
from convis_core.results import DeletionInsertion, DeletionInsertionSpec
from pages._sections.saliency import growing, pace
from pages._shell import layout, live
from pages._shell.context import Context

SLOT = "saliency_curves"
SPEC = DeletionInsertionSpec()


def draw(context: Context, method: Method) -> None:
    """Both curves against random orders, when the map is there."""
    found = growing.finished(context, method, waiting="The test begins when the map is complete.")
    if found is None:
        st.image(context.view(448), alt=context.caption)
        return
    forwards = 2 * (SPEC.steps + 1) * (1 + SPEC.random_orders)
    if not pace.agreed(context, SLOT, pace.expected_seconds(context, forwards=forwards), method, SPEC):
        return
    model, x, target = context.model, context.x, context.target
    job = live.watch(
        SLOT,
        context.key("attribution.sanity.deletion_insertion", target, method, SPEC),
        lambda: sanity.deletion_insertion(model, x, found, SPEC),
        lambda frame, _job: _show(context, frame),
    )
    if job.done and job.frame is not None and job.frame.done == job.frame.total:
        _download(context, method, job.frame)


def _show(context: Context, frame: DeletionInsertion) -> None:
    deleting, inserting = st.columns(2)
    with deleting:
        layout.figure(
            figures.curves(frame, inserting=False),
            key="saliency_deletion",
            caption="Deletion: the highest-ranked pixels turn to the mean colour first. In a good order P falls early.",
        )
    with inserting:
        layout.figure(
            figures.curves(frame, inserting=True),
            key="saliency_insertion",
            caption="Insertion: the same order, from blurred to sharp. In a good order P rises early.",
        )
    layout.sentence(sentence(context.target_name, frame))


def sentence(name: str, frame: DeletionInsertion) -> str:
    """Whether the map's order beats random orders, both ways, with the areas."""
    if frame.done < frame.total:
        return f"So far the network has looked at {frame.done} of {frame.total} pictures."
    deletion, insertion = frame.deletion_auc(), frame.insertion_auc()
    no_deletion, no_insertion = frame.random_deletion_auc(), frame.random_insertion_auc()
    areas = (
        f"Deletion: area **{deletion:.3f}** against {no_deletion:.3f} at random. "
        f"Insertion: **{insertion:.3f}** against {no_insertion:.3f}."
    )
    deletes, inserts = deletion < no_deletion, insertion > no_insertion
    if deletes and inserts:
        return f"For **{name}**, {frame.method} beats a random order both ways. {areas}"
    if deletes or inserts:
        wins, loses = ("deletion", "insertion") if deletes else ("insertion", "deletion")
        return (
            f"For **{name}**, {frame.method} beats a random order in {wins} **but not in {loses}** on this picture. "
            f"{areas}"
        )
    return f"For **{name}**, {frame.method} is **no better than a random order** on this picture. {areas}"


def _download(context: Context, method: Method, frame: DeletionInsertion) -> None:
    rows = zip(
        frame.fractions.tolist(),
        frame.deletion.tolist(),
        frame.insertion.tolist(),
        frame.random_deletion.mean(dim=0).tolist(),
        frame.random_insertion.mean(dim=0).tolist(),
        strict=True,
    )
    basis = context.recipe(*attribution.recipe_parts(method))
    header = ("share of pixels", "deletion", "insertion", "random deletion", "random insertion")
    recipe = context.recipe_from(basis, "attribution.sanity.deletion_insertion", frame.spec)
    with st.container(horizontal=True):
        layout.download(
            "Curves (CSV)",
            export.csv(header, rows, recipe),
            f"deletion-insertion-{context.picture_id}.csv",
            key="saliency_curves_csv",
        )
        layout.download("Recipe (Python)", recipe.as_python().encode(), "curves.py", key="saliency_curves_recipe")
