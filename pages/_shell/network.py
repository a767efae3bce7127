"""Picking the network; fetching its weights at first use without making anybody wait for it."""

import streamlit as st

from convis_core import models
from convis_core.errors import ConvisError
from convis_core.models import LoadedModel, ModelSpec, weights
from convis_core.models.weights import DownloadProgress
from convis_core.runtime.board import Job
from pages._shell import cache, controls, text
from pages._shell.session import watcher

_LABELS = {spec.id: spec.label for spec in models.MODELS}
_DEFAULT = models.MODELS[0].id
_MEGABYTE = 2**20


def choose_model() -> LoadedModel:
    """The network of this run: the one picked, or the one before while the picked one's weights are not here."""
    _after_refusal()
    chosen = controls.selectbox(
        "Network",
        list(_LABELS),
        format_func=_LABELS.__getitem__,
        key="model",
        help="EfficientNet-Lite0 is installed with Convis; the others are downloaded when first used.\n\n"
        + "\n".join(f"- **{spec.label}** ({spec.year}): {spec.summary}" for spec in models.MODELS),
    )
    wanted = models.get_spec(chosen)
    model = _ready(wanted)
    if model is None:
        return cache.model(st.session_state.get("model_in_use", _DEFAULT))
    st.session_state["model_in_use"] = wanted.id
    return model


def _after_refusal() -> None:
    """Go back to the network before, now that the widget can be set, and say why for as long as it stays."""
    refusal = st.session_state.pop("model_refusal", None)
    if refusal is not None:
        st.session_state["model"], st.session_state["model_error"] = refusal
    elif st.session_state.get("model") != st.session_state.get("model_in_use"):
        st.session_state["model_error"] = None
    error = st.session_state.get("model_error")
    if error:
        text.refuse(error, icon=":material/cloud_off:")


def _ready(wanted: ModelSpec) -> LoadedModel | None:
    """The network if its weights are here; otherwise their download is shown, and None."""
    try:
        if weights.find(wanted.weights) is not None:
            return cache.model(wanted.id)
    except ConvisError as error:
        _go_back(str(error))
    job = cache.downloads().request(
        watcher(), "weights", ("weights", wanted.id), lambda: weights.download(wanted.weights)
    )
    _show_download(job, wanted)
    return None


def _show_download(job: Job[DownloadProgress], wanted: ModelSpec) -> None:
    """Progress and a way out; when it ends, the run that follows has the network or says why not."""

    @st.fragment(run_every=None if job.done else 0.5)
    def panel() -> None:
        job.touch(watcher())
        done = job.frame.done if job.frame else 0
        total = wanted.weights.size_bytes
        st.progress(
            min(1.0, done / total),
            text=f"Fetching {wanted.label}: {done / _MEGABYTE:.0f} of {total / _MEGABYTE:.0f} MB. "
            "Until then the network before stays in use.",
        )
        if st.button("Stop fetching", key="stop_download", icon=":material/close:"):
            job.cancel(watcher())
            _go_back(f"{wanted.label} was not fetched; what has arrived is kept for the next try.")
        if job.error is not None:
            _go_back(str(job.error))
        if job.done:
            st.rerun()

    panel()


def _go_back(reason: str) -> None:
    """Return to the network in use and say why; the widget itself can only be set in the next run."""
    st.session_state["model_refusal"] = (st.session_state.get("model_in_use", _DEFAULT), reason)
    st.rerun()
