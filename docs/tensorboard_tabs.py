"""TensorBoard in a headless browser: opens a tab, and waits until it is drawn."""

from __future__ import annotations

import contextlib
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

PATIENCE = 60_000  # milliseconds; a busy machine draws slowly
SWITCHES = (
    "--no-sandbox",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--use-angle=swiftshader",  # WebGL without a graphics card, for the projector
    "--enable-unsafe-swiftshader",
)
# What stands on a tab once it is drawn.
DRAWN = {
    "scalars": "tf-scalar-card path.line",
    "images": "tf-image-loader img",
    "graphs": "tf-graph-scene g.node text",
    "hparams": "tf-hparams-table-view vaadin-grid-cell-content",
    "projector": "#total-variance:has-text('%')",
    "pr_curves": "tf-pr-curve-card path.line",
    "distributions": "tf-distribution-loader path.area",
    "histograms": "tf-histogram-loader path.line",
    "text": "tf-text-loader table",
}


@dataclass
class Board:
    """A TensorBoard at `url`, a page to look at it, and what the browser complained of."""

    url: str
    page: object
    complaints: list[str] = field(default_factory=list)

    def open(self, tab: str, **settings: str):
        """Open a tab, with settings as its address has them, and wait until it is drawn.

        Returns what to search for elements: the page, or for the projector, the frame it is in.
        """
        self.page.goto("about:blank")  # else a tab that is open would not read its settings anew
        asked = "".join(f"&{name}={quote(value, safe='')}" for name, value in settings.items())
        self.page.goto(f"{self.url}#{tab}{asked}")
        place = self.page
        if tab == "projector":  # in a frame within a frame
            place = place.frame_locator("iframe").frame_locator("iframe")
        place.locator(DRAWN[tab]).first.wait_for(state="attached")
        return place


def chromium() -> str | None:
    """Return the path of Chromium, if it is on the PATH."""
    return shutil.which("chromium") or shutil.which("google-chrome")


@contextlib.contextmanager
def board(log_dir: str | Path, width: int = 1440, height: int = 1000) -> Iterator[Board]:
    """TensorBoard on these logs, in a thread of this process, and a browser that opens it.

    The browser reaches this machine alone. Errors of its scripts and requests are kept.
    """
    from playwright import sync_api

    with serve(log_dir) as url, sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=SWITCHES)
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(PATIENCE)
            page.route(lambda asked: not asked.startswith(url), lambda route: route.abort())
            shown = Board(url, page)
            _listen(shown)
            yield shown
        finally:
            browser.close()


@contextlib.contextmanager
def serve(log_dir: str | Path) -> Iterator[str]:
    """TensorBoard on these logs, in a thread that ends with the block; yields its address.

    The logs are read once, before the address is there. TensorBoard's thread that reads them again
    would outlive the block, and a process that ends while TensorFlow reads for it is aborted:
    "terminate called ... FATAL: exception not rethrown".
    """
    with warnings.catch_warnings():  # packages that TensorBoard brings along are deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        from tensorboard import program

        servers = []

        def make(app, flags):
            servers.append(program.WerkzeugServer(app, flags))
            return servers[0]

        board = program.TensorBoard(server_class=make)
        settings = {"load_fast": "false", "reload_task": "blocking", "reload_interval": 0}
        board.configure(logdir=str(log_dir), port=0, host="127.0.0.1", **settings)
        url = board.launch()
    try:
        yield url
    finally:
        servers[0].shutdown()
        servers[0].server_close()


def _listen(shown: Board) -> None:
    """Keep what goes wrong on TensorBoard's own pages."""

    def keep(sentence: str, source: str) -> None:
        if source.startswith(shown.url):
            shown.complaints.append(sentence)

    def message(said) -> None:
        if said.type == "error":
            keep(said.text, said.location["url"])

    def failed(request) -> None:
        if request.failure != "net::ERR_ABORTED":  # by the page itself, when it is left
            keep(f"{request.failure}: {request.url}", request.url)

    def answered(response) -> None:
        if response.status >= 400:
            keep(f"{response.status}: {response.url}", response.url)

    shown.page.on("console", message)
    shown.page.on("pageerror", lambda error: shown.complaints.append(str(error)))
    shown.page.on("requestfailed", failed)
    shown.page.on("response", answered)
