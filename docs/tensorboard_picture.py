"""Take the pictures of TensorBoard: `python docs/tensorboard_picture.py LOGDIR TAB [TAB ...]`.

Each tab becomes docs/images/tensorboard_<tab>.png. Needs Chromium on the PATH. Pictures show LOGDIR
as it is given, so give a relative path. Those in the docs come from an `image_cnn` run with
`--trials 8 --watch` (all tabs but `projector`) and from an `embedding_triplet` run (`projector`).
"""

import io
import sys
from pathlib import Path

import tensorboard_tabs
from PIL import Image

FOLDER = Path(__file__).parent / "images"
COLORS = 128  # a palette makes files a third of their size
# The settings of each tab, as its address has them, and the size of the window.
TABS = {
    "scalars": ({"tagFilter": "^learning_rate|conv2d_1$", "regexInput": "^training"}, 1440, 990),
    "images": ({"tagFilter": ".", "regexInput": "^test$"}, 1110, 1060),
    "hparams": ({}, 1560, 480),
    "graphs": ({}, 680, 1000),
    "distributions": ({"tagFilter": "kernel", "regexInput": "^training"}, 1440, 920),
    "pr_curves": ({"regexInput": "^(test|training)"}, 1440, 640),
    "projector": ({}, 1440, 900),
}


def settled(page) -> bytes:
    """Take a picture of the page once nothing moves for a second, or after ten seconds."""
    page.wait_for_load_state("networkidle")
    now = page.screenshot()
    for _ in range(10):
        page.wait_for_timeout(1000)
        before, now = now, page.screenshot()
        if now == before:
            break
    return now


def main(log_dir: str, *tabs: str) -> int:
    """Open each tab, take its picture and print its size."""
    if tensorboard_tabs.chromium() is None:
        sys.exit("There is no `chromium` on the PATH. Install it, for instance from Debian.")
    with tensorboard_tabs.board(log_dir) as board:
        for tab in tabs:
            settings, width, height = TABS[tab]
            board.page.set_viewport_size({"width": width, "height": height})
            board.open(tab, **settings)
            out = FOLDER / f"tensorboard_{tab}.png"
            picture = Image.open(io.BytesIO(settled(board.page))).convert("RGB")
            picture.quantize(COLORS).save(out, optimize=True)
            print(f"{out.name}: {out.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
