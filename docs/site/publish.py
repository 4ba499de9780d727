"""Put the built site beside its older versions: `python -m docs.site.publish FOLDER`.

FOLDER is what a static host serves. It gets a folder for this version, and each version gets the
list of all for its header. `index.html` of FOLDER leads to the newest.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from packaging.version import Version

import kcatalog
from docs.site import build

LIST = Path("_static") / "versions.js"
FRONT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>kcatalog</title>
<meta http-equiv="refresh" content="0; url={0}/index.html"></head>
<body><a href="{0}/index.html">kcatalog {0}</a></body></html>
"""


def publish(html: Path, folder: Path, version: str) -> list[str]:
    """Copy a site to its version's folder, and return all versions, the newest first."""
    shutil.rmtree(folder / version, ignore_errors=True)
    shutil.copytree(html, folder / version)
    found = [place.parents[1].name for place in folder.glob(f"*/{LIST.as_posix()}")]
    versions = sorted(found, key=Version, reverse=True)
    for each in versions:
        text = f"const VERSIONS = {json.dumps(versions)};\n"
        (folder / each / LIST).write_text(text, encoding="utf-8")
    (folder / "index.html").write_text(FRONT.format(versions[0]), encoding="utf-8")
    return versions


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Name the folder that the host serves: python -m docs.site.publish FOLDER")
    print(*publish(build.BUILT / "html", Path(sys.argv[1]), kcatalog.__version__))
