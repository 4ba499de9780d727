"""Draw the plots of the parts: `python -m docs.site.plots`. They come to build/site/plots."""

import sys

from docs.site.plots import draw

sys.exit(draw.main())
