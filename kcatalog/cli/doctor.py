"""`kcatalog doctor`."""

from __future__ import annotations

from kcatalog.cli.terminal import app, console


@app.command()
def doctor():
    """Show versions and devices, and what is missing for GPU, TPU and export."""
    from kcatalog.doctor import report

    report(console)
