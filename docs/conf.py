"""Settings of the manual; ``make docs`` builds it without network and without Keras."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "bohb-seg"
author = "the bohb-seg authors"
copyright = "2026, the bohb-seg authors"
version = release = version_of("bohb-seg")

extensions = ["extension", "myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
smartquotes = False
root_doc = "index"
exclude_patterns = ["extension"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autodoc_mock_imports = ["keras", "tensorflow", "jax", "cv2", "patchify"]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True  # or the environment of this machine would be in the manual
autodoc_typehints = "description"
# Of Python, modules alone are looked up: classes of other projects would need their indexes from
# the network, and types within ours are not all public.
nitpick_ignore_regex = [(r"py:(?!mod).*", r".*")]

html_math_renderer = "mathml"
html_theme = "furo"
html_title = f"bohb-seg {version}"
html_static_path = ["_static"]
html_css_files = ["manual.css"]
html_copy_source = False
html_show_sphinx = False
