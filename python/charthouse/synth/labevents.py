"""Stream hosp/labevents: the tests that models read among the many others of the table.

The pieces of a row are its number, what its specimen is of, its test, what its specimen was drawn
and stored at, and its ending (value to comments).
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa

from charthouse.synth.big_tables import LUT, cut_by_hours, join_pieces, joined, time_text
from charthouse.synth.chartevents import Outliers
from charthouse.synth.csv_gz import GzipWriter, csv_quoted, write_dictionary
from charthouse.synth.filler_labs import (
    FILLER_PANELS,
    GAS_FACTS,
    PANEL_MINUTES,
    PANEL_SHARES,
    PANEL_SIZE,
    UNUSED_LABS,
    FillerLab,
)
from charthouse.synth.lab_rows import (
    ORDERED,
    LabPlan,
    LabRows,
    Specimens,
    draw_labs,
    plan_planted_labs,
)
from charthouse.synth.lab_tests import LAB_TESTS, LabTest
from charthouse.synth.population import DAY, HOUR, NO_TIME, Ints, Population
from charthouse.synth.random_streams import RandomStream, rng_for

HEADER = (
    b"labevent_id,subject_id,hadm_id,specimen_id,itemid,order_provider_id,charttime,storetime,"
    b"value,valuenum,valueuom,ref_range_lower,ref_range_upper,flag,priority,comments\n"
)
ROWS_TO_CHARTEVENTS = 0.376  # MIMIC-IV 2.2 has 118,171,367 rows to chartevents' 313,645,063
PRIORITIES = ("ROUTINE", "STAT")
BLANKS = ("", "___")  # values of rows that only a comment tells
COMMENTS = ("SPECIMEN HEMOLYZED.", "QUANTITY NOT SUFFICIENT.", "UNABLE TO REPORT.")
IN_PANELS = tuple(lab for panel in FILLER_PANELS for lab in panel)
FILLER_LABS = (*IN_PANELS, *GAS_FACTS)
FILLER_OUTPATIENT, FILLER_BLANK = 0.16, 0.125  # of its specimens


class _Endings:
    """Ready-made text 'value,valuenum,...,comments' for every possible row."""

    def __init__(self) -> None:
        texts: list[str] = []

        def block(of_test: Callable[[LabTest, str], list[str]]) -> tuple[Ints, Ints]:
            """Where the texts of each test begin, and how many it has of a priority."""
            place = []
            for test in LAB_TESTS:
                first = len(texts)
                for priority in PRIORITIES:
                    # The blood gas machine knows no priority.
                    added = of_test(test, "" if test.category == "Blood Gas" else priority)
                    texts.extend(added)
                place.append((first, len(added)))
            return np.array([first for first, _ in place]), np.array([n for _, n in place])

        self._measured = block(_measured)
        self._other_unit = block(_in_other_unit)
        self._planted = block(_planted)
        self._below = block(_below)
        self._only_comment = block(_only_comment)
        self._lowest = np.array([test.steps.start for test in LAB_TESTS])
        first = []
        for lab in FILLER_LABS:
            first.append(len(texts))
            texts.extend(_filler(lab, choice) for choice in lab.choices)
        self._filler_first = np.array(first)
        self._filler_count = np.array([len(lab.choices) for lab in FILLER_LABS])
        self.texts = pa.array(texts)

    def of_labs(self, rows: LabRows) -> Ints:
        """Positions of the endings of rows of LAB_TESTS."""
        urgent, test = rows.specimens.urgent[rows.specimen], rows.test

        def at(block: tuple[Ints, Ints], number: Ints) -> Ints:
            first, count = block
            return first[test] + urgent * count[test] + number

        step = rows.step - self._lowest[test]
        ending = np.where(rows.other_unit, at(self._other_unit, step), at(self._measured, step))
        ending = np.where(rows.below, at(self._below, rows.wording % 2), ending)
        ending = np.where(rows.only_comment, at(self._only_comment, rows.wording), ending)
        return np.where(rows.planted >= 0, at(self._planted, rows.planted), ending)

    def of_filler(self, lab: Ints, drawn: Ints) -> Ints:
        """Positions of the endings of rows of FILLER_LABS, by 16-bit random numbers."""
        return self._filler_first[lab] + drawn * self._filler_count[lab] // LUT


def _ending(test: LabTest, value: str, number: str, unit: str, flag: str, tail: str) -> str:
    low, high = test.reference or ("", "")
    return f"{value},{number},{unit},{low},{high},{flag},{tail}\n"


def _quoted(text: str) -> str:
    return csv_quoted(text) if "," in text else text


def _numbers(test: LabTest, values: list[float], priority: str) -> list[str]:
    """Endings of values in the test's own unit."""
    low, high = test.reference or (-np.inf, np.inf)
    tail = f"{priority},{_quoted(test.comment)}"
    return [
        _ending(
            test,
            "___" if test.comment else f"{value:.{test.decimals}f}",
            f"{value:g}",
            test.unit,
            "" if low <= value <= high else "abnormal",
            tail,
        )
        for value in values
    ]


def _measured(test: LabTest, priority: str) -> list[str]:
    return _numbers(test, [step / 10**test.decimals for step in test.steps], priority)


def _planted(test: LabTest, priority: str) -> list[str]:
    return [
        _ending(test, f"{value:g}", f"{value:g}", test.unit, "abnormal", f"{priority},")
        for value in test.planted
    ]


def _in_other_unit(test: LabTest, priority: str) -> list[str]:
    if test.other_unit is None:
        return []
    unit, factor = test.other_unit
    numbers = (f"{step / 10**test.decimals * factor:.3g}" for step in test.steps)
    return [_ending(test, number, number, unit, "", f"{priority},") for number in numbers]


def _below(test: LabTest, priority: str) -> list[str]:
    comment = _quoted(test.below)
    return [_ending(test, value, "", test.unit, "", f"{priority},{comment}") for value in BLANKS]


def _only_comment(test: LabTest, priority: str) -> list[str]:
    return [
        _ending(test, value, "", test.unit, "", f"{priority},{comment}")
        for value in BLANKS
        for comment in COMMENTS
    ]


def _filler(lab: FillerLab, choice: str) -> str:
    value, number, comment = {
        "number": (choice, choice, ""), "value": (choice, "", "___"), "comment": ("", "", choice)
    }[lab.written]  # fmt: skip
    return f"{value},{number},{lab.unit},{lab.reference},,ROUTINE,{comment}\n"


class _Numbers:
    """Numbers of rows and specimens, on and on; those of filler are odd, the others even."""

    def __init__(self) -> None:
        self.rows = self.specimens = self.filler = 0

    def of_specimens(self, labs: int, filler: int) -> Ints:
        """specimen_id of that many specimens, those of LAB_TESTS first."""
        first, first_filler = self.specimens + 1, self.filler
        self.specimens += labs
        self.filler += filler
        of_filler = 2 * (first_filler + np.arange(filler)) + 1
        return np.concatenate((2 * (first + np.arange(labs)), of_filler))


def _draw_filler(
    rng: np.random.Generator, population: Population, plan: LabPlan, chosen: slice, count: Ints
) -> tuple[Specimens, Ints, Ints]:
    """Specimens of filler, and for each of its rows the specimen and the position in FILLER_LABS.

    A specimen is one panel, of which the last of a stay may lack some.
    """
    count = np.maximum(count, 0)
    each = -(-count // PANEL_SIZE)
    stay = np.repeat(np.arange(len(count)), each)
    n = len(stay)
    panel = np.searchsorted(np.cumsum(PANEL_SHARES)[:-1], rng.random(n), side="right")
    outpatient = rng.random(n) < FILLER_OUTPATIENT
    since, until = plan.since[chosen][stay], plan.until[chosen][stay]
    intime = population.stays.intime[chosen][stay]
    share = rng.random(n)
    ago = intime - ((20 + 880 * share) * DAY).astype(np.int64)
    time = np.where(outpatient, ago, since + (share * (until - since)).astype(np.int64))
    time = time // 60 * 60
    wait = np.array(PANEL_MINUTES)[panel] * np.exp(0.7 * rng.standard_normal(n))
    blank = outpatient | (rng.random(n) < FILLER_BLANK)
    specimens = Specimens(
        stay, time, time + wait.astype(np.int64) * 60, blank, outpatient, rng.random(n) < ORDERED
    )
    row = np.arange(n * PANEL_SIZE)
    specimen, member = row // PANEL_SIZE, row % PANEL_SIZE
    rank = (np.cumsum(each) - each)[stay[specimen]] * PANEL_SIZE
    kept = row - rank < count[stay[specimen]]
    return specimens, specimen[kept], (panel[specimen] * PANEL_SIZE + member)[kept]


def _draw_gas_facts(rng: np.random.Generator, labs: LabRows) -> tuple[Ints, Ints]:
    """What blood gases are of: for each row the specimen, and the position in FILLER_LABS."""
    is_gas = np.array([test.category == "Blood Gas" for test in LAB_TESTS])
    gases = np.unique(labs.specimen[is_gas[labs.test]])
    shares = np.array(list(GAS_FACTS.values()))
    fact, gas = np.nonzero(rng.random((len(shares), len(gases))) < shares[:, None])
    return gases[gas], len(IN_PANELS) + fact


def write_labevents(
    path: Path,
    population: Population,
    plan: LabPlan,
    rows_per_stay: float,
    seed: int,
    pool: ThreadPoolExecutor,
    done: Callable[[int], None],
) -> tuple[Counter[str], Outliers]:
    """Write the table, with ``rows_per_stay`` rows a stay on average where filler can fill it up.

    ``done`` is called after every chunk with the number of stays written.

    Returns:
        Counts of what was written, and of the planted values.
    """
    stays = population.stays
    plants = plan_planted_labs(stays, plan, seed)
    target = np.rint(rows_per_stay * stays.seconds / stays.seconds.mean()).astype(np.int64)
    endings, numbers = _Endings(), _Numbers()
    itemids = [each.itemid for each in LAB_TESTS] + [each.itemid for each in FILLER_LABS]
    items = pa.array(itemids).cast(pa.string())
    counts: Counter[str] = Counter()
    outliers: Outliers = {test.itemid: Counter() for test in LAB_TESTS}
    with GzipWriter(path, pool) as out:
        out.write(HEADER)
        for chunk, chosen in enumerate(cut_by_hours(stays.seconds)):
            labs = draw_labs(stays, plan, plants, chosen, seed, chunk)
            rng = rng_for(seed, RandomStream.LAB_FILLER, chunk)
            of_gas, fact = _draw_gas_facts(rng, labs)
            written = labs.specimens.stay[np.concatenate((labs.specimen, of_gas))]
            missing = target[chosen] - np.bincount(written, minlength=chosen.stop - chosen.start)
            filler, of_filler, lab = _draw_filler(rng, population, plan, chosen, missing)
            specimens = Specimens.joined([labs.specimens, filler])
            lab = np.concatenate((fact, lab))
            drawn = rng.integers(0, LUT, len(lab), dtype=np.uint16).astype(np.int64)
            of_filler = len(labs.specimens) + of_filler
            specimen = np.concatenate((labs.specimen, of_gas, of_filler))
            item = np.concatenate((labs.test, len(LAB_TESTS) + lab))
            ending = np.concatenate((endings.of_labs(labs), endings.of_filler(lab, drawn)))

            # By stay and time, the rows of a specimen together.
            rank = np.empty(len(specimens), np.int64)
            rank[np.lexsort((specimens.charttime, specimens.stay))] = np.arange(len(specimens))
            order = np.argsort(rank[specimen], kind="stable")
            specimen, item, ending = specimen[order], item[order], ending[order]
            ids = numbers.of_specimens(len(labs.specimens), len(filler))
            beginnings, middles = _of_specimens(population, chosen, specimens, ids)
            numbered = pa.array(counts["rows"] + 1 + np.arange(len(order))).cast(pa.string())
            out.write(
                join_pieces(
                    numbered,
                    beginnings.take(pa.array(specimen)),
                    items.take(pa.array(item)),
                    middles.take(pa.array(specimen)),
                    endings.texts.take(pa.array(ending)),
                )
            )
            counts["rows"] += len(order)
            counts["null_hadm_rows"] += int(specimens.blank[specimen].sum())
            _count_labs(counts, outliers, labs, stays.intime[chosen])
            done(chosen.stop)
    counts["stays_without_labs"] = int((~plan.has).sum())
    return counts, outliers


def _of_specimens(
    population: Population, chosen: slice, specimens: Specimens, ids: Ints
) -> tuple[pa.StringArray, pa.StringArray]:
    """Texts 'subject,hadm,specimen' and 'provider,charttime,storetime' of each specimen."""
    stays, admissions = population.stays, population.admissions
    admission = stays.admission[chosen]
    subject = population.patients.subject_id[stays.patient[chosen]]
    hadm, provider = admissions.hadm_id[admission], admissions.provider[admission]
    people = [f"{a},{b}" for a, b in zip(subject, hadm, strict=True)]
    people += [f"{a}," for a in subject]
    n, stay = len(subject), specimens.stay
    providers = pa.array([*provider, ""]).take(pa.array(np.where(specimens.ordered, stay, n)))
    person = pa.array(people).take(pa.array(stay + n * specimens.blank))
    times = time_text(specimens.charttime), time_text(specimens.storetime)
    return (
        joined(person, pa.array(ids).cast(pa.string())),
        joined(providers, *times),
    )


def _count_labs(counts: Counter[str], outliers: Outliers, rows: LabRows, intime: Ints) -> None:
    """Add the rows of LAB_TESTS of one chunk."""
    of_row = rows.specimens.take(rows.specimen)
    hour = (of_row.charttime - intime[of_row.stay]) / HOUR
    before = (hour >= -6) & (hour < 0)
    stored = of_row.storetime != NO_TIME
    early = stored & (of_row.storetime < of_row.charttime)
    key = ((of_row.stay * len(LAB_TESTS) + rows.test) << 33) + of_row.charttime
    counts["lab_rows"] += len(rows.test)
    counts["lab_duplicate_rows"] += len(rows.test) - len(np.unique(key))
    counts["lab_below_detection_rows"] += int(rows.below.sum())
    counts["lab_only_comment_rows"] += int(rows.only_comment.sum())
    counts["lab_other_unit_rows"] += int(rows.other_unit.sum())
    counts["lab_null_storetime_rows"] += int((~stored).sum())
    counts["lab_stored_before_drawn_rows"] += int(early.sum())
    counts["lab_null_hadm_rows"] += int(of_row.blank.sum())
    counts["lab_rows_before_icu"] += int(before.sum())
    counts["null_hadm_rows_before_icu"] += int((before & of_row.blank).sum())
    written = (rows.planted < 0) & ~rows.below & ~rows.only_comment & ~rows.other_unit
    for place, test in enumerate(LAB_TESTS):
        of_test = rows.test == place
        steps, planted = rows.step[of_test & written], rows.planted[of_test]
        for number, value in enumerate(test.planted):
            # Values on a bound may be drawn, too.
            drawn = int((steps == round(value * 10**test.decimals, 6)).sum())
            outliers[test.itemid][value] += drawn + int((planted == number).sum())


def write_lab_items(path: Path, pool: ThreadPoolExecutor) -> int:
    """Write d_labitems: every test measured and some that are not."""
    rows = [(test.itemid, test.label, "Blood", test.category) for test in LAB_TESTS]
    rows += [(lab.itemid, lab.label, lab.fluid, lab.category) for lab in FILLER_LABS]
    names = ("itemid", "label", "fluid", "category")
    return write_dictionary(path, names, sorted([*rows, *UNUSED_LABS]), pool)
