"""The map as files."""

import streamlit as st

from convis_core import export
from convis_core.occlusion import readings as views
from convis_core.occlusion.readings import WindowRow
from convis_core.results import OcclusionMap
from pages._sections.occlusion import map
from pages._sections.occlusion.controls import Settings
from pages._shell import layout
from pages._shell.context import Context

_HEADER = (*WindowRow._fields, "top_class_name")


def draw(context: Context, settings: Settings, found: OcclusionMap) -> None:
    """The view as a picture, the values as a table and as arrays, and how to compute them again."""
    recipe = context.recipe("occlusion.occlusion", found.spec)
    name = f"occlusion-{context.picture_id}"

    def picture() -> bytes:
        return export.png(map.picture(context, settings, found).picture, recipe)

    def table() -> bytes:
        rows = ((*row, context.model.categories[row.top_class]) for row in views.table(found))
        return export.csv(_HEADER, rows, recipe)

    def arrays() -> bytes:
        return export.npz(
            {
                "probability": found.probability,
                "logit": found.logit,
                "drop": found.drop(),
                "top_class": found.top_class,
                "top_probability": found.top_probability,
                "tops": found.tops,
                "lefts": found.lefts,
                "heatmap": found.heatmap(),
                "x": context.x[0],
            },
            recipe,
        )

    with st.container(horizontal=True):
        layout.download("Picture (PNG)", picture, f"{name}.png", key="occlusion_png")
        layout.download("Values (CSV)", table, f"{name}.csv", key="occlusion_csv")
        layout.download("Values (NPZ)", arrays, f"{name}.npz", key="occlusion_npz")
        layout.download("Recipe (Python)", recipe.as_python().encode(), "occlusion.py", key="occlusion_recipe")
