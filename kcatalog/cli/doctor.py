"""`kcatalog doctor`."""

from __future__ import annotations

from kcatalog.cli.terminal import app, console


@app.command()
def doctor():
    """Show versions, devices, and what GPU, TPU or export lack."""
    from kcatalog.doctor import report

    report(console)
