"""Small multiples: windows of three sizes on one colour scale; computed when asked for."""

from dataclasses import replace

import streamlit as st

from convis_core import occlusion
from convis_core.figures import maps
from convis_core.figures import occlusion as pictures
from convis_core.occlusion import sizes
from convis_core.results import OcclusionSpec, SizeComparison
from convis_core.runtime.board import Job
from pages._sections.occlusion import controls
from pages._sections.occlusion.controls import Settings
from pages._shell import controls as widgets
from pages._shell import layout, live, text
from pages._shell.context import Context

WINDOWS = (16, 32, 64)
_SLOT = "occlusion_sizes"


def draw(context: Context, settings: Settings) -> None:
    """A switch, and three maps when it is on."""
    st.subheader("Does the size of the window matter?", anchor=False)
    wanted = widgets.toggle(
        "Compare windows of 16, 32 and 64 pixels",
        key=_SLOT,
        help="Computes three maps with this stride and fill, and draws them on one colour scale.",
    )
    if not wanted:
        return
    specs = tuple(_spec(settings.spec, window) for window in WINDOWS)
    model, x, target = context.model, context.x, context.target
    key = context.key("occlusion_sizes.compare", target, *specs)
    costs = [occlusion.estimate(model, spec) for spec in specs]
    if not controls.agreed(_SLOT, key, costs):
        return

    def show(frame: SizeComparison, _job: Job[SizeComparison]) -> None:
        _show(context, settings, frame)

    live.watch(_SLOT, key, lambda: sizes.compare(model, x, target, specs), show, height=440)
    text.render("occlusion.sizes")


def _spec(spec: OcclusionSpec, window: int) -> OcclusionSpec:
    # A stride beyond the window would leave pixels that no window covers.
    return replace(spec, window=window, stride=min(spec.stride, window))


def _show(context: Context, settings: Settings, frame: SizeComparison) -> None:
    heatmaps = [found.heatmap() for found in frame.maps]
    photograph = context.view(448)
    layout.figure(
        maps.row(
            [
                maps.Panel(f"window {found.spec.window}", photograph, heatmap, settings.opacity)
                for found, heatmap in zip(frame.maps, heatmaps, strict=True)
            ],
            pictures.drop_scale(*heatmaps),
            side=context.model.input_size,
            height=340,
        ),
        key="occlusion_sizes_figure",
        caption=f"Drop of the logit of {context.target_name} under windows of {', '.join(map(str, WINDOWS))} pixels, "
        "on one colour scale. Hover for the values.",
    )
