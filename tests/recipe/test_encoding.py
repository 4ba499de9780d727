"""Text files in other encodings than UTF-8: what is refused, and advice that can be pasted."""

import re
import subprocess

import pytest

from kcatalog.recipe.data.encoding import read_text
from kcatalog.recipe.terminal.errors import RecipeError

TEXT = "größe, “quoted”\n" * 3


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_byte_order_mark_is_dropped(tmp_path, mark):
    (tmp_path / "a.txt").write_bytes((mark + "größe\r\n").encode())
    assert read_text(tmp_path / "a.txt") == "größe\r\n"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("latin-1", "größe\n"),
        ("cp1252", TEXT),
        ("utf-16", TEXT),
        ("utf-16-le", TEXT),
        ("utf-16-be", TEXT),
        ("utf-32", TEXT),
    ],
)
def test_the_advice_for_another_encoding_works_as_pasted(tmp_path, encoding, text):
    file = tmp_path / "it's a text.txt"
    file.write_bytes(text.encode(encoding))
    with pytest.raises(RecipeError, match=r"must be text in UTF-8\. Received: ") as refused:
        read_text(file)
    command = re.search("iconv -f .*", str(refused.value))[0]
    subprocess.run(command, shell=True, check=True)  # noqa: S602 - as a user pastes it
    assert read_text(tmp_path / "it's a text.utf8.txt") == text


def test_an_encoding_that_cannot_be_told_is_left_to_the_reader(tmp_path):
    (tmp_path / "a.txt").write_bytes("日本語テキスト、ソ".encode("shift_jis"))
    with pytest.raises(RecipeError, match=r"byte 0x93 at position 0\. Convert it with iconv"):
        read_text(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"%PDF-1.7\n", "a PDF file"),
        (b"PK\x03\x04rest", "an Excel or Word file"),
        (b"some\0text", "a byte 0x00 at position 4"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path, content, what):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(RecipeError, match=rf"must be plain text\. Received: .*{what}"):
        read_text(tmp_path / "a.txt")
