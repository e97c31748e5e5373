"""The site of the pages: `make site`. Its root is the clone, so that all pages may link to each other."""

project = "Charthouse"
author = "The authors of Charthouse"
project_copyright = ""

extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["docs/**.md", "benchmarks/README.md", "*.md"]
# the other folders of the clone are not even walked through
exclude_patterns = [".*", "data", "logs", "macros", "models", "profiles", "python", "seeds",
                    "site", "target", "tests", "build", "dist"]  # fmt: skip

myst_heading_anchors = 4  # headings are link targets, under the names that GitHub gives them
# SQL of dbt has Jinja in it, and a row of a csv has no lexer: shown without colours
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = "Charthouse"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
templates_path = ["_templates"]
html_additional_pages = {"index": "forward.html"}
