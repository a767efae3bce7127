"""Turn it off: what the network says without a channel, or with nothing else."""

import streamlit as st

from convis_core import export, feature_maps
from convis_core.figures import feature_maps as pictures
from convis_core.figures.scores import percent
from convis_core.results import Ablation, FeatureMaps, SheetLayout
from pages._sections.feature_maps import pickers
from pages._sections.feature_maps.sheet import contributions
from pages._shell import cache, clickable, controls, layout, text
from pages._shell.context import Context

_THIS, _MOST = "this channel", "those that contribute most"
_OFF, _KEEP = "Turn off", "Keep only"


def draw(context: Context) -> None:
    """The best classes before and after."""
    which, what, who, many = st.columns([1.2, 1.1, 1.8, 1.2], vertical_alignment="bottom")
    with which:
        name = pickers.layer(context)
    maps = pickers.maps(context, name)
    mode = controls.segmented(
        "Do",
        [_OFF, _KEEP],
        key="feature_maps_mode",
        place=what,
        help="Turn off: the channels chosen become zero. Keep only: all others do.",
    )
    whom = controls.segmented(
        "Channels",
        [_THIS, _MOST],
        default=_MOST,
        key="feature_maps_whom",
        place=who,
        help="One channel by its number, or those with the largest gradient times activation for the class.",
    )
    with many:
        channels = _chosen(context, maps, whom)
    ablation = _ablation(context, name, channels, keep_only=mode == _KEEP)
    bars, beside = st.columns([1.5, 1])
    with bars:
        layout.figure(
            pictures.before_and_after(ablation, target=context.target, height=440),
            key="feature_maps_ablation",
            caption=f"Best classes as it is, and with {_named(ablation, len(maps.values))} of {name} set to zero.",
        )
    with beside:
        _chosen_maps(maps, channels)
        _words(context, ablation, len(maps.values))
    text.render("feature_maps.ablation")
    layout.download(
        "Scores (CSV)",
        export.csv(
            ("class", "name", "logit before", "logit after", "probability before", "probability after"),
            zip(
                range(len(context.model.categories)),
                context.model.categories,
                ablation.before.logits.tolist(),
                ablation.after.logits.tolist(),
                ablation.before.probabilities.tolist(),
                ablation.after.probabilities.tolist(),
                strict=True,
            ),
            pickers.recipe(
                context,
                "feature_maps.ablate",
                pickers.Asked(name, spec={"channels": channels, "keep_only": ablation.keep_only}),
            ),
        ),
        f"ablation-{name}-{context.picture_id}.csv",
        key="feature_maps_ablation_csv",
    )


def _chosen(context: Context, maps: FeatureMaps, whom: str) -> tuple[int, ...]:
    if whom == _THIS:
        return (pickers.channel(maps),)
    count = controls.slider(
        "How many",
        (1, 64, 1),
        8,
        key="feature_maps_many",
        help="Of the channels that speak most for the class, 1 to 64.",
    )
    pull = contributions(context, maps.layer)
    return feature_maps.order(maps, "contribution", contributions=pull)[:count]


def _ablation(context: Context, name: str, channels: tuple[int, ...], *, keep_only: bool) -> Ablation:
    model, x = context.model, context.x
    return cache.compute(
        context.key("feature_maps.ablate", name, channels, keep_only),
        lambda: feature_maps.ablate(model, x, name, channels, keep_only=keep_only),
    )


def _chosen_maps(maps: FeatureMaps, channels: tuple[int, ...]) -> None:
    shown = channels[:16]
    sheet = feature_maps.sheet_of(maps, shown, width=640)
    clickable.show(
        clickable.Clickable(
            picture=clickable.encode(pictures.sheet_image(sheet, "activation")),
            alt=f"The maps of channels {', '.join(map(str, shown))} of {maps.layer}",
            layout=sheet.layout,
            labels=tuple(pickers.described(maps.statistics, channel) for channel in shown),
            least=320,
        ),
        lambda x, y: _enter(sheet.layout, x, y),
        key="feature_maps_ablation_sheet",
    )
    more = f" The first 16 of {len(channels)}." if len(channels) > 16 else ""
    st.caption(f"The channels chosen, each on its own scale.{more} Click one to look at it.")


def _enter(grid: SheetLayout, x: float, y: float) -> None:
    channel = feature_maps.channel_at(grid, x, y)
    if channel is not None:
        pickers.enter_channel(channel)


def _named(ablation: Ablation, count: int) -> str:
    chosen = ablation.channels
    these = f"channel {chosen[0]}" if len(chosen) == 1 else f"{len(chosen)} channels"
    if not ablation.keep_only:
        return these
    return f"all but {these} ({count - len(chosen)} channels)"


def _words(context: Context, ablation: Ablation, count: int) -> None:
    before, after = (float(p.probabilities[context.target]) for p in (ablation.before, ablation.after))
    logits = [float(p.logits[context.target]) for p in (ablation.before, ablation.after)]
    first, second = ablation.before.top[0], ablation.after.top[0]
    verdict = (
        f"The network still says **{second.name}**."
        if first.index == second.index
        else f"Now the network says **{second.name}** ({percent(second.probability)}) instead of **{first.name}**."
    )
    chosen = ablation.channels
    these = f"channel {chosen[0]}" if len(chosen) == 1 else f"{len(chosen)} channels"
    case = f"only {these} left of {count}" if ablation.keep_only else f"{these} of {count} at zero"
    layout.sentence(
        f"With {case}, **{context.target_name}** goes from {percent(before)} to **{percent(after)}** (logit "
        f"{logits[0]:.2f} to {logits[1]:.2f}). {verdict}"
    )
