"""`serve`: an exported model behind HTTP on this machine, to try it out.

limits       what a request may cost
connection   one connection: slow, broken and too many clients
guard        what every request must pass: its sender, its size
app          the paths
instances, files   JSON and files to the model's input
model, worker      the exported model, one request at a time
answers, metadata, page   what clients get to see
"""

from __future__ import annotations

import socket

from kcatalog.recipe.export import loading
from kcatalog.recipe.serve.limits import Limits
from kcatalog.recipe.terminal import output
from kcatalog.recipe.terminal.errors import RecipeError

HOST = "127.0.0.1"  # nobody else's: what is served here has no password


def serve(recipe, port: int, version: int | None = None, limits: Limits | None = None):
    """Serve an exported version until Ctrl-C or SIGTERM.

    Args:
        recipe: whose export.
        port: on the loopback interface; 0 takes a free one.
        version: the newest by default.
        limits: what a request may cost.
    """
    limits = limits or Limits()
    try:
        import uvicorn

        from kcatalog.recipe.serve import app, connection, model, page
    except ImportError as e:
        raise RecipeError(
            f"This needs the package {e.name}, which is not installed. "
            'Install it with: pip install "kcatalog[serve]"'
        ) from e
    exported = loading.find(recipe, version)
    console = output.console()
    try:
        with _listening(port) as listening:
            url = f"http://{HOST}:{listening.getsockname()[1]}"
            config = uvicorn.Config(
                app.app(model.Model(exported, limits), limits, url),
                http=connection.protocol(limits),
                ws="none",
                loop="asyncio",
                lifespan="on",
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                headers=[("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store")],
                h11_max_incomplete_event_size=limits.head,
                timeout_keep_alive=limits.idle_seconds,
                timeout_graceful_shutdown=5,
            )
            console.print(
                f"Serving {exported.folder} at {url} (Ctrl+C ends it). Try it with:\n"
                f"{page.curl(exported.facts['input_name'], url)}",
            )
            uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:  # uvicorn ends in order, and then hands the signal on
        console.print("Stopped.")


def _listening(port: int) -> socket.socket:
    try:
        listening = socket.create_server((HOST, port))
    except OSError as e:
        raise RecipeError(
            f"--port must be free. Received: {port} ({e.strerror}). Give another one, or 0."
        ) from e
    # Headers and body are written one after the other; the body must not wait for the client's
    # acknowledgement of the headers, 40 ms. asyncio sees to it only where it made the socket.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
