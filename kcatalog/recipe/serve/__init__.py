"""`serve`: try an export out over HTTP, on this machine only.

app        the endpoints
requests   request bodies, read as the model's input
page       the page at `/`
"""

from __future__ import annotations

import socket

from kcatalog.recipe.export import loading
from kcatalog.recipe.terminal import output
from kcatalog.recipe.terminal.errors import RecipeError

HOST = "127.0.0.1"  # reachable from this machine only, because there is no password


def serve(recipe, port: int, version: int | None = None):
    """Serve an exported version until Ctrl-C or SIGTERM.

    Args:
        recipe: the recipe whose export is served.
        port: a port of the loopback interface; 0 takes a free one.
        version: the version to serve; the newest by default.
    """
    try:
        import uvicorn  # noqa: F401

        from kcatalog.recipe.serve import app, page
    except ImportError as e:
        raise RecipeError(
            f"`serve` needs the package {e.name}, which is not installed. "
            'Install it with: pip install "kcatalog[serve]"'
        ) from e
    exported = loading.find(recipe, version)
    console = output.console()
    try:
        with listen(port) as listening:
            url = f"http://{HOST}:{listening.getsockname()[1]}"
            console.print(
                f"Serving {exported.folder} at {url} (Ctrl+C stops it). Try it with:\n"
                f"{page.curl(exported.info.input_name, url)}",
            )
            app.server(exported, url).run(sockets=[listening])
    except KeyboardInterrupt:  # uvicorn shuts down in order and then raises the signal again
        console.print("Stopped.")


def listen(port: int) -> socket.socket:
    """Return a socket that listens on a port of the loopback interface."""
    try:
        listening = socket.create_server((HOST, port))
    except OSError as e:
        raise RecipeError(f"Port {port} cannot be used ({e.strerror}). Try --port 0.") from e
    # asyncio sets this only on sockets that it made itself. Without it, each answer's body waits
    # about 40 ms until the client has acknowledged the headers.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
