"""What every page is about: a network, a picture, a class. Chosen in the sidebar, kept in the address."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import streamlit as st
from PIL import Image
from torch import Tensor

from convis_core import images, models
from convis_core.errors import ImageError
from convis_core.export import Recipe
from convis_core.models import LoadedModel
from convis_core.network import predict
from convis_core.results import Prediction
from pages._shell import cache, controls, navigation, network, pictures, share, text

FOLLOW = "what the network says"
_SAMPLES = {sample.id: sample for sample in images.SAMPLES}
_UPLOADED = "upload-"


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """A network, a picture and a class, with what the network says of the picture.

    Attributes:
        model: the network.
        picture_id: id of a sample, or ``upload-`` and the digest of a picture that somebody brought.
        picture: RGB, made smaller than its file where that is large; to look at, not to compute with.
        x: what the network is given, float32 [1, 3, S, S] in [0, 1].
        prediction: its scores for the picture.
        target: index of the class that the pages explain.
        follows: whether the class is simply the network's first choice.
    """

    model: LoadedModel
    picture_id: str
    picture: Image.Image
    x: Tensor
    prediction: Prediction
    target: int
    follows: bool

    @property
    def target_name(self) -> str:
        """Readable name of the class."""
        return self.model.categories[self.target]

    @property
    def probability(self) -> float:
        """The network's probability for the class on this picture."""
        return float(self.prediction.probabilities[self.target])

    @property
    def logit(self) -> float:
        """The network's logit for the class on this picture."""
        return float(self.prediction.logits[self.target])

    @property
    def caption(self) -> str:
        """What the picture shows, or the name of its file."""
        return _caption(self.picture_id)

    def key(self, method: str, *parts: Hashable) -> tuple[Hashable, ...]:
        """All that a result on this page depends on; the key of caches and jobs.

        Args:
            method: the function of the core.
            parts: what else it depends on: the specification, and the target where it matters.
        """
        return (self.model.spec.id, self.picture_id, method, *parts)

    def recipe(self, method: str, spec: Any = None, options: tuple[tuple[str, str | int], ...] = ()) -> Recipe:
        """How to compute again what the page shows, for files that are downloaded."""
        return Recipe(self.model.spec.id, self.picture_id, method, self.target, spec, options)

    def recipe_from(self, basis: Recipe, method: str, spec: Any) -> Recipe:
        """The same for what was computed from an attribution: of that too."""
        return Recipe(self.model.spec.id, self.picture_id, method, self.target, spec, attribution=basis)

    def given(self, side: int) -> Tensor:
        """The picture as a network of another input size is given it, float32 [1, 3, side, side] in [0, 1].

        Raises:
            ImageError: when the server has dropped the picture meanwhile.
        """
        read = _read(self.picture_id, side)
        if read is None:
            raise ImageError("The picture is no longer on the server; upload it again.")
        return read[1]

    def view(self, pixels: int = 672) -> Image.Image:
        """The part of the picture that the network sees, for people to look at."""
        return images.view(self.picture, self.model.input_size, pixels=pixels)


def shared_context() -> Context:
    """The context of this run; every page begins with it."""
    if not navigation.entered():
        navigation.heal()
    context: Context = st.session_state["context"]
    return context


def choose() -> None:
    """Draw the sidebar's pickers and put the context together; called by the entry script before the page runs."""
    _accept_ids()
    with st.sidebar:
        model = network.choose_model()
        picture_id, picture, x = _choose_picture(model.input_size)
        key = (model.spec.id, picture_id, "predict")
        prediction = cache.compute(key, lambda: predict(model, x))
        target, follows = _choose_class(model, prediction)
        share.link_button()
        controls.toggle("Present", key="present", help="Larger type and figures, for a projector.")
    st.session_state["context"] = Context(model, picture_id, picture, x, prediction, target, follows)


def _accept_ids() -> None:
    """Take ``?model=vgg16`` and ``?class=282`` as well as the labels that the widgets write into the address."""
    labels = {spec.id: spec.label for spec in models.MODELS}
    numbers = {str(index): name for index, name in enumerate(models.imagenet_categories())}
    controls.settle("model", lambda said: [labels.get(name, name) for name in said])
    controls.settle("class", lambda said: [numbers.get(name, name) for name in said])


def _choose_picture(size: int) -> tuple[str, Image.Image, Tensor]:
    """The picker, the picture under it, and a way to bring one's own."""
    options = [*_SAMPLES, *_brought()]
    picture_id = controls.selectbox(
        "Picture", options, key="picture", help="A sample from scikit-image, or a picture of your own."
    )
    read = _read(picture_id, size)
    if read is None:
        st.warning(
            "The picture of this link is no longer on the server; it keeps pictures only while it runs. "
            "Showing a sample instead.",
            icon=":material/image_not_supported:",
        )
        picture_id = images.SAMPLES[0].id
        read = cache.decoded(picture_id, size, images.sample_bytes(picture_id))
    picture, x = read
    thumbnail, bring = st.columns([1, 2], vertical_alignment="center")
    thumbnail.image(images.view(picture, size, pixels=224), width="stretch", alt="What the network sees of the picture")
    with bring.popover("Your own", width="stretch", help="Upload a picture or take one."):
        _bring()
    if picture_id not in _SAMPLES:
        bring.caption(text.plain(_caption(picture_id)))
    return picture_id, picture, x


def _brought() -> list[str]:
    """Ids of this session's own pictures, and the one that the address names; strangers' pictures stay unlisted."""
    mine: list[str] = st.session_state.setdefault("brought", [])
    named = str(st.query_params.get("picture", ""))
    if named.startswith(_UPLOADED) and named not in mine:
        mine.append(named)
    return mine


def _caption(picture_id: str) -> str:
    sample = _SAMPLES.get(picture_id)
    if sample is not None:
        return sample.caption
    return cache.pictures().title(picture_id.removeprefix(_UPLOADED)) or "Your picture"


def _read(picture_id: str, size: int) -> tuple[Image.Image, Tensor] | None:
    if picture_id in _SAMPLES:
        return cache.decoded(picture_id, size, images.sample_bytes(picture_id))
    content = cache.pictures().get(picture_id.removeprefix(_UPLOADED))
    return None if content is None else cache.decoded(picture_id, size, content)


def _bring() -> None:
    """Upload or camera. The file is kept in this server's memory, so that a link to it works for others too."""
    st.file_uploader(
        "A picture file",
        type=["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "heif"],
        key="upload",
        on_change=_keep,
        args=("upload",),
    )
    if st.toggle("Take one with the camera", key="camera_on", help="The browser asks for permission first."):
        # Streamlit asks for no more than 1080 rows. On a phone its own button changes to the rear camera.
        st.camera_input("Camera", key="camera_shot", on_change=_keep, args=("camera_shot",), resolution="1080p")
    st.caption(
        "The picture stays in this server's memory until it restarts or others push it out, and anyone with the link "
        "can see it. It is written to no disk and sent nowhere else."
    )
    error = st.session_state.get("picture_error")
    if error:
        text.refuse(error, icon=":material/broken_image:")


def _keep(widget: str) -> None:
    """Take over what a widget was given, or say why not; the picture shown stays as it is then."""
    file = st.session_state[widget]
    st.session_state["picture_error"] = None
    if file is None:
        return
    content = file.getvalue()
    picture_id = _UPLOADED + pictures.short(content)
    context: Context | None = st.session_state.get("context")
    try:
        # Into the cache, where the run that follows finds it decoded.
        cache.decoded(picture_id, context.model.input_size if context else 224, content)
    except ImageError as error:
        st.session_state["picture_error"] = str(error)
        return
    cache.pictures().put(content, "Your photograph" if widget == "camera_shot" else file.name)
    mine: list[str] = st.session_state.setdefault("brought", [])
    if picture_id not in mine:
        mine.append(picture_id)
    st.session_state["picture"] = picture_id


def _choose_class(model: LoadedModel, prediction: Prediction) -> tuple[int, bool]:
    """The class to explain: the network's first choice unless another is picked."""
    choice = controls.selectbox(
        "Class to explain",
        [FOLLOW, *sorted(model.categories, key=str.lower)],
        key="class",
        help="Type to search the 1000 classes of ImageNet.",
    )
    if choice == FOLLOW or choice not in model.categories:
        return prediction.top[0].index, True
    return model.categories.index(choice), False
