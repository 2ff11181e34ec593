"""The documentation site: `make docs` builds it and fails on any warning."""

from hammingway import __version__

project = "Hammingway"
author = "the Hammingway developers"
copyright = "the Hammingway developers, Apache-2.0"  # noqa: A001 (Sphinx's name)
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings state shape, dtype and unit, which the annotations cannot
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_param = False  # our argument lines are sentences; Sphinx would link single words of them
napoleon_use_rtype = False
suppress_warnings = ["ref.python"]  # the same for the types of attributes, which have no such switch

html_theme = "furo"
html_title = f"Hammingway {version}"
