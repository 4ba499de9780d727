"""Takes a picture of a TensorBoard page: `python docs/tensorboard_picture.py LOGDIR OUT.png [TAB]`.

Starts TensorBoard on a free port of this machine, opens the page in headless Chromium
(`chromium` on the PATH) and saves what it draws. TAB is `timeseries`, `scalars`, `images`,
`hparams`, ...
"""

import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

from tensorboard import program


def main(log_dir: str, picture: str, tab: str = "timeseries") -> int:
    """Serve the logs, take the picture, say where it is."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("There is no `chromium` on the PATH. Install it, for instance from Debian.")
    board = program.TensorBoard()
    board.configure(logdir=log_dir, port=0, host="127.0.0.1", load_fast="false")
    url = board.launch()
    urllib.request.urlopen(url).read()  # noqa: S310 - our own server
    out = Path(picture).resolve()
    command = [
        chromium,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--window-size=1440,1000",
        "--virtual-time-budget=30000",
        f"--screenshot={out}",
        f"{url}#{tab}",
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=180)
    print(f"{out.name}: {out.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
