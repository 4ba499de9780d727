"""Recordings: the window that follows them, what is said of them, and what is refused."""

import re
import shlex
import struct

import numpy as np
import pytest

from kcatalog.recipe.data import Speech
from kcatalog.recipe.data.recordings import examine, mono, read
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe.test_data import tone, write_wav

RATE = 8000


@pytest.fixture
def folder(tmp_path):
    """Two classes of four tones of 0.3 to 0.45 seconds."""
    for name, hertz in {"high": 1000, "low": 200}.items():
        for i in range(4):
            write_wav(tmp_path / name / f"{i}.wav", tone(hertz, seconds=0.3 + i / 20))
    return tmp_path


def found(folder, **arguments):
    data = Speech(rate=RATE, **arguments).load(folder)
    return data, {each.about: each for each in data.findings}


def test_the_window_follows_the_files(folder):
    data, said = found(folder)
    assert data.input_shape == (round(0.45 * RATE),)
    text = "0.3 s to 0.45 s; 6 of 8 files are padded with silence to 0.45 s"
    assert said["length"].text == text
    assert list(said) == ["length"]


def test_a_word_at_the_fifth_second_is_heard(folder):
    late = np.concatenate([np.zeros(5 * RATE), tone(300)])
    write_wav(folder / "low" / "late.wav", late)
    data, said = found(folder)
    assert data.input_shape == (round(5.5 * RATE),)
    x = Speech(rate=RATE).read([folder / "low" / "late.wav"], data.info)
    np.testing.assert_allclose(x[0], late, atol=1e-4)
    data, said = found(folder, seconds=1.0)
    assert data.input_shape == (RATE,)
    assert said["cut"].warning
    assert said["cut"].text == "1 file (low/late.wav) cut to 1 s; --seconds 5.5 keeps all of them"
    assert "silent once cut: their sound begins after 1 s" in said["lost"].text
    seconds = float(re.search(r"--seconds (\S+)", said["cut"].text)[1])
    assert "cut" not in found(folder, seconds=seconds)[1]
    write_wav(folder / "low" / "long.wav", tone(300, seconds=12.3))
    data, said = found(folder)
    assert data.input_shape == (10 * RATE,)
    assert said["cut"].text.endswith("cut to 10 s; --seconds 12.3 keeps all of them")


def test_a_run_keeps_the_window_that_was_found(folder):
    data, _ = found(folder)
    assert data.settings == {"seconds": 0.45}
    (folder / "low" / "3.wav").unlink()
    (folder / "high" / "3.wav").unlink()
    again = Speech(rate=RATE).configured(data.settings).load(folder)
    assert again.input_shape == data.input_shape


def test_predict_hears_as_much_as_the_training(folder):
    data, _ = found(folder)
    long = write_wav(folder / "new" / "long.wav", tone(300, seconds=2.0))
    short = write_wav(folder / "new" / "short.wav", np.zeros(100))
    source = Speech(rate=RATE)  # of another process: it knows the manifest alone
    assert source.read([long, short], data.info).shape == (2, *data.input_shape)
    notes = source.notes([long, short, folder / "low" / "0.wav"], data.info)
    assert notes[0] == {"note": "cut from 2 s to 0.45 s, as long as in training"}
    assert notes[1:] == [{"note": "silent"}, {}]


def test_what_is_odd_about_recordings_is_said(folder):
    loud = np.clip(3 * tone(200), -1, 1)
    write_wav(folder / "low" / "clipped.wav", loud)
    write_wav(folder / "low" / "silent.wav", np.zeros(2000))
    write_wav(folder / "low" / "one.wav", np.ones(1))
    write_wav(folder / "low" / "phase.wav", np.stack([tone(200), -tone(200)], axis=1))
    write_wav(folder / "low" / "cd.wav", tone(200, rate=44_100), rate=44_100)
    _, said = found(folder)
    assert said["rate"].text == "12 of 8,000 Hz, 1 of 44,100 Hz; resampled to 8,000 Hz"
    assert said["channels"].text == "1 of 13 files have several; averaged"
    for about, file in {
        "clipped": "clipped.wav",
        "silent": "low/one.wav, low/silent.wav",
        "brief": "one.wav",
        "out of phase": "phase.wav",
    }.items():
        assert said[about].warning
        assert file in said[about].text
        assert said[about].text.startswith(("1 file (", "2 files ("))


def test_clean_tones_are_not_clipped(tmp_path):
    for hertz in (50, 200, 3000):
        file = write_wav(tmp_path / "a" / "full.wav", 2 * tone(hertz, rate=44_100), rate=44_100)
        assert not examine(file).flags


def test_channels_out_of_phase_are_heard(tmp_path):
    sound = np.stack([tone(200), -0.99 * tone(200)], axis=1)
    x, _ = read(write_wav(tmp_path / "a" / "phase.wav", sound))
    np.testing.assert_allclose(x, tone(200), atol=1e-4)
    averaged = mono(np.stack([tone(200), tone(300)], axis=1))
    np.testing.assert_allclose(averaged, (tone(200) + tone(300)) / 2)


@pytest.mark.parametrize(
    "start",
    [2, 6, 7, 0x55, b"ID3\x04", b"fLaC", b"OggS", b"\0\0\0\x1cftypM4A "],
    ids=["ADPCM", "A-law", "mu-law", "MP3", "tagged MP3", "FLAC", "Ogg", "M4A"],
)
def test_compressed_sound_is_refused_with_the_command_that_converts(folder, start):
    """The command reads the file, writes 16-bit PCM, and puts it in its place."""
    file = folder / "low" / "it's.wav"
    raw = bytearray(write_wav(file, tone(200)).read_bytes())
    if isinstance(start, int):
        raw[20:22] = struct.pack("<H", start)
    else:
        raw[: len(start)] = start
    file.write_bytes(raw)
    with pytest.raises(RecipeError, match=r"it's\.wav must be a WAV file") as refused:
        found(folder)
    words = shlex.split(str(refused.value).partition("Convert it with: ")[2])
    beside = str(file.with_suffix(".pcm.wav"))
    convert = ["ffmpeg", "-i", str(file), "-ar", "16000", "-ac", "1", "-c:a", "pcm_s16le", beside]
    assert words == [*convert, "&&", "mv", beside, str(file)]


def test_all_bad_files_are_named_at_once_and_silence_alone(folder):
    bad = [folder / "low" / "1.wav", folder / "high" / "2.wav"]
    for file in bad:
        file.write_bytes(b"RIFF nothing")
    with pytest.raises(RecipeError) as refused:
        found(folder)
    assert all(str(file) in str(refused.value) for file in bad)
    for file in folder.rglob("*.wav"):
        write_wav(file, np.zeros(2000))
    with pytest.raises(RecipeError, match=r"must hold sound\. Received: 8 silent files"):
        found(folder)
