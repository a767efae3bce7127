"""Controls whose value is the address: each with its limits, and each proof against what an address may say.

The value of a control stands in the address under the control's key, outlives the switch to another page, and is read
from there when a link is opened. Streamlit takes over what it finds even off the step, falls back silently where it is
out of range, and fails on a number that is infinite. So the address is set right first: out of range becomes the
nearest limit, off the step the nearest step, and what cannot be read the default. What is shown is what is computed.

Limits never change from run to run, since a slider would begin anew; where the network sets a lower one, a number
field is given it as ``last``.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.state import get_session_state

from pages._shell import address

T = TypeVar("T")
N = TypeVar("N", int, float)

_BOUND: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}


def settle(key: str, fit: Callable[[Sequence[str]], list[str]]) -> None:
    """Write into the address what a control makes of it, before the control reads it.

    ``st.query_params`` refuses to do this for a control that was drawn before, and going back in the browser's history
    brings an old address to such a one. So this writes as Streamlit itself corrects an address.

    Args:
        key: of the control.
        fit: gives the texts that shall stand in the address for those that do; none to take the name away.
    """
    said = st.query_params.get_all(key)
    wanted = fit(said)
    if wanted == said:
        return
    with get_session_state().query_params() as query:
        if not wanted:
            query.remove_param(key)
        elif len(wanted) == 1:
            query.set_corrected_value(key, wanted[0], "string_value")
        else:
            query.set_corrected_value(key, wanted, "string_array_value")
        query.set_initial_query_params_from_current()


def slider(
    label: str,
    span: tuple[N, N, N],
    value: N,
    *,
    key: str,
    help: str,
    format: str | None = None,
    disabled: bool = False,
    place: DeltaGenerator | None = None,
    width: int | Literal["stretch"] = "stretch",
) -> N:
    """A number between two limits, on steps.

    Args:
        label: its name, in sentence case.
        span: least value, greatest, step; all integers or all floats.
        value: the default.
        key: unique in the whole app; its name in the address.
        help: one line with its unit and sensible range.
        format: how the number is written, as in ``"%d %%"``.
        disabled: whether it has no effect at the moment.
        place: the column or container; where None, where it stands.
        width: in CSS pixels.
    """
    low, high, step = span
    settle(key, lambda said: address.numbers(said, span))
    with _at(place):
        chosen = st.slider(
            label, low, high, value, step, format=format, key=key, help=help, disabled=disabled, width=width, **_BOUND
        )
    return type(value)(chosen)


def interval(
    label: str, span: tuple[float, float, float], value: tuple[float, float], *, key: str, help: str
) -> tuple[float, float]:
    """Two numbers between limits, the smaller one first; the arguments are those of ``slider``."""
    low, high, step = span
    settle(key, lambda said: address.numbers(said, span, count=2))
    first, last = st.slider(label, low, high, value, step, key=key, help=help, **_BOUND)
    return float(first), float(last)


def number(
    label: str,
    low: int,
    high: int,
    *,
    key: str,
    help: str,
    last: int | None = None,
    first: int | None = None,
    step: int = 1,
    place: DeltaGenerator | None = None,
    width: int | Literal["stretch"] = "stretch",
) -> int:
    """A whole number in a field, at first the least one.

    Args:
        label: its name, in sentence case.
        low: the least value.
        high: the greatest, the same in every run.
        key: unique in the whole app; its name in the address.
        help: one line with its unit and sensible range.
        last: the greatest value for this network, picture and layer, where that is less.
        first: the number to begin with where neither the person nor the address names one.
        step: how far the field's buttons move it.
        place: the column or container; where None, where it stands.
        width: in CSS pixels.
    """
    _bound_number(key, low, high if last is None else min(high, last))
    if first is not None and key not in st.session_state and not st.query_params.get_all(key):
        st.session_state[key] = first
    with _at(place):
        return int(st.number_input(label, low, high, step=step, key=key, help=help, width=width, **_BOUND))


def optional_number(
    label: str,
    low: int,
    high: int,
    *,
    key: str,
    help: str,
    placeholder: str,
    last: int | None = None,
    step: int = 1,
    place: DeltaGenerator | None = None,
) -> int | None:
    """A whole number in a field that may be empty, and is so at first.

    Args:
        label: its name, in sentence case.
        low: the least value.
        high: the greatest, the same in every run.
        key: unique in the whole app; its name in the address.
        help: one line with its unit, its range, and what an empty field means.
        placeholder: what stands in the empty field.
        last: the greatest value for this network, picture and layer, where that is less.
        step: how far the field's buttons move it.
        place: the column or container; where None, where it stands.
    """
    _bound_number(key, low, high if last is None else min(high, last))
    with _at(place):
        chosen = st.number_input(
            label, low, high, None, step=step, key=key, help=help, placeholder=placeholder, **_BOUND
        )
    return None if chosen is None else int(chosen)


def _bound_number(key: str, low: int, high: int) -> None:
    settle(key, lambda said: address.numbers(said, (low, high, 1)))
    held = st.session_state.get(key)
    if held is not None and not low <= held <= high:
        st.session_state[key] = min(max(int(held), low), high)


def selectbox(
    label: str,
    options: Sequence[T],
    *,
    key: str,
    help: str,
    default: T | None = None,
    format_func: Callable[[T], str] = str,
    disabled: bool = False,
    place: DeltaGenerator | None = None,
    width: int | Literal["stretch"] = "stretch",
) -> T:
    """One of many options.

    Args:
        label: its name, in sentence case.
        options: at least one; may differ from run to run.
        key: unique in the whole app; its name in the address.
        help: one line on what is chosen.
        default: the option to begin with; where None, the first.
        format_func: how an option is written, here and in the address.
        disabled: whether it has no effect at the moment.
        place: the column or container; where None, where it stands.
        width: in CSS pixels.
    """
    start = _settle_choice(key, options, default, format_func)
    with _at(place):
        return st.selectbox(
            label,
            options,
            index=options.index(start),
            format_func=format_func,
            key=key,
            help=help,
            disabled=disabled,
            width=width,
            **_BOUND,
        )


def segmented(
    label: str,
    options: Sequence[T],
    *,
    key: str,
    help: str | None = None,
    default: T | None = None,
    format_func: Callable[[T], str] = str,
    label_visibility: Literal["visible", "collapsed"] = "visible",
    place: DeltaGenerator | None = None,
) -> T:
    """One of few options, all in sight; the arguments are those of ``selectbox``."""
    start = _settle_choice(key, options, default, format_func)
    with _at(place):
        chosen = st.segmented_control(
            label,
            options,
            default=start,
            required=True,
            format_func=format_func,
            key=key,
            help=help,
            label_visibility=label_visibility,
            **_BOUND,
        )
    return start if chosen is None else chosen


def radio(label: str, options: Sequence[T], *, key: str, help: str, place: DeltaGenerator | None = None) -> T:
    """One of few options, one below the other; the arguments are those of ``selectbox``."""
    start = _settle_choice(key, options, None, str)
    with _at(place):
        chosen = st.radio(label, options, key=key, help=help, **_BOUND)
    return start if chosen is None else chosen


def select_slider(
    label: str, options: Sequence[T], *, key: str, help: str, default: T, format_func: Callable[[T], str] = str
) -> T:
    """One of several options that have an order; the arguments are those of ``selectbox``."""
    start = _settle_choice(key, options, default, format_func)
    return st.select_slider(label, options, value=start, format_func=format_func, key=key, help=help, **_BOUND)


def multiselect(
    label: str, options: Sequence[T], *, key: str, help: str, format_func: Callable[[T], str] = str
) -> list[T]:
    """Any of many options, in the order in which they were picked; the arguments are those of ``selectbox``."""
    names = {format_func(option) for option in options}
    settle(key, lambda said: address.choices(said, names, several=True))
    held = st.session_state.get(key)
    if held is not None and any(option not in options for option in held):
        st.session_state[key] = [option for option in held if option in options]
    return list(st.multiselect(label, options, format_func=format_func, key=key, help=help, **_BOUND))


def toggle(
    label: str,
    *,
    key: str,
    help: str,
    value: bool = False,
    disabled: bool = False,
    place: DeltaGenerator | None = None,
) -> bool:
    """On or off.

    Args:
        label: its name, in sentence case.
        key: unique in the whole app; its name in the address.
        help: one line on what it does.
        value: whether it is on at first.
        disabled: whether it has no effect at the moment.
        place: the column or container; where None, where it stands.
    """
    settle(key, address.switch)
    with _at(place):
        return bool(st.toggle(label, value, key=key, help=help, disabled=disabled, **_BOUND))


def text_input(
    label: str,
    value: str,
    *,
    key: str,
    help: str,
    max_chars: int,
    place: DeltaGenerator | None = None,
) -> str:
    """A field of one line.

    Args:
        label: its name, in sentence case.
        value: the text to begin with.
        key: unique in the whole app; its name in the address.
        help: one line on what may stand there.
        max_chars: how long the text may be.
        place: the column or container; where None, where it stands.
    """
    settle(key, lambda said: address.line(said, longest=max_chars))
    with _at(place):
        return str(st.text_input(label, value, max_chars, key=key, help=help, **_BOUND))


def value_of(key: str, span: tuple[int, int, int], default: int) -> int:
    """The value of a slider of whole numbers that is not drawn now: this session's, the address's, or the default."""
    if key in st.session_state:
        return int(st.session_state[key])
    said = address.numbers(st.query_params.get_all(key), span)
    return int(float(said[0])) if said else default


def _settle_choice(key: str, options: Sequence[T], default: T | None, format_func: Callable[[T], str]) -> T:
    """Forget an option that is not offered, in the address and in the session; gives the option to begin with."""
    start = options[0] if default is None else default
    names = {format_func(option) for option in options}
    settle(key, lambda said: address.choices(said, names))
    held = st.session_state.get(key)
    if held is not None and held not in options:
        st.session_state[key] = start
    return start


def _at(place: DeltaGenerator | None) -> AbstractContextManager[object]:
    return nullcontext() if place is None else place
