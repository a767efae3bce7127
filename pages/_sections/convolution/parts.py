"""What the experiments of the convolution page have in common: a picture, and a filter to lay on it."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial

from streamlit.delta_generator import DeltaGenerator
from torch import Tensor

from convis_core import convolution
from convis_core.errors import SpecError
from convis_core.results import Kernel
from convis_core.results.convolution import Rows
from pages._shell import cache, controls, text
from pages._shell.context import Context

SMALL = 24
"""Side of the small picture on which single windows can be followed."""
_OWN = {f"Your own, {side} × {side}": side for side in (3, 5, 7)}
_NETWORK = "The network's own"
_NAMED = {kernel.label: kernel for kernel in convolution.KERNELS}
_MOST_FILTERS = 255


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """A filter that was chosen.

    Attributes:
        label: how people call it.
        says: what it answers to, in one sentence.
        filters: [F, F], to be laid on every channel alike, or [1, 3, F, F] for one that reads colours.
        bias: [1], or None for none.
        key: names the filter in caches.
    """

    label: str
    says: str
    filters: Tensor
    bias: Tensor | None
    key: Hashable

    @property
    def reads_colours(self) -> bool:
        """Whether it has weights of its own for red, green and blue."""
        return self.filters.dim() == 4


def choose_filter(context: Context, prefix: str, place: DeltaGenerator, beside: DeltaGenerator) -> Chosen:
    """A named filter, one with numbers of one's own, or one of the network's.

    Args:
        context: of this run.
        prefix: of the widgets' keys, such as "convolution_slide".
        place: where it is chosen by name.
        beside: where its numbers are edited, or the number of the network's filter.
    """
    label = controls.selectbox(
        "Filter",
        [*_NAMED, _NETWORK, *_OWN],
        key=f"{prefix}_filter",
        place=place,
        help="A filter with a name, one that the network learned for its first layer, or numbers of your own.",
    )
    if label == _NETWORK:
        with beside:
            return _from_network(context, prefix)
    kernel = _NAMED.get(label) or _blank(label, _OWN[label])
    with beside:
        rows = _edited(kernel, prefix)
    changed = convolution.write_rows(rows) != convolution.write_rows(kernel.weights)
    edited = Kernel(kernel.id, f"{label}, edited" if changed else label, rows, kernel.description)
    says = "Numbers of your own." if changed or label in _OWN else kernel.description
    return Chosen(edited.label, says, edited.filter(), None, rows)


def small_picture(context: Context, *, grey: bool) -> Tensor:
    """The picture of the context, small enough to follow single windows."""
    return convolution.shrink(context.x, SMALL, grey=grey)


def whole_picture(context: Context, *, grey: bool) -> Tensor:
    """The picture of the context as the network sees it."""
    return convolution.shrink(context.x, context.model.input_size, grey=grey)


def answer(context: Context, chosen: Chosen) -> Tensor:
    """What the filter answers to the whole picture, [H', W']; to its brightness unless it reads colours."""
    picture = whole_picture(context, grey=not chosen.reads_colours)
    compute: Callable[[], Tensor] = partial(_answer, picture, chosen.filters, chosen.bias)
    return cache.compute(context.key("convolution.convolve", chosen.key), compute)


def _answer(picture: Tensor, filters: Tensor, bias: Tensor | None) -> Tensor:
    return convolution.convolve(convolution.slide(picture, filters, bias))[0]


def _blank(label: str, side: int) -> Kernel:
    middle = side // 2
    rows = tuple(tuple(float(row == column == middle) for column in range(side)) for row in range(side))
    return Kernel(f"own{side}", label, rows, "Numbers of your own.")


def _edited(kernel: Kernel, prefix: str) -> Rows:
    """The kernel's numbers as they stand in the field, which begins with those that it has by name.

    A field of text and not a table: the keyboard reaches and leaves it, and its content stands in the address.
    """
    written = controls.text_input(
        "Its numbers",
        convolution.write_rows(kernel.weights),
        key=f"{prefix}_numbers_{kernel.id}",
        max_chars=600,
        help="Row by row with slashes between the rows and blanks between the numbers. Change them.",
    )
    try:
        return convolution.read_rows(written)
    except SpecError as error:
        text.refuse(error, icon=":material/edit_off:")
        return kernel.weights


def _from_network(context: Context, prefix: str) -> Chosen:
    model = context.model
    filters, bias = cache.compute(
        ("convolution.first_filters", model.spec.id), partial(convolution.first_filters, model)
    )
    last = len(filters) - 1
    number = controls.number(
        "Number",
        0,
        _MOST_FILTERS,
        last=last,
        key=f"{prefix}_number",
        help=f"Which of the {len(filters)} filters of the first layer, from 0 to {last}.",
    )
    label = f"filter {number} of {model.spec.label}"
    says = "Learned from a million photographs; its weights for red, green and blue differ."
    return Chosen(label, says, filters[number : number + 1], bias[number : number + 1], (model.spec.id, number))
