"""`predict`: the exported model on the user's own files."""

import json

import keras
import numpy as np
import pytest

from kcatalog.recipe import tasks
from kcatalog.recipe.data import Images, Labelled, Masks, Series, Speech
from kcatalog.recipe.export import loading, signatures
from kcatalog.recipe.export.stepwise import Stepwise
from tests.recipe import tiny


@pytest.fixture
def exported(whole_way, call, tmp_path):
    """The command line, standing where something has been exported."""
    (tmp_path / "saved_models").symlink_to(whole_way.folder / "saved_models")
    return call


def test_names_each_files_label(exported, tmp_path):
    for name, point in (("a.txt", "2.0 0.1"), ("b.txt", "-2.0 0.1")):
        (tmp_path / name).write_text(point)
    done = exported("predict", "a.txt", "b.txt")
    assert done.code == 0, done.err
    cells = [line.split("│")[1:3] for line in done.out.splitlines() if ".txt" in line]
    labels = {file.strip(): label.strip() for file, label in cells}
    assert labels == {"a.txt": "right", "b.txt": "left"}


def test_folders_are_searched_and_bad_files_named(exported, tmp_path):
    """The good files get their answer, whatever the others are."""
    points = {"b/one.txt": "2.0 0.1", "b/deep/two.TXT": "-2.0 0.1", "b/.hidden.txt": "1 1"}
    for name, content in {
        **points,
        "b/torn.txt": "2.0 none",
        "b/notes.md": "-",
        "c.txt": "1 0",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    done = exported("predict", "b", "c.txt", "nowhere.txt", "--json")
    assert done.code == 1
    answers = [json.loads(line) for line in done.out.splitlines()]
    labels = {each["file"]: each["label"] for each in answers}
    assert labels == {"b/deep/two.TXT": "left", "b/one.txt": "right", "c.txt": "right"}
    assert all(0 < sum(each["probabilities"].values()) <= 1.001 for each in answers)
    left_out, hidden, torn, missing = done.err.splitlines()
    assert left_out == "b: left out: 1 .md: not read as files for this model"
    assert hidden == "b: left out: 1 hidden: .hidden.txt"
    assert torn.startswith("b/torn.txt cannot be read: could not convert string")
    assert missing == "nowhere.txt does not exist."
    assert exported("predict", "b/deep", "c.txt").code == 0


def test_folders_are_read_as_for_training():
    """Images with another suffix or none, and sound, are found by the source's own rules."""
    for source, name, shape in (
        (Images(), "image", (8, 8, 1)),
        (Masks(), "image", (8, 8, 1)),
        (Labelled(Images(), Speech()), "image", (8, 8, 1)),
    ):
        kind = source.kind(tiny.info(input_name=name, input_shape=shape))
        assert {".png", ".jpeg", ".webp"} <= set(kind.suffixes)
    for source in (Speech(), Labelled(Images(), Speech())):
        waveform = source.kind(tiny.info(input_name="waveform", input_shape=(16_000,)))
        assert (".wav" in waveform.suffixes, ".mp3" in waveform.others) == (True, True)
        frames = source.kind(tiny.info(input_name="frames", input_shape=(29, 12)))
        assert frames.suffixes == (".csv",)
    assert Series().kind(tiny.info(input_name="history")).suffixes == (".csv",)


def test_a_folder_without_files_for_the_model(exported, tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a.heic").write_text("a")
    done = exported("predict", "b")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "Received: 1 .heic." in done.err
    (tmp_path / "c.txt").write_text("1 0")
    done = exported("predict", "b", "c.txt")
    assert done.code == 1
    assert "c.txt" in done.out
    assert "Received: 1 .heic." in done.err


def test_a_damaged_export(call, whole_way, tmp_path):
    folder = tmp_path / "saved_models" / "tiny" / "1"
    folder.mkdir(parents=True)
    manifest = whole_way.folder / "saved_models" / "tiny" / "1" / "manifest.json"
    (folder / "manifest.json").write_text(manifest.read_text())
    (tmp_path / "a.txt").write_text("1 2")
    done = call("predict", "a.txt")
    assert done.code == 2
    assert "saved_models/tiny/1 is damaged" in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"data": 7}'])
def test_a_damaged_manifest(call, tmp_path, content):
    folder = tmp_path / "saved_models" / "tiny" / "1"
    folder.mkdir(parents=True)
    if content is not None:
        (folder / "manifest.json").write_text(content)
    done = call("predict", "a.txt")
    assert done.code == 2
    assert done.err.startswith("saved_models/tiny/1/manifest.json is damaged: ")
    assert done.err.endswith(". Export again.\n")
    assert len(done.err.splitlines()) == 1


def test_text_goes_on_from_the_prompt_and_depends_on_the_seed_alone():
    """One model says the alphabet, the other anything."""
    classes = list("abc")

    def alphabet(text):
        return {"probabilities": np.eye(3)[["abc".index(text[0][-1]) - 2]]}

    def anything(text):
        return {"probabilities": np.full((1, 3), 1 / 3)}

    assert loading.generate(alphabet, "xa", 4, classes, seed=0) == "bcab"
    written = [loading.generate(anything, "", 20, classes, seed=s) for s in (0, 0, 1)]
    assert written[0] == written[1] != written[2]


def test_text_by_its_state_reads_each_character_once():
    """A model that says the alphabet, and counts what it has read."""
    read = []

    def step(text, count):
        read.append((text[0], count.item()))
        p = np.eye(3)[["abc".index(text[0][-1]) - 2]]
        return {"probabilities": p, "next_count": count + len(text[0])}

    def answer(text):
        raise AssertionError("reads anew")

    step.inputs = {"text": None, "count": keras.InputSpec(shape=(None,))}
    assert loading.generate(answer, "xa", 4, list("abc"), seed=0, step=step) == "bcab"
    assert read == [("xa", 0), ("b", 2), ("c", 3), ("a", 4)]
    read.clear()
    assert loading.generate(answer, "xa", 1, list("abc"), seed=0, step=step) == "b"
    assert read == [("xa", 0)]


@pytest.mark.slow
@pytest.mark.tensorflow
def test_an_export_with_state_writes_what_one_without_writes(tmp_path):
    inputs = keras.Input((None,), dtype="int32", name="characters")
    x = keras.layers.GRU(8, return_sequences=True)(keras.layers.Embedding(128, 8)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3)(x))
    info = tiny.info("next-character", "characters", classes="abc")
    signatures.write(
        model, tasks.NextCharacter(), info, tmp_path / "model", stepwise=Stepwise(model)
    )
    exported = loading.Exported(None, tmp_path / "model", info)
    by_state = exported.go_on("abcab", 30, seed=0)
    assert by_state == loading.generate(exported.signature(), "abcab", 30, list("abc"), seed=0)
