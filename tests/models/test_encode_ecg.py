"""Encoders of ECGs: what the cart measured, and the median beat of the 12 leads."""

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from charthouse.core.errors import CharthouseError
from charthouse.core.synthetic_marker import MARKER, PICTURE_COMMENT, sha256_of
from charthouse.data.ecg_files import LEADS, files_of, read_leads, record_check
from charthouse.data.xray_files import Unreadable
from charthouse.jobs.embed.inputs import READERS
from charthouse.models.encoders.base import Ecg, NothingToFit, Stay
from charthouse.models.encoders.ecg_beats import NO_BEAT, SAMPLES, median_beat, r_peaks
from charthouse.models.encoders.ecg_measurements import EcgMeasurements
from charthouse.models.encoders.median_beat_pca import MedianBeatPca
from charthouse.models.encoders.registry import unsuited, why_not_ready
from drawn_ecg import draw_leads, write_record
from encoding import (
    assert_fit_ignores_order,
    assert_same_in_any_company,
    by_stay,
    context,
    fitted,
    stays,
)

# what the cart measured

COLUMNS = (("heart_rate", "numeric"), ("p_axis", "numeric"), ("qrs_axis", "numeric"))


def make_measurements() -> EcgMeasurements:
    return EcgMeasurements(context("ecg_measurements", columns=COLUMNS))


def measured(*rows: list[float]) -> list[Stay]:
    return stays([np.array(row, float) for row in rows])


def three_stays() -> list[Stay]:
    return measured([60, 40, 10], [80, np.nan, 20], [100, 60, 30])


def test_numbers_are_standardised_and_a_missing_one_is_said() -> None:
    encoder = make_measurements()
    learned = encoder.fit(three_stays())
    encoder.restore(learned)
    up = np.sqrt(1.5)
    np.testing.assert_allclose(
        encoder.encode(three_stays()).vectors,
        [[-up, -1, -up, 0], [0, 0, 0, 1], [up, 1, up, 0]],
        atol=1e-6,
    )
    assert encoder.feature_names(learned) == ["heart_rate", "p_axis", "qrs_axis", "p_axis missing"]


def test_what_only_others_lack_is_the_mean_without_a_column() -> None:
    encoder = fitted(make_measurements(), three_stays())
    found = encoder.encode(measured([np.nan, np.nan, np.nan])).vectors
    np.testing.assert_array_equal(found, [[0, 0, 0, 1]])


def test_what_train_never_measured_says_nothing() -> None:
    train = measured([60, np.nan, 10], [80, np.nan, 20])
    found = fitted(make_measurements(), train).encode(measured([70, 300, 15])).vectors
    np.testing.assert_array_equal(found, [[0, 0, 0, 0]])


def test_measurements_in_any_company_and_order() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(70, 20, (60, 3))
    table[rng.random((60, 3)) < 0.1] = np.nan
    crowd = measured(*table.tolist())
    assert_same_in_any_company(fitted(make_measurements(), crowd), crowd)
    assert_fit_ignores_order(make_measurements, crowd)


@pytest.mark.parametrize("train", [[], measured([np.nan] * 3, [np.nan] * 3)])
def test_no_measurement_in_train_is_nothing_to_fit(train: list[Stay]) -> None:
    with pytest.raises(NothingToFit, match="train split"):
        make_measurements().fit(train)


def test_a_seed_without_variables_is_for_the_other_encoder() -> None:
    variables = {"protocol": "strict"}
    refusal = unsuited(EcgMeasurements, context("ecg_measurements", variables=variables))
    assert refusal and "names no variable" in refusal and "\n" not in refusal
    of = context("ecg_measurements", variables=variables, columns=COLUMNS)
    assert unsuited(EcgMeasurements, of) is None


def ecgs() -> duckdb.DuckDBPyConnection:
    db = duckdb.connect()
    db.execute("create schema marts")
    db.execute(
        "create table marts.ecgs as select *, concat('files/', study_id) as path from (values"
        " (1, 11, 2.0, 80.0, null, 5.0), (1, 12, 1.0, 60.0, 40.0, 5.0),"
        " (2, 21, 3.0, 90.0, 30.0, 9.0), (2, 22, 3.0, 91.0, 31.0, 9.0))"
        " as t(stay_id, study_id, hours, heart_rate, p_axis, qrs_axis)"
    )
    return db


def test_the_last_ecg_is_read_and_of_two_at_once_the_later_number() -> None:
    reader, of = READERS["measurements"], context("ecg_measurements", columns=COLUMNS)
    with ecgs() as db:
        found, before = reader.read(db, of, [1, 2, 3]), reader.hashes(db, of)
        db.execute("update marts.ecgs set heart_rate = 61 where study_id = 12")  # an earlier one
        assert reader.hashes(db, of) == before
        db.execute("update marts.ecgs set p_axis = 41 where study_id = 11")
        after = reader.hashes(db, of)
    assert found.keys() == before.keys() == {1, 2}
    np.testing.assert_array_equal(found[1], [80, np.nan, 5])
    np.testing.assert_array_equal(found[2], [91, 31, 9])
    assert after[1] != before[1] and after[2] == before[2]


# records


def test_leads_are_read_in_order_whatever_the_order_of_the_file(tmp_path: Path) -> None:
    leads = draw_leads()
    read, rate = read_leads(write_record(tmp_path, "1", leads))
    assert (read.shape, read.dtype, rate) == ((12, 5000), np.float64, 500)
    np.testing.assert_allclose(read, leads.T, atol=0.003)  # 200 steps a mV
    turned = write_record(tmp_path, "2", leads[:, ::-1], sig_name=list(LEADS[::-1]))
    np.testing.assert_array_equal(read_leads(turned)[0], read)


def with_gap() -> np.ndarray:
    leads = draw_leads()
    leads[100:120, 7] = np.nan
    return leads


def with_flat_lead() -> np.ndarray:
    leads = draw_leads()
    leads[:, 4] = 0.1
    return leads


@pytest.mark.parametrize(
    ("leads", "options", "reason"),
    [
        (with_gap(), {}, "lead V2 has gaps"),
        (with_flat_lead(), {}, "lead aVF is flat"),
        (draw_leads()[:, :8], {}, "it has 8 leads, not 12"),
        (draw_leads(), {"sig_name": [*LEADS[:11], "VX"]}, "it has no lead V6"),
        (draw_leads(), {"units": ["mV"] * 11 + ["mmHg"]}, "its unit is not mV"),
        (draw_leads(), {"fs": 50}, "its sampling rate is not from 100 to 2000 Hz"),
        (draw_leads(seconds=2), {}, "it is shorter than 5 s or longer than 60 s"),
        (draw_leads(seconds=70), {}, "it is shorter than 5 s or longer than 60 s"),
    ],
)
def test_what_is_no_usable_ecg_has_a_reason(
    tmp_path: Path, leads: np.ndarray, options: dict[str, Any], reason: str
) -> None:
    record = write_record(tmp_path, "10000001", leads, **options)
    with pytest.raises(Unreadable) as caught:
        read_leads(record)
    assert str(caught.value) == reason


def edited(header: Path, old: str, new: str) -> None:
    text = header.read_text()
    assert old in text
    header.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda head, data: head.unlink(), "the .hea file is missing"),
        (lambda head, data: data.unlink(), "the .dat file is missing"),
        (lambda head, data: data.write_bytes(b""), "the .dat file is empty, or too large"),
        (lambda head, data: head.write_bytes(b""), "the .hea file is empty, or too large"),
        (lambda head, data: os.truncate(data, 2**30), "the .dat file is empty, or too large"),
        (lambda head, data: os.truncate(data, 5000), "the record is damaged or cut short"),
        (lambda head, data: head.write_text("<html>403 Forbidden</html>"), "none of WFDB"),
        (lambda head, data: head.write_bytes(bytes(range(256))), "none of WFDB"),
        (lambda head, data: head.write_text("x" * 70_000), "the .hea file is empty, or too large"),
        (
            lambda head, data: (
                shutil.copy(data, data.with_name("2.dat")),
                edited(head, "10000001.dat", "2.dat"),
            ),
            "its samples are in another file",
        ),
        (lambda head, data: edited(head, "10000001.dat", "../a.dat"), "the record is damaged"),
        (lambda head, data: edited(head, " 500 5000", " 500 9000"), "the record is damaged"),
        (lambda head, data: edited(head, " 16 200", " 99 200"), "the record is damaged"),
        (lambda head, data: edited(head, " 12 500", "/2 12 500"), "it has several segments"),
        (lambda head, data: edited(head, " 500 5000", " 500 99999999999"), "longer than 60 s"),
        (lambda head, data: (data.unlink(), data.mkdir()), "it is no regular file"),
        (lambda head, data: (data.unlink(), os.mkfifo(data)), "it is no regular file"),
    ],
)
def test_a_damaged_record_has_a_reason_without_its_path(
    tmp_path: Path, damage: Any, reason: str
) -> None:
    record = write_record(tmp_path, "10000001", draw_leads())
    damage(*files_of(record))
    with pytest.raises(Unreadable) as caught:
        read_leads(record)
    assert reason in str(caught.value) and "10000001" not in str(caught.value)


def test_a_path_that_leads_out_is_not_opened() -> None:
    with pytest.raises(Unreadable, match="leads out of the folder"):
        read_leads(None)


def test_a_disk_that_fails_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wfdb

    def broken(*_: Any, **__: Any) -> None:
        raise OSError(5, "Input/output error")

    record = write_record(tmp_path, "1", draw_leads())
    monkeypatch.setattr(wfdb, "rdrecord", broken)
    with pytest.raises(CharthouseError, match="cannot be read: Input/output error"):
        read_leads(record)


# beats


@pytest.mark.parametrize("bpm", [30, 45, 70, 110, 180])
def test_each_beat_is_found_once(bpm: float) -> None:
    found = r_peaks(draw_leads(bpm=bpm).T)
    due = np.arange(0.4, 10, 60 / bpm) * 500
    due = due[due < 4990]
    assert abs(len(found) - len(due)) <= 1  # one at the very end may be cut off
    assert np.abs(found[: len(due) - 1] - due[: len(found)][: len(due) - 1]).max() <= 5  # 10 ms


def test_the_median_beat_is_that_without_noise() -> None:
    clean = median_beat(draw_leads(noise=0).T, 500)
    noisy = median_beat(draw_leads(noise=0.05).T, 500)
    assert clean.shape == noisy.shape == (12, SAMPLES) and clean.dtype == np.float32
    assert np.abs(noisy - clean).max() < 0.06
    assert clean[1].argmax() * 2 == pytest.approx(125, abs=4)  # lead II, 0.25 s after the start


def test_another_rate_gives_the_same_beat() -> None:
    at_500 = median_beat(draw_leads(noise=0).T, 500)
    for rate in (250, 360, 1000):
        found = median_beat(draw_leads(noise=0, rate=rate).T, rate)
        assert np.corrcoef(found.ravel(), at_500.ravel())[0, 1] > 0.98


def test_one_odd_beat_leaves_the_median_as_it_is() -> None:
    leads = draw_leads(noise=0)
    odd = leads.copy()
    odd[2400:2700] *= -2
    difference = median_beat(odd.T, 500) - median_beat(leads.T, 500)
    assert np.abs(difference).max() < 0.1


@pytest.mark.parametrize("seed", range(5))
def test_noise_has_no_beat(seed: int) -> None:
    assert median_beat(np.random.default_rng(seed).normal(0, 0.3, (12, 5000)), 500) == NO_BEAT


def test_too_few_beats_are_none() -> None:
    assert median_beat(draw_leads(bpm=10).T, 500) == NO_BEAT


# their principal components


def make_pca() -> MedianBeatPca:
    return MedianBeatPca(context("median_beat_pca"))


def recorded(folder: Path, n: int, per_stay: int = 2) -> list[Stay]:
    items = [
        Ecg(seed, write_record(folder, str(seed), draw_leads(seed, bpm=50 + 3 * seed)))
        for seed in range(1, n + 1)
    ]
    return stays([tuple(items[k : k + per_stay]) for k in range(0, n, per_stay)])


def test_beats_are_encoded_and_averaged_over_the_stay(tmp_path: Path) -> None:
    made = recorded(tmp_path, 12)
    encoder = fitted(make_pca(), made)
    items = [item for stay in made for item in stay.content]
    of_items = np.stack(encoder.encode_items(items))  # type: ignore[attr-defined]
    beats = np.stack([median_beat(*read_leads(item.path)).ravel() for item in items]).astype(float)
    # all that the beats differ by is in the scores: distances stay as they are
    np.testing.assert_allclose(
        np.linalg.norm(of_items[:, None] - of_items, axis=2),
        np.linalg.norm(beats[:, None] - beats, axis=2),
        atol=1e-3,
    )
    found = encoder.encode(made)
    np.testing.assert_allclose(found.vectors, of_items.reshape(6, 2, -1).mean(axis=1), atol=1e-5)


def test_beats_in_any_company_and_order(tmp_path: Path) -> None:
    made = recorded(tmp_path, 12)
    assert_same_in_any_company(fitted(make_pca(), made), made)
    assert_fit_ignores_order(make_pca, made)


def test_unreadable_ecgs_are_left_out_with_their_reasons(tmp_path: Path) -> None:
    made = recorded(tmp_path, 12, per_stay=4)
    encoder = fitted(make_pca(), made)
    whole = encoder.encode(made)
    files_of(made[0].content[1].path)[1].unlink()
    for item in made[1].content:
        write_record(tmp_path, item.item, np.random.default_rng(0).normal(0, 0.3, (5000, 12)))
    found = encoder.encode(made)
    assert found.stay_ids.tolist() == [100, 102]
    assert by_stay(found)[102] == by_stay(whole)[102]
    assert [(s.stay_id, s.item, s.reason) for s in found.skipped] == [
        (100, "2", "the .dat file is missing"),
        *((101, str(item), NO_BEAT) for item in (5, 6, 7, 8)),
        (101, None, "none of its items could be encoded"),
    ]
    # and they spoil no fit
    assert fitted(make_pca(), made).encode(made).stay_ids.tolist() == [100, 102]


def test_too_few_ecgs_are_nothing_to_fit(tmp_path: Path) -> None:
    (stay,) = recorded(tmp_path, 2)
    files_of(stay.content[0].path)[0].unlink()
    with pytest.raises(NothingToFit, match="1 readable ECGs; 2 are needed"):
        make_pca().fit([stay])


def test_without_its_reader_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_not_ready(context("median_beat_pca")) is None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    due = "needs wfdb: pip install 'charthouse[ecg]', or make .venv/installed."
    assert why_not_ready(context("median_beat_pca")) == f"it {due}"
    with pytest.raises(CharthouseError) as caught:
        make_pca().load()
    assert str(caught.value) == f"median_beat_pca cannot run: it {due}"
    assert why_not_ready(context("ecg_measurements")) is None


# files of the cohort


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "ecg"
    for name in ("11", "12", "21", "22"):
        write_record(root / "files", name, draw_leads(int(name)))
    monkeypatch.setenv("CHARTHOUSE_ECG", str(root))
    return root


def test_records_are_read_in_order_of_time(folder: Path) -> None:
    with ecgs() as db:
        found = READERS["ecgs"].read(db, context("median_beat_pca"), [1, 2, 3])
    assert {stay: [ecg.item for ecg in items] for stay, items in found.items()} == {
        1: ["12", "11"], 2: ["21", "22"],
    }  # fmt: skip
    assert found[1][0].path == folder / "files/12"


@pytest.mark.parametrize("ending", [".hea", ".dat"])
def test_either_file_of_a_record_changes_the_hash(folder: Path, ending: str) -> None:
    reader, of = READERS["ecgs"], context("median_beat_pca")
    with ecgs() as db:
        before = reader.hashes(db, of)
        os.utime(folder / f"files/11{ending}", (1, 1))
        touched = reader.hashes(db, of)
        (folder / f"files/11{ending}").unlink()
        gone = reader.hashes(db, of)
    assert len({before[1], touched[1], gone[1]}) == 3
    assert before[2] == touched[2] == gone[2]


def test_a_folder_without_any_record_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, of = READERS["ecgs"], context("median_beat_pca")
    monkeypatch.setenv("CHARTHOUSE_ECG", str(tmp_path))
    with ecgs() as db:
        with pytest.raises(CharthouseError) as caught:
            reader.hashes(db, of)
        assert str(caught.value) == (
            f"None of the 4 files of marts.ecgs is below {tmp_path}. Mount the disk, or correct"
            " CHARTHOUSE_ECG."
        )
        monkeypatch.delenv("CHARTHOUSE_ECG")
        with pytest.raises(CharthouseError, match=r"files of marts\.ecgs are\. Set it as for"):
            reader.hashes(db, of)
        db.execute("delete from marts.ecgs")
        assert reader.hashes(db, of) == {}  # of whom there is no ECG the folder is not asked


def test_lists_without_records_leave_the_encoder_of_records_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARTHOUSE_ECG", str(tmp_path))
    assert why_not_ready(context("median_beat_pca")) is None  # a disk that is away stops embed
    (tmp_path / "record_list.csv").touch()
    assert why_not_ready(context("median_beat_pca")) == (
        "CHARTHOUSE_ECG has the lists of ECGs, but no folder files with the records."
    )
    assert why_not_ready(context("ecg_measurements")) is None
    (tmp_path / "files").mkdir()
    assert why_not_ready(context("median_beat_pca")) is None


def test_a_link_out_of_the_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    outside = write_record(tmp_path / "outside", "11", draw_leads())
    inside = folder / "files/11.dat"
    inside.unlink()
    inside.symlink_to(outside.with_suffix(".dat"))
    with ecgs() as db:
        found = READERS["ecgs"].read(db, context("median_beat_pca"), [1])
    assert [ecg.path and ecg.path.name for ecg in found[1]] == ["12", None]


def test_where_data_are_synthetic_each_record_must_be(folder: Path) -> None:
    record = folder / "files/11"
    header, data = files_of(record)
    check = record_check("synthetic")

    def mark() -> None:
        sums = [f"{sha256_of(file)}  files/{file.name}" for file in (header, data)]
        (folder / MARKER).write_text("\n".join(sums) + "\n")

    with pytest.raises(CharthouseError, match=f"there is no {MARKER}"):
        record_check("synthetic")(record)
    mark()
    with pytest.raises(CharthouseError, match="does not say itself that it is synthetic"):
        check(record)
    header.write_bytes(header.read_bytes() + b"# " + PICTURE_COMMENT + b"\n")
    mark()
    record_check("synthetic")(record)
    read_leads(record)  # a comment does no harm
    data.write_bytes(data.read_bytes()[::-1])
    with pytest.raises(CharthouseError, match=f"is not the file that {MARKER} lists"):
        record_check("synthetic")(record)
    record_check("credentialed")(record)
    record_check("synthetic")(None)
    record_check("synthetic")(folder / "files/absent")
