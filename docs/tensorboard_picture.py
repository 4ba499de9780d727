"""Takes pictures of TensorBoard: `python docs/tensorboard_picture.py LOGDIR FOLDER TAB [TAB ...]`.

Each tab becomes `FOLDER/tensorboard_<tab>.png`, as headless Chromium on the PATH draws it.
A tab may come with settings as its address has them: `scalars&tagFilter=learning_rate`.
"""

import io
import sys
from pathlib import Path

import tensorboard_tabs
from PIL import Image

COLORS = 128  # a palette makes files a third of their size


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


def main(log_dir: str, folder: str, *tabs: str) -> int:
    """Open each tab, take its picture, say where it is."""
    if tensorboard_tabs.chromium() is None:
        sys.exit("There is no `chromium` on the PATH. Install it, for instance from Debian.")
    with tensorboard_tabs.board(log_dir) as board:
        for asked in tabs:
            tab, *settings = asked.split("&")
            board.open(tab, **dict(setting.split("=", 1) for setting in settings))
            out = Path(folder) / f"tensorboard_{tab}.png"
            picture = Image.open(io.BytesIO(settled(board.page))).convert("RGB")
            picture.quantize(COLORS).save(out, optimize=True)
            print(f"{out.name}: {out.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
