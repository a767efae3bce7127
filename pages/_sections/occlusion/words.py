"""The computed sentence: which patch matters most, and what the least important half of the picture is worth."""

from convis_core import network, occlusion
from convis_core.figures.scores import percent
from convis_core.occlusion import readings as views
from convis_core.results import OcclusionMap
from pages._shell import cache, layout
from pages._shell.context import Context


def draw(context: Context, found: OcclusionMap) -> None:
    """The window that matters most; when the map is complete also what can be spared."""
    complete = found.done == found.total
    said = [_strongest(context, found)]
    if complete:
        said.append(_spared(context, found))
    else:
        said.insert(0, f"So far {found.done:,} of {found.total:,} windows are computed.")
    layout.sentence(" ".join(said))


def _strongest(context: Context, found: OcclusionMap) -> str:
    place = views.strongest(found)
    name, side = context.target_name, found.spec.window
    if float(found.drop()[place]) <= 0:
        return f"No single window lowers the score of **{name}**: whichever is hidden, the logit rises."
    top, left = int(found.tops[place.row]), int(found.lefts[place.column])
    before, after = percent(found.baseline_probability), percent(float(found.probability[place]))
    first = int(found.top_class[place])
    change = ""
    if first != context.prediction.top[0].index:
        change = f", and the network says **{context.model.categories[first]}**"
    return (
        f"The patch that matters most lies at rows {top} to {top + side - 1} and columns {left} to {left + side - 1}: "
        f"without it **{name}** goes from {before} to **{after}**{change}."
    )


def _spared(context: Context, found: OcclusionMap) -> str:
    model, x = context.model, context.x

    def without_half() -> float:
        hidden = occlusion.hide_pixels(model, x, views.least_important(found), found.spec)
        return float(network.predict(model, hidden).probabilities[context.target])

    left = cache.compute(context.key("occlusion.least_important", context.target, found.spec), without_half)
    points = 100 * (found.baseline_probability - left)
    effect = f"even adds {-points:.1f} points and makes it" if points < 0 else f"costs {points:.1f} points and leaves"
    return f"Hiding the least important half of the picture, all at once, {effect} **{percent(left)}**."
