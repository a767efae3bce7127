"""The first page a stranger sees."""


def test_it_names_what_the_embedded_network_sees(open_page):
    app = open_page()
    assert not app.exception and not app.error
    sentence = next(block.value for block in app.markdown if block.value.startswith("####"))
    assert "tiger cat" in sentence and "37.9 %" in sentence and "Egyptian cat" in sentence


def test_another_picture_gives_another_answer(open_page):
    app = open_page()
    app.selectbox(key="picture").set_value("coffee").run()
    sentence = next(block.value for block in app.markdown if block.value.startswith("####"))
    assert "espresso" in sentence and "95.7 %" in sentence


def test_the_address_chooses_picture_and_class(open_page):
    app = open_page(query={"picture": "coffee", "class": "cup"})
    strip = next(block.body for block in app.get("html") if "strip" in block.body)
    assert ">cup<" in strip and "chosen by you" in strip and "A cup of coffee" in strip
