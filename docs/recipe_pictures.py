"""Train the recipes and take their pictures: `python docs/recipe_pictures.py [RECIPE ...]`.

Each recipe is trained with its default hyperparameters on its default data, scored, exported and
served in build/recipes; one that was exported there is only served. docs/images/recipes then holds
`RECIPE.png`, a picture that the recipe shows in TensorBoard, and `RECIPE_served.png`, the page at
which `serve` offers the model, with the answer to a sample of the test split. Needs Chromium on the
PATH.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import tensorboard_tabs
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "images" / "recipes"
WORK = ROOT / "build" / "recipes"
ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
WIDTH, HEIGHT, COLORS = 900, 620, 64
# What TensorBoard shows of the test split, the most telling first.
PICTURES = (
    "masks", "forecasts", "attention", "sample predictions", "predicted and true",
    "confusion matrix", "confusion of tags", "calibration",
)  # fmt: skip
# What is sent to a model of text.
TEXTS = {
    "sequence_tagger": "def area ( width , height ) : return width * height",
    "text_classifier": "Return the number of items in the list.",
    "text_gru": "It is a truth universally ",
    "translate_gru": "27 January 2031",
}


def train(name: str) -> None:
    """Train, score and export a recipe, unless it was."""
    if (WORK / "saved_models" / name / "1").is_dir():
        return
    for command in ("train", "evaluate", "export"):
        options = [command, "--run-dir", str(WORK / "runs" / name / "1")]
        subprocess.run([*python(name), *options], cwd=WORK, check=True, env=ENVIRONMENT)


def python(name: str) -> list[str]:
    return [sys.executable, "-u", str(ROOT / "recipes" / f"{name}.py")]


def shown(name: str) -> Image.Image | None:
    """Return the picture of the test split that stands first in `PICTURES`."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util.tensor_util import make_ndarray

    found = {}
    for file in sorted((WORK / "runs" / name / "1" / "logs" / "test").rglob("events*")):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "images":
                    found[value.tag] = make_ndarray(value.tensor)[2]
    print(name, "has", *found)
    best = next((tag for tag in PICTURES if tag in found), None)
    return None if best is None else Image.open(io.BytesIO(found[best]))


def sample(name: str) -> Path:
    """Write a sample of the test split as a file that the served page takes."""
    run_dir = WORK / "runs" / name / "1"
    data = json.loads((run_dir / "record.json").read_text())["data"]
    request, kind = np.load(run_dir / "samples.npz")["request"], data["input_name"]
    file = WORK / f"{name}.csv"
    if kind == "image":
        file = file.with_suffix(".png")
        Image.fromarray(request[0].squeeze()).save(file)
    elif kind == "frames":
        np.savetxt(file, request[0][request[0].any(axis=-1)], delimiter=",", fmt="%.5g")
    else:
        names = [column["name"] for column in data["columns"]] if kind == "row" else ["value"]
        rows = request[:3] if kind == "row" else request[0][:, None]
        with file.open("w", newline="") as out:
            csv.writer(out).writerows([names, *rows.tolist()])
    return file


def served(name: str) -> Image.Image:
    """Return a picture of the served page, with an answer."""
    from playwright import sync_api

    command = [*python(name), "serve", "--port", "0"]
    server = subprocess.Popen(command, cwd=WORK, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    try:
        lines = iter(server.stdout.readline, "")
        url = next(found[0] for line in lines if (found := re.search(r"http://[\d.:]+", line)))
        with sync_api.sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=tensorboard_tabs.chromium(), args=["--no-sandbox"]
            )
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto(url)
            if name in TEXTS:
                page.fill("#text", TEXTS[name])
            else:
                page.set_input_files("#file", sample(name))
            page.get_by_role("button", name="Predict").click()
            page.locator("#details").wait_for(timeout=120_000)
            picture = page.screenshot()
            browser.close()
    finally:
        server.terminate()
        server.wait()
    return Image.open(io.BytesIO(picture))


def save(picture: Image.Image, file: Path) -> None:
    """Save a picture with a palette, which makes its file a third of the size."""
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.convert("RGB").quantize(COLORS).save(file, optimize=True)
    print(f"{file.name}: {file.stat().st_size} bytes", flush=True)


def main(*names: str) -> int:
    """Train, and take the pictures."""
    if tensorboard_tabs.chromium() is None:
        sys.exit("There is no `chromium` on the PATH. Install it, for instance from Debian.")
    WORK.mkdir(parents=True, exist_ok=True)
    for name in names or sorted(f.stem for f in (ROOT / "recipes").glob("*.py")):
        train(name)
        picture = shown(name)
        if picture is not None:
            save(picture, FOLDER / f"{name}.png")
        save(served(name), FOLDER / f"{name}_served.png")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
