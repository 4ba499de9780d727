"""Sphinx's settings. Nothing on a page is loaded from another host, so it works offline."""

import kcatalog
from docs.site import tables

project = "kcatalog"
author = "The kcatalog developers"
version = release = kcatalog.__version__
extensions = ["myst_parser", "sphinx_design"]
source_suffix = {".md": "markdown"}
highlight_language = "text"
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

html_theme = "pydata_sphinx_theme"
html_title = f"kcatalog {version}"
templates_path = ["templates"]
html_static_path = ["static"]
html_use_index = False
html_css_files = ["site.css"]
html_js_files = ["find.js", "versions.js", "switch.js", "enlarge.js"]
html_copy_source = html_show_sourcelink = False
html_show_copyright = False
html_last_updated_fmt = None
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": f"kcatalog {version}"},
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "show_nav_level": 1,
    "navigation_depth": 2,
    "navbar_end": ["versions", "theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": [],
    "footer_end": [],
    "show_prev_next": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def setup(app):
    app.connect("doctree-resolved", tables.mark_cells)
