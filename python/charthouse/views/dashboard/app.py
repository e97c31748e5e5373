"""What Streamlit runs: finds the published copy and shows the page that is asked for."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from charthouse.core.errors import CharthouseError
from charthouse.views.dashboard import (
    audit,
    comparisons,
    contributions,
    copies,
    leaderboard,
    learners,
    overview,
    parts,
    runs,
    stay,
    subgroups,
)
from charthouse.views.dashboard.data import Copy, Site, find_copy

FOLDER, WAREHOUSE, SHOW_STAYS = "--folder", "--warehouse", "--show-stays"
"""How the command tells the app what to show."""


PAGES = (
    overview.page, leaderboard.page, comparisons.page, subgroups.page, contributions.page,
    learners.page, copies.page, stay.page, runs.page, audit.page,
)  # fmt: skip


def run(site: Site, only: str | None = None) -> None:
    """Shows the page that the address names, or `only` this one."""
    copy = find_copy(site.folder)
    try:
        _run(site, copy, only)
    except CharthouseError as error:
        if copy and not copy.path.exists():  # another version has come meanwhile
            st.rerun()
        st.error(parts.as_written(error))


def _run(site: Site, copy: Copy | None, only: str | None) -> None:
    if copy is None:
        st.title("Charthouse", anchor=False)
        parts.empty(
            f"Nothing has been published in {parts.as_written(site.folder)} yet."
            + (
                ""
                if site.warehouse.exists()
                else f" {parts.as_written(site.warehouse)} is not there either."
            ),
            *(() if site.warehouse.exists() else ("charthouse run",)),
            "charthouse publish",
        )
        return
    if only:
        _shown(next(page for page in PAGES if page.name == only), site, copy)()
        return
    st.navigation(
        [
            st.Page(
                _shown(page, site, copy),
                title=page.title,
                url_path=page.name,
                default=page is PAGES[0],
            )
            for page in PAGES
        ]
    ).run()


def _shown(page: parts.Page, site: Site, copy: Copy) -> Callable[[], None]:
    return lambda: page.show(site, copy)


def site_of(arguments: Sequence[str]) -> Site:
    """What the command line of the app says."""
    parser = argparse.ArgumentParser()
    parser.add_argument(FOLDER, type=Path, required=True)
    parser.add_argument(WAREHOUSE, type=Path, required=True)
    parser.add_argument(SHOW_STAYS, action="store_true")
    told = parser.parse_args(arguments)
    return Site(told.folder, told.warehouse, told.show_stays)


if __name__ == "__main__":
    st.set_page_config(page_title="Charthouse", layout="wide")
    # Streamlit leaves 6 rem above the title, for a menu that is not as high
    st.html("<style>[data-testid=stMainBlockContainer]{padding-top:4rem}</style>")
    run(site_of(sys.argv[1:]))
