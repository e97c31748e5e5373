"""A stay's profile in sections and lines, so that parts can be left out.

models/marts/profiles makes the sections and their words; nothing here knows them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import duckdb

from charthouse.jobs.ask.conditions import IMAGE

LEFT_OUT = "(left out: too long)"


@dataclass(frozen=True)
class Line:
    """A line of a section."""

    # from ICU admission; None where the line is about no moment, as `none recorded`
    hours: float | None
    text: str = field(repr=False)  # may itself have line breaks, as a report has


@dataclass(frozen=True)
class Section:
    """A section of a profile."""

    section: str  # its modality; image is a sentence on the picture, which the paper's template has
    heading: str = field(repr=False)  # its first line
    # in order of time; those of demographics and image have none
    lines: tuple[Line, ...] = field(repr=False)


def shown(
    sections: Sequence[Section], names: Collection[str], *, with_picture: bool
) -> tuple[Section, ...]:
    """Those of the names; the sentence on the picture stands where there is one, and only there."""
    return tuple(
        each
        for each in sections
        if (with_picture if each.section == IMAGE else each.section in names)
    )


def read_profiles(
    db: duckdb.DuckDBPyConnection, stay_ids: Sequence[int]
) -> dict[int, tuple[Section, ...]]:
    """The sections of those stays; of a stay that is not in the cohort, none."""
    rows = db.execute(
        "select stay_id, sections from marts.patient_profiles"
        " where stay_id in (select unnest(?::integer[]))",
        [list(stay_ids)],
    ).fetchall()
    return {stay_id: tuple(map(_section, sections)) for stay_id, sections in rows}


def render(sections: Sequence[Section]) -> str:
    """The text of some sections; that of all is marts.patient_profiles.profile, byte for byte."""
    return "\n".join(
        text
        for section in sections
        for text in (section.heading, *(line.text for line in section.lines))
    )


def droppable(sections: Sequence[Section]) -> int:
    """How many lines without_oldest could drop."""
    return len(_oldest_first(sections))


def without_oldest(sections: Sequence[Section], n: int) -> tuple[Section, ...]:
    """Drops the n lines that are furthest back, whatever section they stand in, or all there are.

    Of lines of the same moment the first goes first. Lines without hours stay. A section that
    loses all its lines keeps its heading, and says so: else it would seem that nothing was found.
    """
    dropped = set(_oldest_first(sections)[:n])
    left = []
    for place, section in enumerate(sections):
        kept = [line for at, line in enumerate(section.lines) if (place, at) not in dropped]
        if section.lines and not kept:
            kept = [Line(None, LEFT_OUT)]
        left.append(replace(section, lines=tuple(kept)))
    return tuple(left)


def _oldest_first(sections: Sequence[Section]) -> list[tuple[int, int]]:
    """Places (section, line) of the lines that may be dropped."""
    timed = [
        (line.hours, place, at)
        for place, section in enumerate(sections)
        for at, line in enumerate(section.lines)
        if line.hours is not None
    ]
    return [(place, at) for _, place, at in sorted(timed)]


def _section(row: dict) -> Section:
    lines = tuple(Line(line["hours"], line["text"]) for line in row["lines"])
    return Section(row["section"], row["heading"], lines)
