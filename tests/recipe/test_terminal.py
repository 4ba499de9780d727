"""The console of recipes."""

import io
import time

import pytest
from rich.text import Text

from kcatalog import progress
from kcatalog.recipe.commands import block
from kcatalog.recipe.terminal import output

LONG = "/home/someone/a/very/long/path/that/does/not/fit/into/any/line/of/a/terminal/cat_0001.png"


def terminal(width=80, **options):
    return output.console(file=io.StringIO(), width=width, force_terminal=True, **options)


def printed(console):
    return console.file.getvalue()


def test_names_are_printed_as_they_are():
    names = ["[a].png", "[/b].png", ":smile:.png", f"{LONG}.png"]
    table = output.table("file")
    for name in names:
        table.add_row(name)
    console = output.console(file=io.StringIO(), width=80)
    for shown in names:
        console.print(shown)
        console.rule(shown)
        assert printed(console).count(shown) == 2
    console.print(table)
    folded = "".join(line.strip(" │") for line in printed(console).splitlines())
    for name in names:
        assert folded.count(name) == 3


@pytest.mark.parametrize("width", [80, 110])
def test_lines_begin_between_words(width):
    sentence = f"Cannot read {LONG}: the file is truncated. " * 3 + "Run `pip install 'a  b'` then."
    console = terminal(width, color_system=None)
    console.print(sentence)
    lines = printed(console).splitlines()
    assert all(len(line) <= width or line.startswith(LONG) for line in lines)
    assert " ".join(lines) == sentence
    assert [line for line in lines if LONG in line]  # in one piece
    assert [line for line in lines if "`pip install 'a  b'`" in line]


def test_lines_of_a_pipe_and_of_a_text_that_goes_on_stay_whole(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    sentence, table = "some words " * 20, output.table("one", "another")
    table.add_row("word " * 30, LONG)
    pipe = output.console(file=io.StringIO())
    pipe.print(sentence)
    pipe.print(table)
    assert sentence in printed(pipe)
    assert [line for line in printed(pipe).splitlines() if "word word" in line and LONG in line]
    console = terminal(40, color_system=None)
    console.print(sentence, soft_wrap=True)
    assert printed(console) == f"{sentence}\n"


@pytest.mark.parametrize(
    "command",
    [
        "find . -iname '*.mp3' -exec ffmpeg -nostdin -i {} {}.wav \\;",
        'pip install "kcatalog[serve]"',
        "--resume --run-dir runs/image_cnn/1",
        "export --variants int8 --accept int8",
    ],
)
def test_a_command_to_paste_is_one_line(command):
    before = "There is something wrong with this. Do that with:"
    for after in ("", ". Then do something else."):
        lines = output.wrapped(f"{before} {command}{after}", 30).splitlines()
        assert [line for line in lines if line.startswith(command)], lines
    assert output.wrapped("one two: three four", 12) == "one two:\nthree four"


def test_styles_stay_where_they_were():
    text = Text("one two three")
    text.stylize("red", 8, 13)
    wrapped = output.wrapped(text, 8)
    assert wrapped.plain == "one two\nthree"
    assert [(s.start, s.end) for s in wrapped.spans] == [(8, 13)]


def test_wide_characters_count_twice_and_lines_of_the_text_stay():
    assert output.wrapped("猫猫猫 犬犬\n a b", 8) == "猫猫猫\n犬犬\n a b"


@pytest.mark.parametrize("width", [80, 110])
def test_findings_are_wrapped_beside_their_names(width):
    text = ", ".join(f"class_{i} {i}" for i in range(40))
    record = [
        {"about": "classes", "text": text, "warning": False},
        {"about": "left out", "text": f"2 .heic, such as {LONG}", "warning": True},
    ]
    console = terminal(width)
    block.show(console, record)
    lines = Text.from_ansi(printed(console)).plain.splitlines()
    assert lines[0].startswith("classes   class_0 0, class_1 1,")
    assert all(line[:10].strip() in ("", "classes", "left out") for line in lines)
    assert all(len(line) <= width or LONG in line for line in lines)
    words = " ".join(line[10:] for line in lines)
    assert words == f"{text} 2 .heic, such as {LONG}"
    assert "\x1b[33m" in printed(console)  # the warning is yellow
    pipe = output.console(file=io.StringIO())
    block.show(pipe, record)
    assert len(printed(pipe).splitlines()) == 2


def test_no_color_is_respected(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    console = terminal()
    console.print("worse", style="red")
    assert "\x1b[31m" not in printed(console)


@pytest.mark.parametrize(("patience", "expected"), [(0, True), (60, False)])
def test_a_bar_appears_after_a_while_and_only_in_a_terminal(monkeypatch, patience, expected):
    monkeypatch.setattr(progress, "PATIENCE", patience)
    for console, here in ((terminal(), expected), (output.console(file=io.StringIO()), False)):
        with progress.bar("Reading files", console) as advance:
            time.sleep(0.001)
            advance(2)
            advance(2)
        assert ("Reading files" in printed(console)) == here


def test_a_log_gets_one_line_of_what_takes_long_and_one_for_each_step(monkeypatch):
    console = output.console(file=io.StringIO())
    monkeypatch.setattr(progress, "LONG", 0)
    with progress.bar("Reading files", console) as advance:
        for _ in range(3):
            time.sleep(0.001)
            advance(3)
    assert printed(console) == "Reading files: 1 of 3, about 1 second left.\n"
    console = output.console(file=io.StringIO())
    with output.steps("Writing", 2, console) as begin:
        begin("SavedModel")
        begin("onnx")
    assert printed(console) == "Writing SavedModel (1 of 2)\nWriting onnx (2 of 2)\n"
    with output.steps("Writing", 2, bar := terminal()) as begin:
        begin("SavedModel")
    assert "Writing SavedModel" in printed(bar)
