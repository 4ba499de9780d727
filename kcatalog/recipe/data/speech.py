"""Speech: vowels of nine speakers without a network, or a folder of WAV files per class."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kcatalog.recipe.data import folders, recordings, scan
from kcatalog.recipe.data.base import Data, Source, need, split
from kcatalog.recipe.data.files import Files, Shelf, checked
from kcatalog.recipe.data.info import DataInfo, Details
from kcatalog.recipe.data.option import option, with_options
from kcatalog.recipe.data.recordings import RATES
from kcatalog.recipe.terminal.errors import RecipeError

JAPANESE_VOWELS = Path(__file__).parent / "sets" / "japanese_vowels.npz"
DECODING = 2  # of `waveform`, counted up when its samples change
SOUND = scan.Kind(
    "sound",
    (".wav", ".wave"),
    re.compile(b"(RIFF|RIFX).{4}WAVE", re.DOTALL),
    dict.fromkeys(
        (
            *(".mp3", ".m4a", ".mp4", ".aac", ".flac", ".ogg", ".oga", ".opus", ".wma"),
            *(".aiff", ".aif", ".amr", ".webm", ".caf", ".au"),
        ),
        "Convert them with FFmpeg: "
        "find {folder} -iname '*{suffix}' -exec ffmpeg -nostdin -i {{}} {{}}.wav \\;",
    ),
)


@dataclass(frozen=True)
class SpeechDetails(Details):
    """Facts about sound.

    rate: samples per second of a waveform.
    """

    rate: int | None = None


@with_options
class Speech(Source):
    """Utterances: "frames" (steps, coefficients) padded with zeros, or a "waveform" (samples,).

    WAV files are resampled, and cut or padded with silence to the length of the longest, up to 10
    seconds, where `seconds` is None.
    """

    wanted = "a folder with one subfolder of WAV files per class"
    Details = SpeechDetails

    default: str = "japanese_vowels"
    rate: int = option(
        16_000,
        "Samples per second of your WAV files.",
        min=RATES[0],
        max=RATES[1],
        metavar="HZ",
        files="waveform",
    )
    seconds: float | None = option(
        None, "Length of WAV files. [default: the longest's]", min=0.01, files="waveform"
    )

    def sets(self):
        return {"japanese_vowels": self._japanese_vowels}

    def from_path(self, path: Path, seed: int) -> Data:
        folder = folders.by_class(path, SOUND)
        clips = checked(recordings.examine, folder.files)
        seconds = self.seconds or recordings.window(clips)
        how = {"rate": self.rate, "length": round(self.rate * seconds)}
        shelf = Shelf(folder.files, waveform, (how["length"],), "float32", how, DECODING)
        return Data(
            path.resolve().name,
            "classification",
            "waveform",
            **folder.split(Files(shelf), seed),
            classes=folder.classes,
            picture=picture,
            details=SpeechDetails(self.rate),
            findings=(*folder.findings, *recordings.findings(clips, self.rate, seconds)),
            settings={"seconds": seconds},
        )

    def kind(self, info: DataInfo):
        return SOUND if len(info.input_shape) == 1 else super().kind(info)

    def read(self, paths: list[Path], info: DataInfo) -> np.ndarray:
        """WAV files; where the model was trained on frames, CSV files with a frame per line."""
        if len(info.input_shape) == 1:
            rate, (length,) = info.details.rate or self.rate, info.input_shape
            return np.stack([waveform(Path(path), rate, length) for path in paths])
        return pad([read_frames(Path(path), info.input_shape[-1]) for path in paths])

    def notes(self, paths: list[Path], info: DataInfo) -> list[dict[Any, Any]]:
        """Note which files are longer than what the model was trained on, and which are silent."""
        if len(info.input_shape) > 1:
            return super().notes(paths, info)
        seconds = info.input_shape[0] / (info.details.rate or self.rate)
        return [recordings.note(recordings.examine(Path(path)), seconds) for path in paths]

    def _japanese_vowels(self, seed: int) -> Data:
        """Nine speakers say /ae/: 12 cepstral coefficients, 7 to 29 frames; official test part."""
        with np.load(JAPANESE_VOWELS) as arrays:
            ends = np.cumsum(arrays["lengths"])
            frames = pad(np.split(arrays["frames"], ends[:-1]))
            labels = arrays["speakers"].astype("int32")
        return Data(
            "japanese_vowels",
            "classification",
            "frames",
            **split(frames[:270], labels[:270], seed, test=(frames[270:], labels[270:])),
            classes=tuple(f"speaker {n}" for n in range(1, 10)),
            picture=picture,
        )


def waveform(file: Path, rate: int, length: int) -> np.ndarray:
    """Read a WAV file as one channel at this rate, cut or padded to this length."""
    samples, its_rate = recordings.read(file)
    if its_rate != rate:
        samples = samples[: math.ceil((length / rate + 1) * its_rate)]  # 1 s: the filter's reach
        divisor = math.gcd(its_rate, rate)
        resample = need("scipy.signal", "scipy").resample_poly
        samples = resample(samples, rate // divisor, its_rate // divisor)
    samples = samples[:length].astype("float32")
    return np.pad(samples, (0, length - len(samples)))


def read_frames(file: Path, coefficients: int) -> np.ndarray:
    """Read a CSV file, a frame per line, as (frames, coefficients)."""
    try:
        frames = np.loadtxt(file, delimiter=",", dtype="float32", ndmin=2)
    except (OSError, ValueError) as e:
        raise RecipeError(
            f"{file} must be a CSV file of numbers, a frame per line. Received: {e}."
        ) from e
    if frames.shape[1] != coefficients or not np.isfinite(frames).all():
        raise RecipeError(
            f"{file} must hold {coefficients} finite numbers per line. "
            f"Received: {frames.shape[1]} per line{'' if np.isfinite(frames).all() else ', NaN'}."
        )
    return frames


def pad(utterances: list[np.ndarray]) -> np.ndarray:
    """Utterances of different length as one array, zero frames behind the shorter ones.

    >>> pad([np.ones((1, 1)), np.ones((2, 1))])[..., 0].tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    steps = max(len(u) for u in utterances)
    return np.stack([np.pad(u, ((0, steps - len(u)), (0, 0))) for u in utterances])


def picture(x: np.ndarray) -> np.ndarray:
    """Frames, or a waveform's spectrogram, as a grey (H, W, 3) image; time runs rightwards."""
    if x.ndim == 1:
        pieces = x[: len(x) // 256 * 256].reshape(-1, 256) * np.hanning(256)
        x = np.log(1e-6 + np.abs(np.fft.rfft(pieces)))[:, ::-1]
    low, high = x.min(), x.max()
    grey = np.rint((x - low) * (255 / max(high - low, 1e-9))).astype("uint8").T
    scale = max(1, 64 // grey.shape[0])
    grey = np.repeat(np.repeat(grey, scale, 0), scale, 1)
    return np.repeat(grey[..., None], 3, axis=2)
