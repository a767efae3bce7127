"""Everything that the server keeps between runs; nothing else in the pages caches.

Keys are names, digests and specifications. Streamlit hashes large arrays by sampling, so tensors and pictures pass
under names with an underscore, which it does not hash.
"""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import streamlit as st
from PIL import Image
from torch import Tensor

from convis_core import images, models
from convis_core.models import LoadedModel
from convis_core.runtime import lanes
from convis_core.runtime.board import Board, shared_board
from convis_core.runtime.lru import Lru, result_bytes
from pages._shell.pictures import PictureStore

T = TypeVar("T")

_STORE_BYTES = 200 * 1024 * 1024
_LARGE_BYTES = 128 * 1024 * 1024

_LONGER, _SHORTER, _MOST_PIXELS = 1600, 672, 4_000_000
"""Sides and pixels of the copies that people look at."""


def board() -> Board:
    """The job board of this process."""
    return shared_board()


@st.cache_resource(show_spinner=False)
def downloads() -> Board:
    """A board of its own for downloads: waiting for a server must not keep a core from computing."""
    return Board(pool=lanes.Lanes(1))


@st.cache_resource(show_spinner=False)
def pictures() -> PictureStore:
    """The pictures that people brought, shared by all sessions of this server."""
    return PictureStore(_STORE_BYTES)


@st.cache_resource(max_entries=3, show_spinner=False)
def model(model_id: str) -> LoadedModel:
    """A network with its pretrained weights, shared by all sessions; the three used last stay."""
    return models.load(model_id)


@st.cache_resource(max_entries=24, show_spinner=False)
def decoded(picture_id: str, size: int, _content: bytes) -> tuple[Image.Image, Tensor]:
    """A picture for people and for a network with this input size, from one decoding of its file.

    The network is given what the whole file holds. The copy for people is smaller, since a phone's 12 megapixels
    would be kept as 50 MB: no view on any page shows more.
    """
    picture = images.read_image(_content)
    x = images.to_tensor(picture, size)
    width, height = picture.size
    # Of a panorama a view shows the middle, so that its shorter side counts.
    scale = max(_LONGER / max(width, height), _SHORTER / min(width, height))
    scale = min(scale, (_MOST_PIXELS / (width * height)) ** 0.5, 1)
    if scale < 1:
        smaller = (max(round(width * scale), 1), max(round(height * scale), 1))
        picture = picture.resize(smaller, Image.Resampling.LANCZOS)
    return picture, x


def compute(key: Hashable, function: Callable[[], T]) -> T:
    """A short computation, done once for everybody who asks with the same key, on a lane.

    For what takes well under a second; longer work belongs on the job board (``live.watch``).

    Args:
        key: all that the answer depends on: see ``Context.key``.
        function: computes it; must not use Streamlit.
    """
    return _computed(repr(key), function)


@st.cache_resource(max_entries=256, show_spinner=False)
def _computed(key: str, _function: Callable[[], T]) -> T:
    return lanes.run(_function)


def compute_large(key: Hashable, function: Callable[[], T]) -> T:
    """A short computation whose answer takes megabytes, such as all channels of a layer.

    Remembered like those of ``compute``, but bounded in bytes, since 256 layers of VGG16 would fill the machine. Two
    who ask at the same moment may both compute; nobody waits for a stranger's layer.

    Args:
        key: all that the answer depends on: see ``Context.key``.
        function: computes it; must not use Streamlit.
    """
    answers, name = _large_answers(), repr(key)
    answer: T | None = answers.get(name)
    if answer is None:
        answer = lanes.run(function)
        answers.add(name, answer, result_bytes(answer))
    return answer


@st.cache_resource(show_spinner=False)
def _large_answers() -> Lru[Any]:
    return Lru(_LARGE_BYTES)
