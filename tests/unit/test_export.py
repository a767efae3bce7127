"""Files say how they were made, and can be read back."""

import csv
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from convis_core import attribution, export
from convis_core.errors import SpecError

RECIPE = export.Recipe("efficientnet_lite0", "chelsea", "attribution.saliency", 282)


def frames(count: int) -> list[Image.Image]:
    generator = np.random.default_rng(0)
    noise = [generator.integers(0, 255, (20, 24, 3), dtype=np.uint8) for _ in range(count)]
    return [Image.fromarray(values) for values in noise]


def test_png_carries_its_recipe():
    content = export.png(frames(1)[0], RECIPE)
    read = Image.open(io.BytesIO(content))
    assert json.loads(read.text[export.RECIPE_KEY])["target"] == 282
    assert np.array_equal(np.asarray(read), np.asarray(frames(1)[0]))


def test_gif_has_every_frame_and_every_duration():
    same = [*frames(3), frames(3)[2], frames(3)[2]]  # equal neighbours, which an encoder likes to merge
    durations = [40, 100, 70, 70, 500]
    read = Image.open(io.BytesIO(export.gif(same, durations, RECIPE)))
    assert read.n_frames == 5
    seen = []
    for index in range(5):
        read.seek(index)
        seen.append(read.info["duration"])
    assert seen == durations
    read.seek(0)
    assert json.loads(read.info["comment"])["method"] == "attribution.saliency" and read.info["loop"] == 0


def test_webp_has_every_frame():
    read = Image.open(io.BytesIO(export.webp(frames(4), [50] * 4, RECIPE)))
    assert read.n_frames == 4 and json.loads(read.info["xmp"])["picture"] == "chelsea"


@pytest.mark.parametrize(("count", "durations"), [(0, []), (2, [10])])
def test_an_animation_without_frames_is_refused(count: int, durations: list[int]):
    for write in (export.gif, export.webp):
        with pytest.raises(SpecError):
            write(frames(count), durations, RECIPE)


def test_npz_needs_no_pickle():
    values = torch.rand(3, 4)
    read = np.load(io.BytesIO(export.npz({"values": values}, RECIPE)), allow_pickle=False)
    assert np.array_equal(read["values"], values.numpy())
    assert json.loads(str(read["recipe"]))["model_id"] == "efficientnet_lite0"


def test_csv_is_a_table_under_a_comment():
    lines = export.csv(["class", "p"], [("cat, tiger", 0.5)], RECIPE).decode().splitlines()
    assert lines[0].startswith("# convis-recipe: {") and list(csv.reader(lines[1:])) == [
        ["class", "p"],
        ["cat, tiger", "0.5"],
    ]


def test_the_recipe_as_python_computes_the_result_again(lite0, chelsea):

    names: dict[str, object] = {}
    exec(RECIPE.as_python(), names)  # noqa: S102
    assert torch.equal(names["result"].values, attribution.saliency(lite0, chelsea, 282).values)  # type: ignore[attr-defined]


def test_the_recipe_of_a_computation_in_frames_ends_with_the_last(lite0, chelsea):
    from convis_core import results

    spec = results.SmoothGradSpec(n_samples=3)
    names: dict[str, object] = {}
    exec(export.Recipe("efficientnet_lite0", "chelsea", "attribution.smoothgrad", 282, spec).as_python(), names)  # noqa: S102
    *_, last = attribution.smoothgrad(lite0, chelsea, 282, spec)
    assert torch.equal(names["result"].values, last.values)  # type: ignore[attr-defined]


def test_the_recipe_of_an_own_picture_names_it_and_options_follow():
    options = (("layer", "features.29"),)
    text = export.Recipe("vgg16", "upload-0123456789ab", "attribution.grad_cam", 1, None, options).as_python()
    assert 'read_image("picture.png")' in text and "upload-0123456789ab" in text
    assert "attribution.grad_cam(model, x, 1, layer='features.29')" in text


def test_the_recipe_of_what_an_attribution_was_used_for_makes_the_attribution_first(lite0, chelsea):
    from convis_core import images, results, segmentation

    smooth, spec = results.SmoothGradSpec(n_samples=2), results.GrabCutSpec(iterations=1)
    basis = export.Recipe("efficientnet_lite0", "chelsea", "attribution.smoothgrad", 282, smooth)
    recipe = export.Recipe("efficientnet_lite0", "chelsea", "segmentation.grabcut", 282, spec, attribution=basis)
    names: dict[str, object] = {}
    exec(recipe.as_python(), names)  # noqa: S102
    *_, explained = attribution.smoothgrad(lite0, chelsea, 282, smooth)
    cut = segmentation.grabcut(images.sample("chelsea"), explained, spec)
    assert torch.equal(names["result"].mask, cut.mask)  # type: ignore[attr-defined]
    assert json.loads(recipe.as_json())["attribution"]["spec"]["n_samples"] == 2


def test_the_recipe_of_a_drawing_names_its_objective_and_needs_no_picture(lite0, tmp_path, monkeypatch):
    from convis_core import class_models, results

    objective = results.Sum(results.ClassLogit(130), results.Channel("blocks.3", 5), -0.5)
    spec = results.ClassModelSpec(steps=2, regularisers=results.Regularisers(l2=0.1))
    names: dict[str, object] = {}
    recipe = export.Recipe("efficientnet_lite0", "", "class_models.ascend", objective, spec)
    monkeypatch.chdir(tmp_path)
    exec(recipe.as_python(), names)  # noqa: S102
    *_, last = class_models.ascend(lite0, objective, spec)
    assert torch.equal(names["result"].image, last.image)  # type: ignore[attr-defined]
    with Image.open("class-model.png") as saved:
        assert np.array_equal(np.asarray(saved).transpose(2, 0, 1), last.best.pixels.numpy())
    fields = json.loads(recipe.as_json())
    assert fields["target"]["second"] == {"kind": "Channel", "layer": "blocks.3", "channel": 5}
    assert fields["spec"]["regularisers"]["l2"] == 0.1


def test_the_recipe_of_a_drawing_over_a_picture_begins_with_it():
    from convis_core import results

    spec = results.ClassModelSpec(parameterisation="pixels", start="picture")
    text = export.Recipe("efficientnet_lite0", "coffee", "class_models.ascend", results.ClassLogit(3), spec).as_python()
    assert 'images.sample("coffee")' in text and ", picture=x)\n" in text
