"""Reads the 12 leads of an ECG; what is wrong with its files is a reason, never a traceback.

The one module that imports wfdb, and only where a record is read: it brings matplotlib and HTTP
clients with it, and can fetch records from the network, which it is never asked to.
"""

import importlib.util
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from charthouse.core.data_kind import DataKind
from charthouse.core.registry import how_to_install
from charthouse.core.synthetic_marker import SyntheticRecords, is_regular
from charthouse.data.xray_files import LEADS_OUT, Unreadable, require_about_the_file

ROOT = "CHARTHOUSE_ECG"
"""The variable that names the folder of the records."""

ENDINGS = (".hea", ".dat")
"""Of the two files of a record: its header, and its samples."""

LEADS = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")
"""As MIMIC-IV-ECG orders them."""

LARGEST_HEADER, LARGEST_SAMPLES = 2**16, 2**24  # bytes; MIMIC-IV-ECG: about 700, and 120,000
SLOWEST, FASTEST = 100, 2000  # samples a second
SHORTEST, LONGEST = 5, 60  # seconds; those of MIMIC-IV-ECG have 10

_RECORD_LINE = re.compile(
    rb"[^\s/]+(?P<segments>/\d+)?\s+(?P<leads>\d{1,9})\s+"
    rb"(?P<rate>\d{1,9}(\.\d+)?)\S*\s+(?P<samples>\d{1,15})\b"
)


def no_reader() -> str | None:
    """Why no record can be read: wfdb is not installed; None if it is."""
    if importlib.util.find_spec("wfdb") is None:
        return how_to_install("wfdb")
    return None


def lists_only() -> str | None:
    """Why no record can be read: the folder has the lists of MIMIC-IV-ECG alone; None if not."""
    named = os.environ.get(ROOT)
    if not named or Path(named, "files").exists() or not any(Path(named).glob("record_list.*")):
        return None  # a folder that is away altogether is a disk to be mounted: embed stops at it
    return f"{ROOT} has the lists of ECGs, but no folder files with the records."


def record_check(kind: DataKind) -> Callable[[Path | None], None]:
    """As `picture_check` of X-rays: where the data count as synthetic, so must each record.

    The path is that of a record, without the endings of its two files.
    """
    synthetic = SyntheticRecords(Path(os.environ.get(ROOT, "")))

    def check(record: Path | None) -> None:
        if kind != "synthetic" or record is None:
            return
        for file in files_of(record):
            if os.path.isfile(file):
                synthetic.require(file)

    return check


def files_of(record: Path) -> list[Path]:
    """The two files of a record."""
    return [record.with_name(record.name + ending) for ending in ENDINGS]


def read_leads(record: Path | None) -> tuple[np.ndarray, float]:
    """The 12 leads of an ECG.

    Args:
        record: path of the record without the endings of its files; None where it leads out of the
            folder.

    Returns:
        float64 [12, samples] in mV, in the order of LEADS, none of them NaN; samples a second.

    Raises:
        Unreadable: missing, empty, cut short, or not a record of 12 leads in mV without gaps.
        CharthouseError: the machine would not read it just now; tomorrow it may.
    """
    if record is None:
        raise Unreadable(LEADS_OUT)
    import wfdb

    header, samples = files_of(record)
    try:
        for file, largest in ((header, LARGEST_HEADER), (samples, LARGEST_SAMPLES)):
            if not is_regular(file):
                raise Unreadable("it is no regular file")
            if not 0 < file.stat().st_size <= largest:
                raise Unreadable(f"the {file.suffix} file is empty, or too large for an ECG")
        _require_size(header.read_bytes())  # before wfdb makes room for what the header says
        found = wfdb.rdrecord(str(record))
        signal = found.p_signal[:, _places_of_leads(found, samples.name)]
    except FileNotFoundError as error:
        suffix = Path(str(error.filename)).suffix
        what = f"the {suffix} file" if suffix in ENDINGS else "a file of it"
        raise Unreadable(f"{what} is missing") from None
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # of a damaged record wfdb raises all sorts of things
        if isinstance(error, OSError):
            require_about_the_file(error)
        raise Unreadable(f"the record is damaged or cut short ({type(error).__name__})") from None
    leads = np.ascontiguousarray(signal.T, np.float64)
    for name, lead in zip(LEADS, leads, strict=True):
        if not np.isfinite(lead).all():
            raise Unreadable(f"lead {name} has gaps")
        if lead.min() == lead.max():
            raise Unreadable(f"lead {name} is flat")
    return leads, float(found.fs)


def _require_size(header: bytes) -> None:
    """Stops at a record of other than 12 leads of some seconds."""
    lines = (line.strip() for line in header.splitlines())
    first = next((line for line in lines if line and not line.startswith(b"#")), b"")
    parts = _RECORD_LINE.match(first)
    if not parts:
        raise Unreadable("the header is none of WFDB")
    if parts["segments"]:
        raise Unreadable("it has several segments")
    if int(parts["leads"]) != len(LEADS):
        raise Unreadable(f"it has {int(parts['leads'])} leads, not {len(LEADS)}")
    rate = float(parts["rate"])
    if not SLOWEST <= rate <= FASTEST:
        raise Unreadable(f"its sampling rate is not from {SLOWEST} to {FASTEST} Hz")
    if not SHORTEST <= int(parts["samples"]) / rate <= LONGEST:
        raise Unreadable(f"it is shorter than {SHORTEST} s or longer than {LONGEST} s")


def _places_of_leads(record: Any, samples: str) -> list[int]:
    """Where in the record each of LEADS is; stops at one that is no ECG in mV."""
    if set(record.file_name) != {samples}:
        raise Unreadable("its samples are in another file")
    place = {lead.casefold(): place for place, lead in enumerate(record.sig_name)}
    if missing := [lead for lead in LEADS if lead.casefold() not in place]:
        raise Unreadable(f"it has no lead {missing[0]}")
    if set(record.units) != {"mV"}:
        raise Unreadable("its unit is not mV")
    if set(record.samps_per_frame) != {1}:
        raise Unreadable("its leads are sampled at different rates")
    return [place[lead.casefold()] for lead in LEADS]
