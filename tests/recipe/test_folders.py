"""Folders of one's own: splits, layouts of other tools, and files that are left out."""

import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from kcatalog.recipe.data import Images, Labelled, Speech, folders, pixels
from kcatalog.recipe.data.findings import duplicates
from kcatalog.recipe.terminal.errors import RecipeError

SOURCE = Images(size=8)


def draw(folder: Path, count: int = 4, first: int = 0) -> None:
    """Draw different pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        rng = np.random.default_rng(zlib.crc32(f"{folder.name}{number}".encode(errors="replace")))
        pixels = rng.integers(0, 255, (8, 8, 3)).astype("uint8")
        Image.fromarray(pixels).save(folder / f"{number}.png")


def tree(root: Path, *names: str, count: int = 4) -> Path:
    for i, name in enumerate(names):
        draw(root / name, count, first=i * count)
    return root


def said(data, about: str = "") -> list[str]:
    return [f.text for f in data.findings if about in ("", f.about)]


def names_of(x) -> set[str]:
    return {str(Path(*x.shelf.paths[place].parts[-3:])) for place in x.places}


def refused(path, source=SOURCE) -> str:
    with pytest.raises(RecipeError) as raised:
        source.load(path)
    return str(raised.value)


# --- a split of the user's own ---------------------------------------------------------------


def paste(command: str) -> None:
    subprocess.run(command, shell=True, check=True)  # noqa: S602 - as a user pastes it


@pytest.mark.parametrize(
    "names",
    [
        ("train", "val", "test"),
        ("training", "validation", "testing"),
        ("Train", "valid", "Test"),
        ("seg_train", "seg_dev", "seg_test"),
        ("training_set", "validation_set", "test_set"),
    ],
    ids=lambda names: names[0],
)
def test_a_split_of_folders_is_kept(tmp_path, names):
    tree(tmp_path, *(f"{part}/{name}" for part in names for name in ("cat", "dog")), count=2)
    data = SOURCE.load(tmp_path)
    assert data.classes == ("cat", "dog")
    for part, name in zip((data.train, data.validation, data.test), names, strict=True):
        assert len(part[0]) == 4
        assert {n.split("/")[0] for n in names_of(part[0])} == {name}
        assert {n.split("/")[1] == "dog" for n in names_of(part[0])} == {True, False}
    assert said(data) == ["as the folders are: train, validation, test"]


@pytest.mark.parametrize("missing", ["validation", "test"])
def test_a_missing_part_is_drawn_from_training(tmp_path, missing):
    other = {"validation": "test", "test": "val"}[missing]
    tree(tmp_path, "train/cat", "train/dog", f"{other}/cat", f"{other}/dog", count=5)
    data = SOURCE.load(tmp_path)
    assert [len(x) for x, _ in (data.train, data.validation, data.test)].count(10) == 1
    assert {n.split("/")[0] for n in names_of(getattr(data, missing)[0])} == {"train"}
    assert names_of(data.train[0]).isdisjoint(names_of(getattr(data, missing)[0]))
    assert f"{missing} drawn from train" in said(data, "split")[0]


@pytest.mark.parametrize("name", ["test", "test/test", "test/unknown"])
def test_a_test_part_without_classes_is_left_out(tmp_path, name):
    tree(tmp_path, "train/cat", "train/dog", name)
    data = SOURCE.load(tmp_path)
    assert f"4 images outside of the class folders: {name}/10.png, {name}/11.png" in said(data)[0]
    assert {n.split("/")[0] for n in names_of(data.test[0])} == {"train"}


# --- layouts ---------------------------------------------------------------------------------


PARTS = "train/cat", "train/dog", "test/cat", "test/dog"
CASES = "Cat", "cat", "black dog", "Black Dog "


@pytest.mark.parametrize(
    ("names", "classes", "texts"),
    [
        (("cat/train", "cat/test", "dog/train", "dog/test"), ("cat", "dog"), ["as the folders"]),
        (("train", "bus", "val d'isere"), ("bus", "train", "val d'isere"), []),
        (("dataset/cat", "dataset/dog"), ("cat", "dog"), ["the classes are read from dataset"]),
        (("pets-v1/v1/cat", "pets-v1/v1/dog"), ("cat", "dog"), ["are read from pets-v1/v1"]),
        (("pets/pets/train/a", "pets/pets/train/b"), ("a", "b"), ["read from pets/pets/train"]),
        (
            ("pets/cat", "pets/dog", "birds/owl"),
            ("birds", "pets"),
            ["belong to the class above: birds/owl, pets/cat, pets/dog"],
        ),
        (CASES, tuple(sorted(CASES)), ["'Black Dog ' and 'black dog' differ", "'Cat' and 'cat' d"]),
        ((*PARTS[:3], "val/cat", "val/dog"), ("cat", "dog"), ["the test part has no file of dog"]),
    ],
)
def test_layouts_are_understood_and_said(tmp_path, names, classes, texts):
    tree(tmp_path, *names)
    data = SOURCE.load(tmp_path)
    assert data.classes == classes
    assert all(any(text in each for each in said(data)) for text in texts)
    assert sum(len(x) for x, _ in (data.train, data.validation, data.test)) == 4 * len(names)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((*PARTS[:2], "test1/cat", "test2/cat"), "one folder for the test part. Received: test1, "),
        (("train", "test"), "with 0 subfolders of files"),
        (("dogs",), "with 1 subfolder of files: dogs"),
        ((), "with 0 subfolders of files"),
        (
            (*PARTS[:2], "test/Cat", "test/dog"),
            "test part must be in the training part. Received: Cat, and cat, dog",
        ),
    ],
)
def test_layouts_that_cannot_be_meant_are_refused(tmp_path, names, words):
    assert words in refused(tree(tmp_path, *names))


@pytest.mark.parametrize(("kind", "copy"), [("parts", "test/cat"), ("classes", "train/dog")])
def test_one_picture_in_two_parts_or_classes_is_named(tmp_path, kind, copy):
    tree(tmp_path, *PARTS)
    assert duplicates(decoded(tmp_path)) == []
    names = ["train/cat/0.png", f"{copy}/copy.png"]
    shutil.copy(*(tmp_path / name for name in names))
    (found,) = duplicates(decoded(tmp_path))
    assert found.warning
    text = f"1 file has the same content as another; 1 content in different {kind}, such as "
    shown = names if kind == "parts" else [name.removeprefix("train/") for name in names]
    assert found.text in {text + " and ".join(each) for each in (shown, shown[::-1])}


def decoded(path):
    data = SOURCE.load(path)
    data.decode()
    return data


def test_a_folder_without_images_beside_one_with_the_classes_is_left_out(tmp_path):
    tree(tmp_path, "images/cat", "images/dog")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "0.xml").write_text("<a/>")
    data = SOURCE.load(tmp_path)
    assert data.classes == ("cat", "dog")
    assert said(data) == ["1 .xml: not read as images", "the classes are read from images"]


def test_versions_beside_each_other_are_refused_with_one_to_use(tmp_path):
    tree(tmp_path, "v1/cat", "v1/dog", "v2/cat", "v2/dog")
    sentence = refused(tmp_path)
    assert "v1, v2, which hold the same folders" in sentence
    assert SOURCE.load(sentence.split("--data ")[1]).classes == ("cat", "dog")


def test_all_classes_with_too_few_files_are_named_at_once(tmp_path):
    tree(tmp_path, "cat", "dog")
    tree(tmp_path, "owl", "fox", count=2)
    (tmp_path / "owl" / "empty.png").touch()
    fox, owl = refused(tmp_path).splitlines()
    assert fox.startswith("Class 'fox'")
    assert fox.endswith("Received: 2. Add files or remove the folder.")
    assert "Received: 2, and 1 empty or unreadable. Add files" in owl


def test_names_that_nothing_else_can_write_are_refused_or_replaced(tmp_path):
    tree(tmp_path, "cat", "dog")
    (tmp_path / "cat" / os.fsdecode(b"caf\xe9.txt")).write_text("")
    assert said(SOURCE.load(tmp_path)) == ["1 empty file: cat/caf?.txt"]
    tree(tmp_path, os.fsdecode(b"caf\xe9"), "two\nlines", "übung")
    assert r"Received: 'caf\udce9', 'two\nlines'. Rename them." in refused(tmp_path)


def test_a_flat_folder_is_refused_with_a_command_that_sorts_it(tmp_path):
    folder = tmp_path / "my pets"
    for name in ("cat", "dog"):
        draw(tmp_path / name, 3)
        for file in (tmp_path / name).iterdir():
            folder.mkdir(exist_ok=True)
            file.rename(folder / f"{name}.{file.name}")
        (tmp_path / name).rmdir()
    sentence = refused(folder)
    assert "6 files in " in sentence
    command = "cd " + sentence.split(": cd ")[1]
    paste(command)
    assert SOURCE.load(folder).classes == ("cat", "dog")


@pytest.mark.parametrize(("suffix", "kind"), [(".zip", "zip"), (".tar.gz", "gztar")])
def test_an_archive_is_refused_with_a_command_that_unpacks_it(tmp_path, monkeypatch, suffix, kind):
    monkeypatch.chdir(tmp_path)
    tree(tmp_path / "pictures", "cat", "dog")
    shutil.make_archive("my pets", kind, "pictures")
    paste(refused(f"my pets{suffix}").split("`")[1])
    assert SOURCE.load("my pets").classes == ("cat", "dog")


# --- what is left out ------------------------------------------------------------------------


def test_what_systems_and_tools_leave_behind_is_left_out_and_said(tmp_path):
    tree(tmp_path, "cat", "dog")
    for name in ("__MACOSX", ".git", "@eaDir", "lost+found", "$RECYCLE.BIN", ".ipynb_checkpoints"):
        draw(tmp_path / name, 1)
    draw(tmp_path / "cat" / ".ipynb_checkpoints", 1)
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._0.png"):
        (tmp_path / "cat" / name).write_bytes(b"x")
    (tmp_path / "birds").mkdir()
    draw(tmp_path / "dog" / "more", 1, first=4)
    (tmp_path / "dog" / "more" / "4.png").rename(tmp_path / "dog" / "9.jpg.crdownload")
    data = SOURCE.load(tmp_path)
    assert data.classes == ("cat", "dog")
    assert sum(len(x) for x, _ in (data.train, data.validation, data.test)) == 8
    left = said(data, "left out")
    assert "8 system files: $RECYCLE.BIN, @eaDir, __MACOSX and 5 more" in left
    assert "3 hidden: .git, .ipynb_checkpoints, cat/.ipynb_checkpoints" in left
    assert "2 empty folders: birds, dog/more" in left
    assert "1 unfinished or backup file: dog/9.jpg.crdownload" in left


def test_other_files_are_counted_by_suffix(tmp_path):
    tree(tmp_path, "cat", "dog")
    for name in ("a.heic", "b.HEIC", "labels.json", "README"):
        (tmp_path / "cat" / name).write_text("something")
    (text,) = said(SOURCE.load(tmp_path))
    assert text.startswith("2 .heic, 1 without suffix, 1 .json: not read as images. ")
    assert text.endswith("pip install pillow-heif")


def test_heic_is_read_where_pillow_heif_is_installed(tmp_path, monkeypatch):
    (tmp_path / "pillow_heif.py").write_text(
        "from PIL import Image\n"
        "def register_heif_opener():\n"
        "    Image.register_extension('HEIF', '.heic')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(Image, "EXTENSION", dict(Image.EXTENSION))
    for cached in (pixels.pillow, pixels.images):
        cached.cache_clear()
    kind = pixels.images()
    assert ".heic" in kind.suffixes
    assert ".heic" not in kind.others
    assert ".heif" in kind.others
    sys.modules.pop("pillow_heif")
    for cached in (pixels.pillow, pixels.images):
        cached.cache_clear()


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a program of this name in the way of a command; it copies a file to an argument."""

    def put(name: str, file: Path, target: str) -> None:
        (file.parent / name).write_text(f"#!/bin/sh\ncp {file} {target}\n")
        (file.parent / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(file.parent), prepend=os.pathsep)

    return put


def test_drawings_are_read_once_the_command_has_converted_them(tmp_path, program):
    root = tree(tmp_path / "my pictures", "cat", "dog")
    (root / "cat" / "new one.SVG").write_text("<svg/>")
    (text,) = said(SOURCE.load(root))
    draw(tmp_path / "programs", 1)
    program("magick", tmp_path / "programs" / "0.png", '"$2"')
    paste(text[text.index("find ") :])
    assert said(SOURCE.load(root)) == ["1 .svg: not read as images"]
    assert (root / "cat" / "new one.SVG.png").exists()


def test_a_class_of_other_files_is_refused_with_a_command_that_converts_them(tmp_path, program):
    root, source = tmp_path / "my sounds", Labelled(SOURCE, Speech())
    for name in ("yes", "no"):
        (root / name).mkdir(parents=True)
        for i in range(5):
            (root / name / f"{i}.MP3").write_bytes(b"ID3")
    sentence = refused(root, source)
    assert "Class 'no'" in sentence
    assert "Received: 0, and 5 .mp3, not read as sound" in sentence
    (tmp_path / "programs").mkdir()
    tone = 9999 * np.sin(np.arange(4000))
    wavfile.write(tmp_path / "programs" / "one.wav", 16_000, tone.astype("int16"))
    program("ffmpeg", tmp_path / "programs" / "one.wav", '"$4"')
    paste(sentence[sentence.index("find ") :].splitlines()[0])
    data = source.load(root)
    assert data.input_name == "waveform"
    # and no advice, as there are copies
    assert said(data, "left out") == ["10 .mp3: not read as sound"]


def test_recordings_are_found_by_the_same_rules(tmp_path):
    sound = 9999 * np.sin(np.arange(2000))
    for part in ("train", "test"):
        for i, name in enumerate(("yes", "no")):
            folder = tmp_path / part / name
            folder.mkdir(parents=True)
            for number in range(4):
                suffix = ".wav" if number else ""
                wavfile.write(folder / f"{number}{suffix}", 16_000 + i, sound.astype("int16"))
    data = Speech().load(tmp_path)
    assert [len(x) for x, _ in (data.train, data.validation, data.test)] == [6, 2, 8]
    assert said(data, "split") == ["as the folders are: train, test; validation drawn from train"]
    assert said(data, "suffixes")[0].startswith("4 read as sound by content, not by suffix: ")


def test_files_without_a_suffix_are_read_by_content_and_said(tmp_path):
    tree(tmp_path, "cat", "dog")
    (tmp_path / "cat" / "0.png").rename(tmp_path / "cat" / "picture")
    (tmp_path / "cat" / "notes").write_text("no picture")
    data = SOURCE.load(tmp_path)
    assert sum(len(x) for x, _ in (data.train, data.validation, data.test)) == 8
    assert "1 read as images by content, not by suffix: cat/picture" in said(data)


def test_empty_and_unreadable_files_are_left_out_and_said(tmp_path, monkeypatch):
    tree(tmp_path, "cat", "dog")
    (tmp_path / "cat" / "0.png").write_bytes(b"")
    locked, access = tmp_path / "dog" / "5.png", os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != locked and access(path, mode))
    data = SOURCE.load(tmp_path)
    assert said(data) == ["1 empty file: cat/0.png", "1 unreadable: dog/5.png"]
    assert all(f.warning for f in data.findings)


def test_linked_folders_are_followed_once(tmp_path):
    root = tree(tmp_path / "root", "cat", "dog")
    draw(tmp_path / "elsewhere", 3, first=30)
    (root / "cat" / "more").symlink_to(tmp_path / "elsewhere")
    (root / "dog" / "more").symlink_to(root / "cat")
    (root / "dog" / "all").symlink_to(tmp_path)
    (root / "dog" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    data = SOURCE.load(root)
    assert sum(len(x) for x, _ in (data.train, data.validation, data.test)) == 8 + 3
    texts = said(data)
    assert "1 broken link: dog/gone.png" in texts
    assert [t for t in texts if re.match(r"\d links? to what is read already: .*dog/more", t)]
    assert [t for t in texts if t.startswith("followed ") and "cat/more" in t]


def test_files_that_are_no_images_say_what_they_are(tmp_path):
    tree(tmp_path, "cat", "dog")
    (tmp_path / "cat" / "0.png").write_bytes(b"\0\0\0\x18ftypheic" + bytes(80))
    (tmp_path / "dog" / "4.png").write_bytes(b"<!DOCTYPE html><html></html>")
    sentences = refused(tmp_path)
    assert "a HEIC photograph. Read it with: pip install pillow-heif" in sentences
    assert "a web page. Download it again" in sentences


def test_broken_headers_and_broken_pixels_are_named_at_once(tmp_path):
    tree(tmp_path, "cat", "dog")
    short = [tmp_path / "dog" / "5.png", tmp_path / "cat" / "1.png"]
    for file in short:
        file.write_bytes(file.read_bytes()[:70])
    with pytest.raises(RecipeError) as raised:
        SOURCE.load(tmp_path).decode()
    assert all(f"{file} must be an image" in str(raised.value) for file in short)
    (tmp_path / "cat" / "0.png").write_bytes(b"no image")
    sentences = refused(tmp_path)
    assert "cat/0.png must be an image" in sentences
    assert "dog/5.png must be an image" in sentences


def test_the_parts_that_names_say():
    names = ["train", "contest", "Testing", "valley", "my-val"]
    found = folders.parts_of(names)
    assert found == {"train": ["train"], "test": ["Testing"], "validation": ["my-val"]}
    assert folders.parts_of(["test", "val"]) == {}
