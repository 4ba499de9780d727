"""A run in TensorBoard: a browser opens the tabs and looks at what is drawn."""

import base64
import dataclasses
import io
import re
import shutil

import keras
import numpy as np
import pytest
from PIL import Image
from playwright import sync_api
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from docs import tensorboard_tabs
from kcatalog.recipe import monitoring, tasks
from kcatalog.recipe.monitoring import projector
from kcatalog.recipe.monitoring.graph import Graph
from kcatalog.recipe.monitoring.pictures import Predictions
from tests.recipe import tiny

pytestmark = [
    pytest.mark.slow,
    pytest.mark.tensorflow,
    pytest.mark.skipif(not tensorboard_tabs.chromium(), reason="no `chromium` on the PATH"),
    # TensorBoard's own copy of html5lib
    pytest.mark.filterwarnings("ignore:html5lib's sanitizer:DeprecationWarning"),
]


class Clouds(tiny.Clouds):
    """The tiny recipe's points, to be embedded."""

    def _clouds(self, seed):
        return dataclasses.replace(super()._clouds(seed), task="embedding")


def build(data):
    """Both coordinates look at each other, and become a vector of length one."""
    inputs = keras.Input(data.input_shape, name=data.input_name)
    x = keras.layers.Reshape((2, 1), name="both")(inputs)
    x = keras.layers.MultiHeadAttention(2, 4, name="look")(x, x)
    x = keras.layers.Dense(3, name="vector")(keras.layers.Flatten(name="row")(x))
    return keras.Model(inputs, keras.layers.UnitNormalization(name="unit")(x))


@pytest.fixture(scope="module")
def logs(whole_way, watched, tmp_path_factory):
    """Logs of the whole way, of a watched training, and of an embedding with attention."""
    folder = tmp_path_factory.mktemp("tensorboard")
    shutil.copytree(whole_way.run / "logs", folder / "whole")
    shutil.copytree(watched, folder / "watched")
    data = Clouds().load()
    model, task = build(data), tasks.of(data)
    drawing = Graph(folder / "embedded")
    drawing.set_model(model)
    drawing.on_train_begin()
    outputs = model.predict(data.test[0], verbose=0)
    predicted = task.predicted(outputs, *task.gallery(model, data))
    predictions = Predictions(data, data.test, outputs, predicted)
    monitoring.write_test(folder / "embedded", predictions, model, {})
    projector.write(folder / "embedded" / "test", data, outputs, predicted)
    return folder


@pytest.fixture(scope="module")
def browser(logs):
    sync_api.expect.set_options(timeout=tensorboard_tabs.PATIENCE)
    with tensorboard_tabs.board(logs) as board:
        yield board


@pytest.fixture
def board(browser):
    """TensorBoard in a browser, where no script and no request may fail."""
    browser.complaints.clear()
    yield browser
    assert browser.complaints == []


def logged(folder, tag):
    """Return what was logged: the steps and the values."""
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload().Tensors(tag)
    return [e.step for e in events], [tensor_util.make_ndarray(e.tensor_proto) for e in events]


# How many points a line has, and whether they are numbers.
POINTS = """path => {
    const d = path.getAttribute('d') || '';
    return /NaN/.test(d) ? -1 : d.split('L').length;
}"""


def matching(page):
    """The cards that a filter lets through; they stand in their categories once more."""
    return page.locator("tf-category-paginated-view").first


def cards(board, tab, tags, runs):
    """The cards of a tab by name, and in each the points of its lines."""
    page = board.open(tab, tagFilter=tags, regexInput=runs)
    kind = tensorboard_tabs.DRAWN[tab].split()[0]
    found = {}
    matching(page).locator(kind).first.wait_for(state="attached")
    for card in matching(page).locator(kind).all():
        card.locator("path.line").first.wait_for(state="attached")
        lines = [line.evaluate(POINTS) for line in card.locator("path.line").all()]
        found[card.locator(".name").first.inner_text()] = lines
    return found


def test_scalars_are_lines_with_a_point_for_each_step(board, logs):
    wanted = "^learning_rate|^Learning curves/accuracy|^(gradient_norm|update_ratio)/dense$"
    found = cards(board, "scalars", wanted, "^watched")
    assert set(found) == {
        "learning_rate",
        "Learning curves/accuracy",
        "gradient_norm/dense",
        "update_ratio/dense",
    }
    steps, _ = logged(logs / "watched" / "steps", "learning_rate")
    assert max(found["learning_rate"]) == len(steps) == 30
    assert max(found["gradient_norm/dense"]) == 30
    assert max(found["update_ratio/dense"]) == 30
    assert sorted(set(found["Learning curves/accuracy"])) == [5]  # training and validation


# The pixels of an image, as the browser decoded them, in base64.
PIXELS = """async image => {
    await image.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    canvas.getContext('2d').drawImage(image, 0, 0);
    return canvas.toDataURL('image/png').split(',')[1];
}"""


def pixels_of(image):
    drawn = Image.open(io.BytesIO(base64.b64decode(image.evaluate(PIXELS))))
    return np.asarray(drawn.convert("RGB"))


@pytest.mark.parametrize(
    ("run", "tag"),
    [
        ("whole/test", "worst mistakes"),
        ("embedded/test", "attention/look/sample 0"),
    ],
)
def test_images_are_those_that_were_logged(board, logs, run, tag):
    page = board.open("images", tagFilter=f"^{tag}$", regexInput=f"^{run}$")
    matching(page).locator("tf-image-loader img").first.wait_for(state="attached")
    (card,) = matching(page).locator("tf-image-loader").all()
    assert card.locator(".name").first.inner_text() == tag
    assert card.locator(".run").inner_text() == run
    _, values = logged(logs / run, tag)
    expected = np.asarray(Image.open(io.BytesIO(values[-1][2])).convert("RGB"))
    assert np.array_equal(pixels_of(card.locator("img")), expected)


def test_trials_are_rows(board):
    page = board.open("hparams")
    first, second = (
        r"^tiny.1.0 .*0\.20000.* SparseCategoricalCrossentropy Adam ",
        "^tiny.1.1 .*entropy",
    )
    for row in (first, second):
        sync_api.expect(page.get_by_role("row", name=re.compile(row))).to_have_count(1)


def test_the_graph_shows_every_layer_without_a_click(board):
    """The tab opens the first run's graph."""
    page = board.open("graphs")
    nodes = page.locator("tf-graph-scene g.node")
    sync_api.expect(nodes).to_have_count(6)
    names = {node.get_attribute("data-name") for node in nodes.all()}
    assert names == {"point", "both", "look", "row", "vector", "unit"}
    texts = {node.locator("text").first.text_content() for node in nodes.all()}
    assert {"pointpoint", "looklook", "vectorvector"} <= texts  # what is shown, and its tooltip
    assert page.locator("tf-graph-scene g.edge path").count() >= 5


def test_the_projector_shows_every_sample_with_label_and_picture(board):
    frame, data = board.open("projector"), Clouds().load()
    sync_api.expect(frame.locator(".numDataPoints")).to_have_text(str(len(data.test[0])))
    sync_api.expect(frame.locator(".dim")).to_have_text("3")
    frame.locator("#search-box input").fill("left")
    left = int((data.test[1] == 0).sum())
    sync_api.expect(frame.locator("#search-box .info")).to_have_text(f"{left} matches.")
    frame.locator("#search-box input").fill("")
    sync_api.expect(frame.locator("#search-box .info")).not_to_contain_text("matches")
    shot = Image.open(io.BytesIO(frame.locator("#scatter").screenshot())).convert("RGB")
    pixels = np.asarray(shot).astype(int)
    grey = (np.ptp(pixels, axis=-1) <= 2) & (pixels[..., 0] > 60) & (pixels[..., 0] < 200)
    assert grey.sum() > 200  # the samples' pictures are grey squares; points without are colored
