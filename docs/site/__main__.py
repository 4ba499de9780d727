"""Build the site: `python -m docs.site`."""

import sys

from docs.site import build

sys.exit(build.main())
