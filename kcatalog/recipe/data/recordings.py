"""Recordings: WAV files as one channel, and what is worth saying about them."""

from __future__ import annotations

import collections
import io
import math
import shlex
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kcatalog.recipe.data.base import need
from kcatalog.recipe.data.findings import Finding, listed
from kcatalog.recipe.terminal.errors import RecipeError

RATES = (1_000, 384_000)  # samples per second that sound is recorded with
LOUDEST = 1e30  # that still is a finite number after resampling in single precision
UNKNOWN = 2**31 - 2**16  # bytes; a length from here on says nothing
SHORTEST, LONGEST = 0.1, 10.0  # seconds of a window that follows the files
BRIEF = 0.01  # seconds in which nothing can be heard
CANCELLED = 0.01  # of the channels' energy that their mean keeps where they are out of phase
FLAT, CLIPPED = 5, 1e-3  # equal samples in a row at the maximum, and the share that is clipping
COMPRESSED = (
    b"ID3",
    b"\xff\xfb",
    b"\xff\xf3",
    b"\xff\xf1",
    b"fLaC",
    b"OggS",
    b"FORM",
    b"\x1aE\xdf",
)


@dataclass(frozen=True)
class Clip:
    """Facts about a recording.

    seconds, rate, channels: of the file.
    onset: the second at which the first sample stands that is not silence; infinity if none does.
    peak: the largest absolute sample, 1 at most in a file of integers.
    flags: what is odd about it: "brief", "silent", "clipped", "out of phase", "too loud".
    """

    file: Path
    seconds: float
    rate: int
    channels: int
    onset: float
    peak: float
    flags: frozenset[str]


def examine(file: Path) -> Clip:
    """Read a WAV file to its end."""
    sound, rate = decode(file)
    samples, seconds = mono(sound), len(sound) / rate
    loud = np.flatnonzero(np.abs(samples - samples[0]) > 0.01 * np.ptp(samples))
    peak = float(np.abs(sound).max())
    flags = {
        "brief": seconds < BRIEF,
        "silent": np.ptp(sound) == 0,
        "clipped": peak >= 0.99 and _clipped(sound, peak),
        "out of phase": _cancel(sound),
        "too loud": peak > 1,
    }
    onset = float(loud[0]) / rate if len(loud) else math.inf
    found = frozenset(name for name, value in flags.items() if value)
    return Clip(file, seconds, rate, sound.shape[1], onset, peak, found)


def window(clips: list[Clip]) -> float:
    """Return the length in seconds that all clips get: the longest's, up to a limit."""
    longest = max(clip.seconds for clip in clips)
    return min(max(math.ceil(longest * 100) / 100, SHORTEST), LONGEST)


def findings(clips: list[Clip], rate: int, seconds: float) -> list[Finding]:
    """Describe the clips, and what is done to make them one length, rate and channel."""
    if all("silent" in clip.flags for clip in clips):
        raise RecipeError(
            f"{clips[0].file.parents[1]} must hold sound. Received: {len(clips)} silent files."
        )
    lengths = [clip.seconds for clip in clips]
    low, high = min(lengths), max(lengths)
    padded = sum(round(clip.seconds * rate) < round(seconds * rate) for clip in clips)
    text = f"{_seconds(low)} to {_seconds(high)}" if high > low else _seconds(high)
    text += f"; {padded} of {len(clips)} files are padded with silence" if padded else ""
    found = [Finding("length", f"{text} to {_seconds(seconds)}" if padded else text)]
    cut = [clip for clip in clips if round(clip.seconds * rate) > round(seconds * rate)]
    if cut:
        whole = math.ceil(high * 100) / 100
        text = f"{_some(cut)} cut to {_seconds(seconds)}; --seconds {whole:g} keeps all of them"
        found.append(Finding("cut", text, warning=True))
    late = [clip for clip in cut if seconds <= clip.onset < math.inf]
    if late:
        text = f"{_some(late)} silent once cut: their sound begins after {_seconds(seconds)}"
        found.append(Finding("lost", text, warning=True))
    rates = collections.Counter(clip.rate for clip in clips)
    if set(rates) != {rate}:
        each = ", ".join(f"{n} of {r:,} Hz" for r, n in rates.most_common(5))
        found.append(Finding("rate", f"{each}; resampled to {rate:,} Hz"))
    several = sum(clip.channels > 1 for clip in clips)
    if several:
        found.append(Finding("channels", f"{several} of {len(clips)} files have several; averaged"))
    for flag, text in (
        ("brief", f"shorter than {_seconds(BRIEF)}"),
        ("silent", "silent throughout"),
        ("clipped", "clipped: many samples lie at the maximum"),
        ("out of phase", "with channels that cancel each other out: the loudest one is used"),
        ("too loud", f"with samples beyond 1, up to {max(clip.peak for clip in clips):.4g}"),
    ):
        odd = [clip for clip in clips if flag in clip.flags]
        if odd:
            found.append(Finding(flag, f"{_some(odd)} {text}", warning=True))
    return found


def note(clip: Clip, seconds: float) -> dict[str, str]:
    """Return what a prediction for a clip should mention, under "note"."""
    notes = []
    if clip.seconds > seconds + 0.5 / clip.rate:
        notes.append(
            f"cut from {_seconds(clip.seconds)} to {_seconds(seconds)}, as long as in training"
        )
    if "silent" in clip.flags or clip.onset >= seconds:
        notes.append("silent")
    return {"note": "; ".join(notes)} if notes else {}


def _seconds(seconds: float) -> str:
    return f"{seconds:.4g} s"


def _some(clips: list[Clip]) -> str:
    names = listed(("/".join(clip.file.parts[-2:]) for clip in clips), 3)
    return f"{len(clips)} file{'s' if len(clips) > 1 else ''} ({names})"


def _cancel(sound: np.ndarray) -> bool:
    """Return whether averaging the channels leaves next to nothing of them."""
    energy = np.mean(np.square(sound))
    return bool(np.mean(np.square(sound.mean(axis=1))) < CANCELLED * energy)


def _clipped(sound: np.ndarray, peak: float) -> bool:
    """Return whether many samples lie at the maximum, several in a row."""
    if len(sound) < FLAT:
        return False
    full = np.abs(sound) == peak
    rows = np.lib.stride_tricks.sliding_window_view(full, FLAT, axis=0).all(axis=-1)
    return bool(rows.mean() > CLIPPED)


def read(file: Path) -> tuple[np.ndarray, int]:
    """Read a WAV file's samples, -1 to 1, as one channel, and its rate."""
    sound, rate = decode(file)
    return mono(sound), rate


def mono(sound: np.ndarray) -> np.ndarray:
    """Return the mean of the channels; where they cancel each other out, the loudest one."""
    if _cancel(sound):
        return sound[:, np.square(sound).sum(axis=0).argmax()]
    return sound.mean(axis=1)


def decode(file: Path) -> tuple[np.ndarray, int]:
    """Read a WAV file's samples (samples, channels), -1 to 1, and its rate."""
    wavfile = need("scipy.io.wavfile", "scipy")
    try:
        raw = file.read_bytes()
        # chunks that hold no sound, such as tags; for good, as threads share these filters
        warnings.simplefilter("ignore", wavfile.WavFileWarning)
        rate, samples = wavfile.read(_Whole(raw))
    except Exception as e:  # SciPy computes with what a damaged header says
        told = isinstance(e, OSError | ValueError | EOFError)
        compressed = told and ("Unknown wave file format" in str(e) or _compressed(raw))
        raise RecipeError(
            f"{file} must be a WAV file (PCM or float). "
            f"Received: {str(e).rstrip('.') if told else 'a damaged header'}. "
            f"{_conversion(file) if compressed else 'Repair or remove it.'}"
        ) from e
    if not samples.size:
        raise RecipeError(f"{file} must hold sound. Received: 0 samples. Remove it.")
    if not RATES[0] <= rate <= RATES[1]:  # resampling what a broken header says takes for ever
        raise RecipeError(
            f"{file} must have {RATES[0]} to {RATES[1]} samples per second. Received: {rate}. "
            "Repair or remove it."
        )
    if samples.dtype == np.uint8:
        samples = (samples - 128.0) / 128
    elif samples.dtype.kind == "i":
        samples = samples / -float(np.iinfo(samples.dtype).min)
    if not (np.abs(samples) <= LOUDEST).all():
        raise RecipeError(
            f"{file} must hold finite samples. Received: NaN, infinity or numbers beyond "
            f"{LOUDEST:g}. Repair or remove it."
        )
    return samples.reshape(len(samples), -1).astype("float64", copy=False), rate


def _compressed(raw: bytes) -> bool:
    """Return whether a file begins like sound of another format."""
    return raw.startswith(COMPRESSED) or raw[4:8] == b"ftyp"


def _conversion(file: Path) -> str:
    """Advise commands that can be pasted, and leave a file of the same name."""
    source, beside = (shlex.quote(str(path)) for path in (file, file.with_suffix(".pcm.wav")))
    return (
        f"Convert it with: ffmpeg -i {source} -ar 16000 -ac 1 -c:a pcm_s16le {beside} "
        f"&& mv {beside} {source}"
    )


class _Whole(io.BytesIO):
    """A file's bytes. Where fewer are left than are asked for, that is an error, not the end.

    A program that writes while it records does not know the length yet, and says the largest.
    """

    def read(self, size: int = -1) -> bytes:
        found = super().read(size)
        if 0 < len(found) < size < UNKNOWN:
            raise EOFError(f"it ends {size - len(found)} bytes early")
        return found
