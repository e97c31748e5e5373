"""What stands in a chart once it is drawn."""

import re
from typing import Any
from xml.etree import ElementTree

import vl_convert

from charthouse.views.figures import style


def svg_of(chart: Any) -> ElementTree.Element:
    """The picture as SVG."""
    return ElementTree.fromstring(vl_convert.vegalite_to_svg(style.spec(chart)))


def words_of(chart: Any) -> str:
    """Everything that is written in it, from the first mark to the last."""
    texts = svg_of(chart).iter("{http://www.w3.org/2000/svg}text")
    return "\n".join("\n".join(text.itertext()) for text in texts)


def points_of(chart: Any) -> list[dict[str, str]]:
    """Its points: attributes of each, `d` among them."""
    paths = svg_of(chart).iter("{http://www.w3.org/2000/svg}path")
    return [path.attrib for path in paths if path.get("aria-roledescription") == "point"]


def is_cross(point: dict[str, str]) -> bool:
    """Two lines, where all other points are closed."""
    return not re.search("[AZ]", point["d"])
