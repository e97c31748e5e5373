"""."""
from charthouse.dashboard import parts
from charthouse.dashboard.data import Copy, Site


def show(site: Site, copy: Copy) -> None:
    """The page."""
    parts.head(site, copy, "x", "y")
