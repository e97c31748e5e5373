"""Patients, admissions and ICU stays, with their latents, deaths and times.

Everything here is an array over the whole population (a few hundred bytes a stay, so MIMIC's
73,181 stays take little); what grows with time in hospital is streamed by other modules.
Times are whole seconds since 1970, int64; 0 is never used and NO_TIME stands for none.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from charthouse.synth import categories
from charthouse.synth.random_streams import RandomStream, rng_for
from charthouse.synth.signal import Bools, Floats, Latents, draw_death, draw_los_days, scaled_age

Ints = NDArray[np.int64]
Objects = NDArray[np.object_]

HOUR, DAY = 3600, 86400
NO_TIME = np.iinfo(np.int64).min  # datetime64's NaT, so that it turns into a null
NEW_PATIENT = 0.67  # chance that the next stay is another patient's
SAME_ADMISSION = 0.31  # chance that a patient's next stay is in the same admission
FIRST_DAY_DEATH = 0.12  # share of deaths that come within 24 h of ICU admission
DEATH_IN_ICU = 0.65  # of the other deaths


@dataclass(frozen=True)
class Patients:
    """Shape ``(p,)`` each, sorted by subject_id."""

    subject_id: Ints
    gender: Objects
    anchor_age: Ints
    anchor_year: Ints
    anchor_year_group: Objects
    years_shifted: Ints  # what all dates of the patient are later than they truly were
    dod: Ints  # midnight of the day, or NO_TIME
    severity: Floats  # the patient's part, N(0, 1)

    def __len__(self) -> int:
        return len(self.subject_id)


@dataclass(frozen=True)
class Admissions:
    """Shape ``(a,)`` each, sorted by patient and hadm_id."""

    patient: Ints  # row in Patients
    hadm_id: Ints
    admittime: Ints
    dischtime: Ints
    deathtime: Ints
    edregtime: Ints
    edouttime: Ints
    admission_type: Objects
    admission_location: Objects
    discharge_location: Objects
    provider: Objects
    insurance: Objects
    language: Objects
    marital_status: Objects
    race: Objects
    died: Bools
    last_stay: Ints  # row in Stays of its last stay

    def __len__(self) -> int:
        return len(self.hadm_id)


@dataclass(frozen=True)
class Stays:
    """Shape ``(n,)`` each, sorted by patient, hadm_id and stay_id, as MIMIC's files are."""

    patient: Ints  # row in Patients
    admission: Ints  # row in Admissions
    stay_id: Ints
    intime: Ints
    outtime: Ints
    unit: Ints  # position in categories.CAREUNITS
    last_unit: Ints
    age: Ints  # true years at admission, not cut at 91
    died: Bools  # hospital_expire_flag of its admission
    deathtime: Ints  # of its admission
    latents: Latents

    def __len__(self) -> int:
        return len(self.stay_id)

    @property
    def seconds(self) -> Ints:
        """Length of stay in seconds."""
        return self.outtime - self.intime


@dataclass(frozen=True)
class Population:
    """Who is in the data."""

    patients: Patients
    admissions: Admissions
    stays: Stays


@dataclass(frozen=True)
class _Careers:
    """Stays in time order, before ids and dates: who has which, and how each ends."""

    patient: Ints
    admission: Ints
    latents: Latents
    patient_severity: Floats  # (p,)
    age: Ints  # at the patient's first stay, per stay
    died_here: Bools  # the patient dies in this admission, and this is its last stay


def unique_ids(rng: np.random.Generator, first: int, n: int) -> Ints:
    """``n`` different ids between ``first`` and ``first`` + 9,999,999, in no order."""
    ids = np.unique(rng.integers(0, 10_000_000, int(n * 1.25) + 16))
    return first + rng.permutation(ids)[:n]


def _group_first(group: Ints) -> Bools:
    """Whether each row is the first of its run of equal values."""
    return np.concatenate(([True], group[1:] != group[:-1]))


def _draw_careers(rng: np.random.Generator, n: int) -> _Careers:
    """Draw more stays than needed, let deaths end careers, keep the first ``n`` stays."""
    drawn = int(n * 1.3) + 64
    new_patient = rng.random(drawn) < NEW_PATIENT
    new_patient[0] = True
    new_admission = new_patient | (rng.random(drawn) >= SAME_ADMISSION)
    patient = np.cumsum(new_patient) - 1
    admission = np.cumsum(new_admission) - 1
    patients = int(patient[-1]) + 1

    patient_part = rng.standard_normal(patients)
    severity = (patient_part[patient] + rng.standard_normal(drawn)) / np.sqrt(2.0)
    latents = Latents(severity, *(rng.standard_normal(drawn) for _ in range(3)))
    age = np.clip(np.rint(rng.normal(65.5, 17.0, patients)), 18, 99).astype(np.int64)[patient]

    # Only the last stay of an admission may end in death, and no stay may follow one.
    last_of_admission = np.append(new_admission[1:], True)
    dies = last_of_admission & draw_death(rng, scaled_age(age), latents)
    before: Ints = np.cumsum(dies) - dies
    earlier_deaths: Ints = before - before[np.searchsorted(patient, patient, side="left")]
    keep = np.flatnonzero(earlier_deaths == 0)[:n]
    # The last admission kept may have lost a later stay: its own last stay is then another.
    kept, patient = np.unique(patient[keep], return_inverse=True)
    admission = np.unique(admission[keep], return_inverse=True)[1]
    return _Careers(
        patient, admission, latents.take(keep), patient_part[kept], age[keep], dies[keep]
    )


def build_population(stays: int, seed: int) -> Population:
    """Draw the whole population of that many ICU stays, at least 1."""
    rng = rng_for(seed, RandomStream.POPULATION)
    careers = _draw_careers(rng, stays)
    patient, admission = careers.patient, careers.admission
    patients, admissions = int(patient[-1]) + 1, int(admission[-1]) + 1
    first_stay = np.flatnonzero(_group_first(admission))
    last_stay = np.append(first_stay[1:], stays) - 1
    admission_patient = patient[first_stay]

    # Time line in seconds from the patient's first ICU admission.
    los = draw_los_days(rng, scaled_age(careers.age), careers.latents)
    first_day = careers.died_here & (rng.random(stays) < FIRST_DAY_DEATH)
    los = np.where(first_day, rng.uniform(0.07, 0.97, stays), los)
    length = np.rint(los * DAY).astype(np.int64)
    same = ~_group_first(admission)
    soon = rng.random(stays) < 0.22  # readmitted within 30 days
    gap = np.where(
        same,
        rng.exponential(2.5 * DAY, stays) + 0.2 * DAY,
        np.where(soon, rng.uniform(4, 29, stays), 30 + rng.exponential(380.0, stays)) * DAY,
    ).astype(np.int64)
    # Between admissions there is time for the ward before and after the ICU.
    ward_before = np.minimum(rng.exponential(0.7 * DAY, stays), 9 * DAY).astype(np.int64)
    ward_after = np.minimum(rng.exponential(5.0 * DAY, stays), 60 * DAY).astype(np.int64) + HOUR
    lead = gap + np.where(same, 0, ward_before + np.append(0, ward_after[:-1]))
    new_patient = _group_first(patient)
    lead[new_patient] = 0
    clock = np.cumsum(lead + np.append(0, length[:-1]))
    offset = clock - clock[new_patient][patient]

    # Patients: shifted years, ages as MIMIC records them (those above 89 as 91).
    anchor_year = rng.integers(2110, 2201, patients)
    start = (anchor_year - 1970).astype("datetime64[Y]").astype("datetime64[s]").astype(np.int64)
    start += rng.integers(40 * DAY, 360 * DAY, patients)
    intime = start[patient] + offset
    outtime = intime + length
    true_age = careers.age[new_patient]

    died = careers.died_here[last_stay]
    in_icu = first_day[last_stay] | (rng.random(admissions) < DEATH_IN_ICU)
    later = np.rint(rng.exponential(3.0 * DAY, admissions)).astype(np.int64) + 2 * HOUR
    slack = np.rint(rng.uniform(0, 0.5 * HOUR, admissions)).astype(np.int64)
    end = outtime[last_stay]
    deathtime = _to_minute(np.where(in_icu, end - slack, end + later))
    admittime = _to_minute(intime[first_stay] - ward_before[first_stay])
    discharge = _to_minute(end + ward_after[last_stay])
    dischtime = np.where(died, np.maximum(deathtime, _to_minute(end)), discharge)
    age_now = true_age[admission_patient] + year_of(admittime) - anchor_year[admission_patient]

    # Deaths after discharge are known for a year, and more likely in the severely ill.
    last_admission = np.append(np.flatnonzero(_group_first(admission_patient))[1:], admissions) - 1
    after = rng.random(patients) < 0.12 + 0.08 * (careers.patient_severity > 0)
    wait = np.minimum(rng.exponential(120 * DAY, patients), 364 * DAY).astype(np.int64) + DAY
    dod = np.where(after, dischtime[last_admission] + wait, NO_TIME)
    dod = np.where(died[last_admission], deathtime[last_admission], dod)
    dod = np.where(dod == NO_TIME, NO_TIME, dod // DAY * DAY)

    subject_id = np.sort(unique_ids(rng, 10_000_000, patients))
    gender = np.where(rng.random(patients) < 0.56, "M", "F").astype(object)
    last_of_patient = np.append(np.flatnonzero(new_patient)[1:], stays) - 1
    group, anchored = _place_in_time(
        rng_for(seed, RandomStream.ERAS),
        categories.draw_index(rng, categories.YEAR_GROUPS, patients),
        year_of(intime[last_of_patient]) - anchor_year,
    )
    people = Patients(
        subject_id=subject_id,
        gender=gender,
        anchor_age=np.where(true_age > 89, 91, true_age),
        anchor_year=anchor_year,
        anchor_year_group=np.array(list(categories.YEAR_GROUPS), dtype=object)[group],
        years_shifted=anchor_year - anchored,
        dod=dod,
        severity=careers.patient_severity,
    )
    visits = _describe_admissions(
        rng, admission_patient, age_now, admittime, dischtime, deathtime, died, last_stay
    )
    unit = categories.draw_index(rng, categories.CAREUNITS, stays)
    moved = rng.random(stays) < 0.07
    elsewhere = categories.draw_index(rng, categories.CAREUNITS, stays)
    icu = Stays(
        patient=patient,
        admission=admission,
        stay_id=unique_ids(rng, 30_000_000, stays),
        intime=intime,
        outtime=outtime,
        unit=unit,
        last_unit=np.where(moved, elsewhere, unit),
        age=age_now[admission],
        died=died[admission],
        deathtime=visits.deathtime[admission],
        latents=careers.latents,
    )
    return _in_file_order(Population(people, visits, icu))


def _to_minute(seconds: Ints) -> Ints:
    return seconds // 60 * 60


def year_of(seconds: Ints) -> Ints:
    """Calendar year of times in seconds since 1970 [n]."""
    return seconds.astype("datetime64[s]").astype("datetime64[Y]").astype(np.int64) + 1970


def _place_in_time(rng: np.random.Generator, group: Ints, spans: Ints) -> tuple[Ints, Ints]:
    """Group of years and true year of each anchor_year, so that no stay lies after the last group.

    The group is a position in categories.YEAR_GROUPS, made earlier where ``spans``, the years from
    anchor_year to the patient's last stay, ask for it.
    """
    first, last = np.array(
        [str(each).split(" - ") for each in categories.YEAR_GROUPS], dtype=np.int64
    ).T
    room = np.searchsorted(last, last[-1] - spans, side="right") - 1
    group = np.clip(group, 0, np.maximum(room, 0))
    return group, first[group] + rng.integers(0, (last - first + 1)[group])


def _describe_admissions(
    rng: np.random.Generator,
    patient: Ints,
    age: Ints,
    admittime: Ints,
    dischtime: Ints,
    deathtime: Ints,
    died: Bools,
    last_stay: Ints,
) -> Admissions:
    """Draw the categories of each admission; none has any effect on the outcomes."""
    n, patients = len(patient), int(patient[-1]) + 1

    def drawn(shares: categories.Shares) -> Objects:
        return categories.draw(rng, shares, n)

    kind = drawn(categories.ADMISSION_TYPES)
    emergency = np.isin(kind, categories.EMERGENCY_TYPES)
    ed_wait = np.rint(rng.uniform(2 * HOUR, 14 * HOUR, n)).astype(np.int64)
    old = age >= 65
    # Race and language belong to the patient, marital status and insurance to the admission.
    race = categories.draw(rng, categories.RACES, patients)[patient]
    language = categories.draw(rng, categories.LANGUAGES, patients)[patient]
    codes = rng.integers(0, 36, (1500, 3))
    letters = np.array(list("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    providers = np.array([f"P{a}{b}{c}" for a, b, c in letters[codes]], dtype=object)
    return Admissions(
        patient=patient,
        hadm_id=unique_ids(rng, 20_000_000, n),
        admittime=admittime,
        dischtime=dischtime,
        deathtime=np.where(died, deathtime, NO_TIME),
        edregtime=np.where(emergency, _to_minute(admittime - ed_wait), NO_TIME),
        edouttime=np.where(emergency, admittime + HOUR, NO_TIME),
        admission_type=kind,
        admission_location=np.where(
            emergency, drawn(categories.EMERGENCY_LOCATIONS), drawn(categories.OTHER_LOCATIONS)
        ),
        discharge_location=np.where(died, "DIED", drawn(categories.DISCHARGE_LOCATIONS)),
        provider=providers[rng.integers(0, len(providers), n)],
        insurance=np.where(old, drawn(categories.INSURANCE_OLD), drawn(categories.INSURANCE_YOUNG)),
        language=language,
        marital_status=np.where(
            old, drawn(categories.MARITAL_OLD), drawn(categories.MARITAL_YOUNG)
        ),
        race=race,
        died=died,
        last_stay=last_stay,
    )


def _in_file_order(time_order: Population) -> Population:
    """Sort admissions by patient and hadm_id, stays by patient, hadm_id and stay_id."""
    visits, icu = time_order.admissions, time_order.stays
    by_hadm = np.lexsort((visits.hadm_id, visits.patient))
    by_stay = np.lexsort((icu.stay_id, visits.hadm_id[icu.admission], icu.patient))
    visits = Admissions(*(column[by_hadm] for column in vars(visits).values()))
    visits = replace(visits, last_stay=np.argsort(by_stay)[visits.last_stay])
    columns = {name: column[by_stay] for name, column in vars(icu).items() if name != "latents"}
    icu = Stays(**columns, latents=icu.latents.take(by_stay))
    icu = replace(icu, admission=np.argsort(by_hadm)[icu.admission])
    return Population(time_order.patients, visits, icu)
