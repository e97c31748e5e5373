"""Are there faults? What `charthouse audit` says, as it stood when the copy was published."""

import pandas as pd
import streamlit as st

from charthouse.views.dashboard import charts, parts
from charthouse.views.dashboard.data import Copy, Site, frame

STATES = {
    "failed": ":red-badge[failed]",
    "warning": ":orange-badge[warning]",
    "by a chosen setting": ":orange-badge[by a chosen setting]",
    "passed": ":green-badge[passed]",
    "nothing to check": ":gray-badge[nothing to check]",
    "not run": ":gray-badge[not run]",
}


@parts.page(
    "audit", "Audit",
    "Every fault that is looked for, as it stood when the copy was published. *By a chosen"
    " setting*: a violation caused by a chosen setting (protocol: paper has some). *Warning*: look"
    " at it; it fails nothing. *Not run*: only `charthouse audit` runs it, and it has not since the"
    " last build.",
    "reports.audit",
)  # fmt: skip
def page(site: Site, copy: Copy) -> None:
    """Checks by state, what they found in full."""
    found = frame(copy, "select * from reports.audit order by position")
    charts.facts({state.capitalize(): str((found["state"] == state).sum()) for state in STATES})
    shown = parts.choose_some("State", list(STATES), key="state")
    for state in STATES:
        of = found[found["state"] == state]
        if state in shown and len(of):
            st.subheader(f"{STATES[state]} {len(of)}", anchor=False)
            if state in ("failed", "warning", "by a chosen setting"):
                for _, row in of.iterrows():
                    _finding(row, with_stays=site.show_stays or copy.is_synthetic)
            else:
                columns = {"check_name": "Check", "question": "Asks", "checked": "Checked"}
                parts.table(copy, of[list(columns)].rename(columns=columns), f"audit {state}")


def _finding(row: pd.Series, *, with_stays: bool) -> None:
    with st.container(border=True):
        parts.text(f": {row['question']}", bold=row["check_name"])
        parts.text(f"Yes: {row['failing']:,} of {row['checked']:,} rows. {row['detail']}.")
        if row["stays"] and with_stays:
            named = ", ".join(str(stay_id) for stay_id in row["stay_ids"][:20])
            more = f" and {row['stays'] - 20:,} more" if row["stays"] > 20 else ""
            st.caption(f"Stays: {named}{more}")
        elif row["stays"]:
            st.caption(f"{row['stays']:,} stays; --show-stays names them.")
        if row["state"] in ("failed", "warning"):
            parts.text(f"To do: {row['mend']}")
