"""The documentation site: `make docs` builds it and fails on any warning."""

from hammingway import __version__

project = "Hammingway"
author = "the Hammingway developers"
copyright = "the Hammingway developers, Apache-2.0"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings state shape, dtype and unit, which the annotations cannot
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # autodoc lists them already
numpydoc_class_members_toctree = False

html_theme = "furo"
html_title = f"Hammingway {version}"
