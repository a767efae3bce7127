"""A picture of one's own on the pages: the same tensor as its recipe makes, its file's name, its refusals."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from convis_core import images
from pages._shell.pictures import PictureStore, title


def photograph(width: int, height: int) -> bytes:
    """Fine stripes over a coarse pattern, so that a picture shrunk twice differs from one shrunk once."""
    across, down = np.arange(width)[None, :, None], np.arange(height)[:, None, None]
    waves = 127 + 80 * np.sin(across / np.array([1.3, 7.0, 90.0])) * np.cos(down / np.array([2.1, 11.0, 70.0]))
    file = io.BytesIO()
    Image.fromarray(waves.astype(np.uint8)).save(file, format="JPEG", quality=85)
    return file.getvalue()


@pytest.mark.parametrize(
    ("width", "height"), [(600, 400), (4000, 2660), (6000, 500), (5000, 4000)], ids=lambda side: str(side)
)
def test_the_page_computes_with_what_the_recipe_computes_with(open_page, width: int, height: int):
    content = photograph(width, height)
    app = open_page()
    app.file_uploader(key="upload").upload("IMG_0042.jpg", content, "image/jpeg").run()
    assert not app.exception and not app.error
    context = app.session_state["context"]
    assert context.picture_id == f"upload-{images.digest(content)[:12]}"
    assert torch.equal(context.x, images.to_tensor(images.read_image(content), context.model.input_size))
    assert torch.equal(context.given(336), images.to_tensor(images.read_image(content), 336))
    assert context.picture.width * context.picture.height <= 4_000_000
    assert min(context.picture.size) >= min(500, height)


def test_an_upload_is_called_by_the_name_of_its_file(open_page):
    app = open_page()
    app.file_uploader(key="upload").upload("my dog.jpg", photograph(60, 40), "image/jpeg").run()
    assert app.session_state["context"].caption == "my dog.jpg"
    assert any("my dog.jpg" in block.body for block in app.get("html"))


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0"])
def test_a_file_that_is_refused_leaves_the_picture_as_it_was(open_page, content: bytes):
    app = open_page()
    app.file_uploader(key="upload").upload("broken.jpg", content, "image/jpeg").run()
    assert not app.exception and len(app.error) == 1
    assert app.session_state["context"].picture_id == "chelsea"


@pytest.mark.parametrize(
    ("file_name", "expected"),
    [
        ("IMG_0042.HEIC", "IMG_0042.HEIC"),
        ("../../etc/passwd", "passwd"),
        ("![x](http://evil.example/a.png)", "a.png)"),
        ("**b** :red[c] $x$ <i>.png", "b redc x i.png"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("", "Your picture"),
        ("[]", "Your picture"),
        ("x" * 200 + ".png", "x" * 32 + "…" + "x" * 11 + ".png"),
    ],
)
def test_a_file_name_is_made_fit_for_a_sentence(file_name: str, expected: str):
    assert title(file_name) == expected


def test_the_store_keeps_names_beside_the_bytes():
    store = PictureStore(10)
    first = store.put(b"123456", "one.png")
    assert (store.get(first), store.title(first)) == (b"123456", "one.png")
    second = store.put(b"abcdef", "two.png")
    assert (store.get(first), store.title(first)) == (None, None)
    assert store.title(second) == "two.png"
