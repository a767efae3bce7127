"""The laboratory of the convolution: every experiment, its controls, its refusals."""

import pytest
from streamlit.testing.v1 import AppTest

from convis_core import architecture, convolution
from pages._sections.convolution import field as convolution_field

EXPERIMENTS = (
    "Slide a filter",
    "Three channels",
    "Size",
    "Pooling",
    "Corner",
    "Receptive field",
    "Shared weight",
    "ReLU",
)


def sentences(app: AppTest) -> str:
    return " ".join(block.value for block in app.markdown if block.value.startswith("####"))


def experiment(open_page, name: str, **query: str) -> AppTest:
    app = open_page("convolution", {"convolution_experiment": name, **query})
    assert not app.exception
    return app


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_opens_from_its_link(open_page, name):
    app = experiment(open_page, name)
    assert not app.error
    assert sentences(app)
    assert len(app.expander) >= 2, "how to read it, and deeper"


def test_the_first_thing_to_see_is_the_edge_that_one_can_count(open_page):
    app = experiment(open_page, "Slide a filter")
    assert "= 0" in sentences(app), "the first window lies on even ground"
    app.button(key="convolution_slide_next").click().run()
    assert "10 + 0 + 0 + 10 + 0 + 0 + 10 + 0 + 0 = 30" in sentences(app)
    app.button(key="convolution_slide_back").click().run()
    assert "= 0" in sentences(app)
    app.slider(key="convolution_slide_step_16").set_value(16).run()
    assert not app.exception and "= 0" in sentences(app)


def test_playing_goes_on_and_stops_at_the_end(open_page):
    app = experiment(open_page, "Slide a filter")
    app.slider(key="convolution_slide_step_16").set_value(15).run()
    app.button(key="convolution_slide_play").click().run()
    assert app.session_state["convolution_slide_step_16"] == 16
    app.run()
    assert not app.session_state["convolution_playing"]
    app.button(key="convolution_slide_play").click().run()
    assert app.session_state["convolution_slide_step_16"] == 2, "at the end it begins anew"


def test_the_picture_and_the_networks_own_filter(open_page):
    app = experiment(
        open_page,
        "Slide a filter",
        convolution_source="Your picture, in colour",
        convolution_slide_filter="The network's own",
        convolution_slide_number="5",
    )
    assert "27 products" in sentences(app) and "(bias)" in sentences(app)
    assert "filter 5 of EfficientNet-Lite0" in sentences(app)


def test_a_filter_number_beyond_the_last_is_the_last(open_page):
    app = experiment(open_page, "ReLU", convolution_relu_filter="The network's own", convolution_relu_number="200")
    assert not app.error
    app.run()
    assert app.number_input(key="convolution_relu_number").value == 31


def test_a_window_that_does_not_fit_is_refused_in_words(open_page):
    app = experiment(open_page, "Slide a filter", convolution_slide_filter="Your own, 7 × 7")
    assert "does not fit" in app.error[0].value
    app.number_input(key="convolution_padding").set_value(1).run()
    assert not app.error


def test_the_numbers_of_a_filter_are_changed(open_page):
    app = experiment(open_page, "Slide a filter")
    field = app.text_input(key="convolution_slide_numbers_vertical_edge")
    assert field.value == "1 0 -1 / 1 0 -1 / 1 0 -1"
    field.set_value("5 0 -1 / 1 0 -1 / 1 0 -1").run()
    assert "50 + 0 − 10 + 10 + 0 − 10 + 10 + 0 − 10 = 40" in sentences(app)
    assert "**Vertical edge, edited.**" in sentences(app)
    app.text_input(key="convolution_slide_numbers_vertical_edge").set_value("5 0 / 1").run()
    assert "Every row needs the same count" in app.error[0].value and "= 0" in sentences(app)


def test_two_filters_fill_two_outputs(open_page):
    app = experiment(open_page, "Three channels")
    assert app.slider(key="convolution_volume_step_18").max == 18
    assert "27 products" in sentences(app)
    before = sentences(app)
    app.number_input(key="convolution_seed").set_value(3).run()
    assert sentences(app) != before


def test_sizes_that_divide_and_do_not(open_page):
    app = experiment(open_page, "Size")
    assert "does not divide" in sentences(app) and "the last cell" in sentences(app)
    assert any("= 4.5$$" in block.value for block in app.markdown)
    app.slider(key="convolution_size_stride").set_value(1).run()
    assert "**8** windows fit exactly" in sentences(app)
    app.slider(key="convolution_size_width").set_value(2).run()
    assert "does not fit into 2 cells" in app.error[0].value


def test_pooling_on_numbers_and_on_the_picture(open_page):
    app = experiment(open_page, "Pooling")
    assert "6 × 6 cells become **3 × 3**" in sentences(app)
    app = experiment(open_page, "Pooling", convolution_pooling_source="Its vertical edges")
    assert "94 × 94 cells become **47 × 47**" in sentences(app)


def test_one_corner_is_left(open_page):
    app = experiment(open_page, "Corner")
    assert "**1** place of 36" in sentences(app)
    app.slider(key="convolution_corner_share").set_value(1.5).run()
    assert "**0** places of 36" in sentences(app)


def test_the_field_grows_with_the_layers(open_page):
    app = experiment(open_page, "Receptive field")
    assert "**16 × 16** pixels" in sentences(app)
    app.button(key="convolution_add_c3").click().run()
    assert app.text_input(key="convolution_layers").value == "c3 c3 p2 c3 c3 p2 c3"
    assert "**24 × 24** pixels" in sentences(app)
    app.button(key="convolution_vgg").click().run()
    assert "**212 × 212** pixels" in sentences(app)
    app.button(key="convolution_remove").click().run()
    assert "**196 × 196** pixels" in sentences(app)
    app.text_input(key="convolution_layers").set_value("q3").run()
    assert "'q3' cannot be read" in app.error[0].value
    app.text_input(key="convolution_layers").set_value("").run()
    assert "a cell is a pixel" in app.info[0].value


def test_a_step_downhill_lowers_the_loss(open_page):
    app = experiment(open_page, "Shared weight")

    def loss() -> float:
        return float(sentences(app).split("loss is **")[1].split("**")[0])

    first = loss()
    assert "The sums equal autograd's gradient" in sentences(app)
    app.button(key="convolution_shared_step").click().run()
    assert loss() < first
    app.button(key="convolution_shared_reset").click().run()
    assert loss() == first
    app.text_input(key="convolution_shared_t").set_value("1 2").run()
    assert "make 4 outputs" in app.error[0].value


def test_relu_says_how_much_it_silences(open_page):
    app = experiment(open_page, "ReLU")
    assert "of the cells were negative" in sentences(app)
    app.selectbox(key="convolution_relu_filter").set_value("Box blur").run()
    assert "**0.0 %** of the cells" in sentences(app), "a mean of brightness is never negative"


def test_the_button_lays_out_the_vgg16_that_the_architecture_page_describes():
    rows = architecture.describe(architecture.blueprint("vgg16"))
    words = {"convolution": "c", "max pool": "p"}
    written = [f"{words[row.kind]}{row.kernel[0]}" for row in rows if row.kind in words and row.kernel]
    assert convolution_field._VGG.split() == written


def test_the_thirds_that_the_text_speaks_of():
    found = convolution.find_corners(convolution.get_grid("square").picture()[0])
    strongest = float(found.vertical.max())
    row, column = found.corners.nonzero()[0].tolist()
    single = [float(edges[row, column]) / strongest for edges in (found.vertical, found.horizontal)]
    assert single == pytest.approx([2 / 3, 2 / 3])
    assert float(found.corners[row, column]) / strongest == pytest.approx(1 / 3)
