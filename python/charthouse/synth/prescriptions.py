"""Stream hosp/prescriptions: the antibiotics of suspected infections among other drugs."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from charthouse.synth.big_tables import csv_rows, cut_by_hours, joined, pick, time_text
from charthouse.synth.csv_gz import GzipWriter
from charthouse.synth.infections import Infections
from charthouse.synth.own_time import OwnTime
from charthouse.synth.population import DAY, HOUR, NO_TIME, Population
from charthouse.synth.random_streams import RandomStream, rng_for
from charthouse.synth.treatments import Spans

HEADER = (
    b"subject_id,hadm_id,pharmacy_id,poe_id,poe_seq,order_provider_id,starttime,stoptime,drug_type,"
    b"drug,formulary_drug_cd,gsn,ndc,prod_strength,form_rx,dose_val_rx,dose_unit_rx,form_val_disp,"
    b"form_unit_disp,doses_per_24_hrs,route\n"
)


@dataclass(frozen=True)
class Drug:
    """One drug as prescribed."""

    name: str
    code: str
    strength: str
    dose: str
    unit: str
    form: str
    route: str
    per_stay: float = 0.0  # mean number, of those that nothing else decides
    per_day: str = ""
    kind: str = "MAIN"

    def text(self, route: str) -> str:
        """From drug_type to route; national codes are left empty."""
        return (
            f"{self.kind},{self.name},{self.code},,,{self.strength},,{self.dose},{self.unit},1,"
            f"{self.form},{self.per_day},{route}"
        )


_D = Drug
ANTIBIOTIC_DRUGS: tuple[Drug, ...] = (  # in the order of ANTIBIOTICS
    _D("Vancomycin", "VANC1F", "1g Frozen Bag", "1000", "mg", "BAG", "IV", per_day="2"),
    _D("CefePIME", "CEFE2I", "2g Vial", "2", "g", "VIAL", "IV", per_day="2"),
    _D("Piperacillin-Tazobactam", "ZOSY4FPB", "4.5 g Frozen Bag", "4.5", "g", "BAG", "IV",
       per_day="3"),
    _D("CeftriaXONE", "CEFR1MB", "1g Vial (For Mini Bag plus)", "1", "gm", "VIAL", "IV",
       per_day="1"),
    _D("MetRONIDAZOLE (FLagyl)", "METR500PM", "500mg Premix Bag", "500", "mg", "BAG", "IV",
       per_day="3"),
    _D("Meropenem", "MERO500I", "500mg Vial", "500", "mg", "VIAL", "IV", per_day="4"),
    _D("Levofloxacin", "LEVO750PM", "750mg Premix Bag", "750", "mg", "BAG", "IV", per_day="1"),
    _D("Ciprofloxacin IV", "CIPR400PM", "400mg Premix Bag", "400", "mg", "BAG", "IV", per_day="2"),
    _D("Azithromycin ", "AZIT500I", "500mg Vial", "500", "mg", "VIAL", "IV", per_day="1"),
    _D("CefazoLIN", "CEFA2D", "2g Duplex Bag", "2", "g", "BAG", "IV", per_day="3"),
)  # fmt: skip
OTHERS: tuple[Drug, ...] = (
    _D("Insulin", "HUMU100I", "100 Units / mL - 10 mL Vial", "0", "UNIT", "VIAL", "SC", 3.5),
    _D("0.9% Sodium Chloride", "NS100CG", "100 mL Bag", "100", "mL", "BAG", "IV", 3, kind="BASE"),
    _D("Sodium Chloride 0.9%  Flush", "NACLFLUSH", "10 mL Syringe", "3", "mL", "SYR", "IV", 2.5,
       "3"),
    _D("Bag", "BAG50", "50 mL Bag", "1", "BAG", "BAG", "IV", 1.8, kind="BASE"),
    _D("Potassium Chloride", "MICROK10", "10mEq ER Tablet", "40", "mEq", "TAB", "PO", 2.2, "1"),
    _D("Furosemide", "FURO20I", "20mg/2mL Vial", "20", "mg", "VIAL", "IV", 1.8, "1"),
    _D("Magnesium Sulfate", "MAG2PM", "2 g / 50 mL Premix Bag", "2", "gm", "BAG", "IV", 1.8, "1"),
    _D("Metoprolol Tartrate", "METO25", "25mg Tablet", "12.5", "mg", "TAB", "PO/NG", 1.5, "2"),
    _D("Acetaminophen", "ACET325", "325mg Tablet", "650", "mg", "TAB", "PO/NG", 1.5),
    _D("Heparin", "HEPA5I", "5000 Units / mL- 1mL Vial", "5000", "UNIT", "mL", "SC", 1.2, "3"),
    _D("Heparin Sodium", "HEPPREMIX", '"25,000 unit Premix Bag"', '"25,000"', "UNIT", "BAG", "IV",
       0.4),
    _D("Docusate Sodium", "DOCU100", "100mg Capsule", "100", "mg", "CAP", "PO/NG", 1, "2"),
    _D("Senna", "SENN187", "8.6 mg Tablet", "8.6", "mg", "TAB", "PO/NG", 0.9, "2"),
    _D("Pantoprazole", "PANT40", "40 mg Vial", "40", "mg", "VIAL", "IV", 0.7, "1"),
    _D("Ondansetron", "ONDAN4I", "2mg/mL-2mL", "4", "mg", "VIAL", "IV", 0.7),
    _D("Aspirin", "ASA81", "81mg Tab", "81", "mg", "TAB", "PO/NG", 0.6, "1"),
    _D("Fentanyl Citrate", "FENT2.5I", "2.5mg / 50 mL Premix Bag", "2.5", "mg", "BAG", "IV DRIP",
       0.4),
    # Antibiotics that tell of no infection: on the skin and in the eyes.
    _D("Neomycin-Polymyxin-Bacitracin", "NEOM30O", "30g Ointment", "1", "Appl", "TUBE", "TP", 0.15,
       "1"),
    _D("Erythromycin 0.5% Ophth Oint", "ERYT35O", "3.5gm Tube", "0.5", "in", "TUBE", "BOTH EYES",
       0.05, "4"),
)  # fmt: skip
STOPS_BEFORE_SHARE, UNSTOPPED_SHARE = 0.04, 0.001


def write_prescriptions(
    path: Path,
    population: Population,
    infections: Infections,
    own: OwnTime,
    seed: int,
    pool: ThreadPoolExecutor,
    done: Callable[[int], None],
) -> Counter[str]:
    """Write the table; ``done`` is called after every chunk with the number of stays written.

    Returns:
        Counts of what was written.
    """
    stays, admissions = population.stays, population.admissions
    texts = [each.text(each.route) for each in OTHERS]
    texts += [each.text(route) for each in ANTIBIOTIC_DRUGS for route in ("IV", "PO/NG")]
    counts: Counter[str] = Counter()
    with GzipWriter(path, pool) as out:
        out.write(HEADER)
        for chunk, chosen in enumerate(cut_by_hours(stays.seconds)):
            rng = rng_for(seed, RandomStream.PRESCRIPTIONS, chunk)
            courses = infections.courses.of(chosen)
            parts = [Spans(courses.stay, courses.start, courses.stop)]
            drugs = [len(OTHERS) + 2 * courses.drug + courses.oral]
            since, until = own.since[chosen], own.until[chosen]
            for place, other in enumerate(OTHERS):
                count = rng.poisson(other.per_stay, len(since))
                stay = np.repeat(np.arange(len(since)), count)
                start = since[stay] + (rng.random(len(stay)) * (until - since)[stay]).astype(
                    np.int64
                )
                lasting = (rng.exponential(1.6 * DAY, len(stay))).astype(np.int64)
                stop = np.minimum(start + HOUR + lasting, until[stay])
                parts.append(Spans(stay, start, stop))
                drugs.append(np.full(len(stay), place))
            rows, drug = Spans.joined(parts), np.concatenate(drugs)
            by_time = np.lexsort((rows.start, rows.stay))
            rows, drug = rows.take(by_time), drug[by_time]
            n = len(rows)
            # Drugs are prescribed from hour to hour.
            start, stop = rows.start // HOUR * HOUR, rows.stop // HOUR * HOUR
            backwards = rng.random(n) < STOPS_BEFORE_SHARE
            unstopped = ~backwards & (rng.random(n) < UNSTOPPED_SHARE)
            earlier = start - HOUR * rng.integers(1, 12, n)
            stop = np.where(backwards, earlier, np.maximum(stop, start))
            stop = np.where(unstopped, NO_TIME, stop)
            admission = stays.admission[chosen][rows.stay]
            subject = population.patients.subject_id[stays.patient[chosen]][rows.stay]
            number = pa.array(rng.integers(10, 3000, n)).cast(pa.string())
            order = pc.binary_join_element_wise(pa.array(subject).cast(pa.string()), number, "-")
            out.write(
                csv_rows(
                    pa.array(subject),
                    pa.array(admissions.hadm_id[admission]),
                    pa.array(counts["rows"] + 1 + np.arange(n)),
                    joined(order, number),
                    pa.array(admissions.provider[admission]),
                    time_text(start),
                    time_text(stop),
                    pick(texts, drug),
                )
            )
            counts["rows"] += n
            counts["antibiotic_courses"] += len(courses)
            counts["prescriptions_that_stop_before_they_start"] += int(backwards.sum())
            done(chosen.stop)
    suspected = infections.suspected_at
    early = (suspected != NO_TIME) & (suspected < stays.intime + DAY)
    counts["infection_suspected_before_24h"] = int(early.sum())
    counts["infection_first_suspected_after_24h"] = int(((suspected != NO_TIME) & ~early).sum())
    return counts
