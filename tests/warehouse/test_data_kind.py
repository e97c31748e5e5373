"""Synthetic means synthetic: the marker is believed only as far as the files bear it out."""

import csv
import gzip
import os
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import PIL.Image
import pytest
from pytest_httpserver import HTTPServer

from asking import put, write
from bench import FAKE, PROJECT, UNTESTED, Bench
from charthouse.core.cohort import read_cohort
from charthouse.core.data_kind import data_kind_of, headline
from charthouse.core.errors import CharthouseError
from charthouse.core.synthetic_marker import (
    GZIP_NAME,
    MARKER,
    PICTURE_COMMENT,
    SyntheticPictures,
    sha256_of,
    why_not_synthetic,
    write_marker,
)
from charthouse.core.warehouse import open_warehouse
from charthouse.data.xray_files import Unreadable, picture_check, read_grayscale
from charthouse.synth.mimic import write_synthetic_mimic
from fake_chat import Chat, picture_of

KIND = "select is_synthetic, data_kind, data_source from marts.cohort_definition"
SAID = "NOT SYNTHETIC, counted as"
MARTS = ("--exclude", "path:models/reports", *UNTESTED)
UNCHANGED = "unchanged, not read again"
REAL = b"note_id,subject_id\n1,10000032\n"
PATIENTS = "hosp/patients.csv.gz"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic MIMIC, small; read only."""
    folder = tmp_path_factory.mktemp("made") / "data"
    write_synthetic_mimic(folder, stays=8, seed=2, rows_per_stay=20, image_pixels=32)
    return folder


@pytest.fixture
def spoiled(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoiled."""
    shutil.copytree(made, tmp_path / "data")
    return tmp_path / "data"


def why(folder: Path, *tables: str) -> str | None:
    return why_not_synthetic(folder, {name: sha256_of(folder / name) for name in tables})


def listed_by_hand(folder: Path) -> None:
    """A marker whose every line is right."""
    (folder / MARKER).unlink(missing_ok=True)
    with ThreadPoolExecutor(1) as pool:
        write_marker(folder, "Synthetic data", pool)


def packed(text: bytes, name: str = "") -> bytes:
    """As gzip packs it under a name."""
    body = gzip.compress(text, mtime=0)
    return body[:3] + b"\x08" + body[4:10] + name.encode() + b"\0" + body[10:] if name else body


# The marker


def test_what_synth_makes_is_synthetic_and_sha256sum_agrees(made: Path) -> None:
    for folder, table in [
        ("mimic-iv", PATIENTS),
        ("mimic-iv-note", "note/radiology.csv.gz"),
        ("mimic-cxr", "mimic-cxr-2.0.0-metadata.csv.gz"),
        ("mimic-iv-ecg", "record_list.csv.gz"),
    ]:
        root = made / folder
        assert why(root, table) is None
        tables = [path.relative_to(root).as_posix() for path in root.rglob("*.csv.gz")]
        assert why(root, *tables) is None
        assert table in tables
        checked = subprocess.run(
            ["sha256sum", "--check", "--strict", MARKER], cwd=root, capture_output=True, text=True
        )
        assert checked.returncode == 0, checked.stderr
        n_files = sum(path.is_file() for path in root.rglob("*"))
        assert len(checked.stdout.splitlines()) == n_files - 1 and table in checked.stdout


def other_table(root: Path) -> None:
    (root / PATIENTS).write_bytes(packed(REAL, f"{GZIP_NAME}patients.csv"))


def without_its_name(root: Path) -> None:
    (root / PATIENTS).write_bytes(packed(gzip.decompress((root / PATIENTS).read_bytes())))
    listed_by_hand(root)


def one_letter(root: Path) -> None:
    marker = root / MARKER
    name = f"  {PATIENTS}"
    sum_ = sha256_of(root / PATIENTS)
    marker.write_text(marker.read_text().replace(sum_ + name, "0" * 64 + name))


def linked_folder(root: Path) -> None:
    (root / "hosp").rename(root.parent / "elsewhere")
    (root / "hosp").symlink_to(root.parent / "elsewhere")


def marker_of_another(root: Path) -> None:
    shutil.copy(root.parent / "mimic-iv-note" / MARKER, root)


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no marker": (lambda root: (root / MARKER).unlink(), "there is no SYNTHETIC.txt"),
    "empty marker": (lambda root: (root / MARKER).write_text(""), "lists no file"),
    "marker of an older version": (
        lambda root: (root / MARKER).write_text("Synthetic data: nothing here is of a patient.\n"),
        "lists no file",
    ),
    "marker is no text": (lambda root: (root / MARKER).write_bytes(b"\xff\xfe"), "is no text"),
    "marker has another line": (
        lambda root: (root / MARKER).write_text(
            (root / MARKER).read_text().replace("admissions.csv.gz\n", "admissions.csv.gz\nx\n")
        ),
        "line 5: no SHA-256",
    ),
    "marker of another folder": (marker_of_another, "does not list 'hosp/admissions.csv.gz'"),
    "table changed": (other_table, f"'{PATIENTS}' is not the file"),
    "real rows behind the synthetic ones": (
        lambda root: (root / PATIENTS).write_bytes((root / PATIENTS).read_bytes() + packed(REAL)),
        f"'{PATIENTS}' is not the file",
    ),
    "sum changed": (one_letter, f"'{PATIENTS}' is not the file"),
    "table packed anew, sum right": (without_its_name, f"'{PATIENTS}' does not say itself"),
    "file added": (
        lambda root: (root / "hosp/transfers.csv.gz").write_bytes(packed(REAL)),
        "does not list 'hosp/transfers.csv.gz'",
    ),
    "hidden file added": (
        lambda root: (root / "icu/.chartevents.swp").write_bytes(REAL),
        "does not list 'icu/.chartevents.swp'",
    ),
    "second form of a table added": (
        lambda root: (root / "hosp/patients.csv").write_bytes(REAL),
        "does not list 'hosp/patients.csv'",
    ),
    "file in a new folder": (
        lambda root: ((root / "ed").mkdir(), (root / "ed/triage.csv").write_bytes(REAL)),
        "does not list 'ed/triage.csv'",
    ),
    "marker in a folder below": (
        lambda root: shutil.copy(root / MARKER, root / "hosp"),
        "does not list 'hosp/SYNTHETIC.txt'",
    ),
    "name of two lines": (
        lambda root: (root / "hosp/a\nb").write_bytes(REAL),
        r"does not list 'hosp/a\nb'",
    ),
    "name that is no UTF-8": (
        lambda root: Path(os.fsdecode(os.fsencode(root) + b"/hosp/\xff")).write_bytes(REAL),
        "does not list 'hosp/\\udcff'",
    ),
    "file taken away": (
        lambda root: (root / "icu/d_items.csv.gz").unlink(),
        "lists 'icu/d_items.csv.gz', which is not there",
    ),
    "link to a folder": (linked_folder, "does not list 'hosp'"),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILED)
def test_a_marker_is_not_believed_where_anything_differs(spoiled: Path, case: str) -> None:
    spoil, expected = SPOILED[case]
    root = spoiled / "mimic-iv"
    spoil(root)
    reason = why(root, PATIENTS)
    assert reason is not None and expected in reason and str(root) in reason
    assert "\n" not in reason and "charthouse synth" in reason and "10000032" not in reason
    reason.encode()  # can be printed


def test_a_picture_more_is_one_file_more(spoiled: Path) -> None:
    root = spoiled / "mimic-cxr"
    shutil.copy(next(root.rglob("*.jpg")), root / "files/added.jpg")
    assert "does not list 'files/added.jpg'" in str(why(root))


def test_a_folder_that_is_reached_by_a_link_is_what_it_was(made: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(made / "mimic-iv")
    assert why(tmp_path / "link", PATIENTS) is None


def test_a_picture_is_sent_as_synthetic_only_if_it_is_the_one_that_was_made(spoiled: Path) -> None:
    root = spoiled / "mimic-cxr"
    first, second, third, fourth, *_ = sorted(root.rglob("*.jpg"))
    pictures = SyntheticPictures(root)
    pictures.require(first)

    PIL.Image.new("L", (32, 32), 90).save(second)
    (root / "files/new.jpg").write_bytes(first.read_bytes())
    third.unlink()
    made = fourth.read_bytes()
    fourth.unlink()
    fourth.symlink_to("/dev/null")
    outside = spoiled / "outside.jpg"
    outside.write_bytes(first.read_bytes())
    for path, reason in [
        (second, "it is not the file that SYNTHETIC.txt lists"),
        (root / "files/new.jpg", "SYNTHETIC.txt does not list it"),
        (root / "files/.." / first.relative_to(root), "SYNTHETIC.txt does not list it"),
        (third, "it cannot be read (No such file or directory)"),
        (fourth, "it is no regular file"),  # a pipe would be waited for
        (outside, "it is not below"),
    ]:
        with pytest.raises(
            CharthouseError, match="was not opened: the data count as synthetic"
        ) as refusal:
            pictures.require(path)
        assert reason in str(refusal.value) and "\n" not in str(refusal.value)

    fourth.unlink()
    fourth.write_bytes(made)
    third.write_bytes(first.read_bytes())
    (root / "files/new.jpg").unlink()
    listed_by_hand(root)
    with pytest.raises(CharthouseError, match="does not say itself that it is synthetic"):
        SyntheticPictures(root).require(second)
    with PIL.Image.open(first) as picture:
        assert picture.info["comment"] == PICTURE_COMMENT


# A build


def marks(bench: Bench) -> dict[str, str]:
    """The last lines of the copies' comments."""
    return dict(
        bench.sql(
            "select table_name, regexp_extract(comment, 'SHA-256 .{64}\\.\n(.*)$', 1)"
            " from duckdb_tables() where schema_name = 'staging'"
        )
    )


def reasons(output: str) -> list[str]:
    return [line.split(SAID)[1] for line in output.splitlines() if SAID in line]


def test_a_folder_that_changes_takes_back_what_was_read_unchanged(bench: Bench) -> None:
    """No table is read again, and the answer is right every time."""
    assert bench.build(*MARTS).code == 0  # its files lie elsewhere than those of the warehouse
    assert bench.sql(KIND) == [(True, "synthetic", None)]
    staged = marks(bench)
    assert set(staged.values()) == {"Synthetic."}

    stray = Path(bench.raw["CHARTHOUSE_NOTE"]) / "note/more.csv"
    stray.write_bytes(REAL)
    some = bench.build("--select", "path:models/staging", *UNTESTED)
    assert some.code != 0 and "Build all (dbt build without --select)" in some.output
    assert bench.sql(KIND)[0][0] is True
    outcome = bench.build(*MARTS)
    assert outcome.code == 0 and outcome.output.count(UNCHANGED) == len(staged)
    assert bench.sql(KIND) == [(False, "credentialed", None)]
    [reason] = reasons(outcome.output)
    assert "credentialed data" in reason and "does not list 'note/more.csv'" in reason
    assert "SYNTHETIC DATA" not in outcome.output
    with open_warehouse(bench.warehouse) as db:
        assert read_cohort(db).data_kind == "credentialed"

    stray.unlink()
    outcome = bench.build(*MARTS)
    assert outcome.code == 0 and outcome.output.count(UNCHANGED) == len(staged)
    assert not reasons(outcome.output) and bench.sql(KIND) == [(True, "synthetic", None)]


def test_reports_that_do_not_begin_as_synthetic_ones_are_none(bench: Bench) -> None:
    """The marker and the file's header agree: only the rows do not."""
    root = Path(bench.raw["CHARTHOUSE_NOTE"])
    path = root / "note/radiology.csv.gz"
    text = gzip.decompress(path.read_bytes()).replace(b"SYNTHETIC REPORT", b"CHEST RADIOGRAPH", 2)
    path.write_bytes(packed(text, f"{GZIP_NAME}radiology.csv"))
    listed_by_hand(root)
    assert why(root, "note/radiology.csv.gz") is None
    outcome = bench.build(*MARTS)
    assert outcome.code == 0, outcome.output
    [reason] = reasons(outcome.output)
    assert f"{path}: 2 rows whose text does not begin" in reason and "CHEST" not in reason
    assert bench.sql(KIND) == [(False, "credentialed", None)]


def test_real_rows_in_a_run_of_some_models_are_refused(bench: Bench) -> None:
    before = bench.md5()
    root = Path(bench.raw["CHARTHOUSE_MIMICIV"])
    path = root / PATIENTS
    path.write_bytes(packed(gzip.decompress(path.read_bytes())))
    for selected in (
        ["stg_mimiciv__patients"],
        ["path:models/staging", "cohort_definition", "content_hashes"],
    ):
        outcome = bench.build("--select", *selected, *UNTESTED)
        assert outcome.code != 0 and "now hold credentialed data" in outcome.output
        assert bench.md5() == before


# Open data


def test_the_open_demo_is_open_data_and_no_marker_makes_it_synthetic(
    real_demo: Path, tmp_path: Path
) -> None:
    demo = tmp_path / "demo"
    shutil.copytree(real_demo, demo, copy_function=os.link)
    demo.chmod(0o755)
    listed_by_hand(demo)  # every line of it is right
    bench = Bench({"CHARTHOUSE_MIMICIV": str(demo)}, tmp_path / "demo.duckdb", tmp_path)
    name = "MIMIC-IV Clinical Database Demo 2.2 (ODbL 1.0)"
    outcome = bench.build(*MARTS)
    assert outcome.code == 0, outcome.output
    assert bench.sql(KIND) == [(False, "open", name)]
    assert f"OPEN DATA of real patients, de-identified: {name}." in outcome.output
    [reason] = reasons(outcome.output)
    assert "open data" in reason and "does not say itself that it is synthetic" in reason
    with open_warehouse(bench.warehouse) as db:
        cohort = read_cohort(db)
        assert (cohort.data_kind, cohort.is_synthetic) == ("open", False)
        assert f"(OPEN DATA: {name}, protocol strict" in cohort.describe()

    (demo / MARKER).unlink()
    items = demo / "icu/d_items.csv.gz"
    content = gzip.decompress(items.read_bytes())
    items.unlink()
    items.write_bytes(gzip.compress(content))
    outcome = bench.build(*MARTS)
    assert outcome.code == 0, outcome.output
    assert bench.sql(KIND) == [(False, "credentialed", None)]
    [reason] = reasons(outcome.output)
    assert f"icu/d_items differs from the published one of {name}" in reason
    assert "SYNTHETIC.txt" not in reason and "OPEN DATA" not in outcome.output


def test_the_published_sums_of_the_demo_are_known(real_demo: Path) -> None:
    with (PROJECT / "seeds/published/open_data.csv").open() as file:
        known = {row["sha256"]: row for row in csv.DictReader(file)}
    published = dict(
        reversed(line.split(maxsplit=1))
        for line in (real_demo / "SHA256SUMS.txt").read_text().splitlines()
    )
    tables = {name: sum_ for name, sum_ in published.items() if "/" in name}
    assert len(tables) == 31
    for name, sum_ in tables.items():
        assert known[sum_]["file"] == name and known[sum_]["licence"] == "ODbL 1.0"
    for name in ("hosp/patients", "hosp/admissions", "icu/icustays", "icu/chartevents"):
        assert sha256_of(real_demo / f"{name}.csv.gz") in known


@pytest.mark.parametrize(
    ("folder", "licence"), [("mimic-iii-demo-1.4", "ODbL 1.0"), ("physionet-2012-a", "ODC-By 1.0")]
)
def test_the_other_open_sets_are_known(real_demo: Path, folder: str, licence: str) -> None:
    root = real_demo.parent / folder
    if not root.exists():
        pytest.skip(f"{folder} is not beside the open demo")
    with (PROJECT / "seeds/published/open_data.csv").open() as file:
        known = {row["sha256"]: row["licence"] for row in csv.DictReader(file)}
    for path in root.rglob("*.csv.gz"):
        assert known[sha256_of(path)] == licence


def test_a_definition_that_contradicts_itself_is_credentialed() -> None:
    for is_synthetic, kind, expected in [
        (True, "synthetic", "synthetic"),
        (False, "open", "open"),
        (False, "credentialed", "credentialed"),
        (False, "synthetic", "credentialed"),
        (True, "open", "credentialed"),
        (True, "credentialed", "credentialed"),
    ]:
        assert data_kind_of({"is_synthetic": is_synthetic, "data_kind": kind}) == expected
    assert headline("credentialed", None) is None


# What is asked beyond this machine


@pytest.fixture
def far(certificate: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    """A server of another name, by TLS."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with HTTPServer(host="127.0.0.1", ssl_context=context, threaded=True) as server:
        far = Chat(server)
        server.expect_request("/v1/chat/completions", method="POST").respond_with_handler(
            far.handle
        )
        yield far


@pytest.mark.usefixtures("resolved")
def test_a_picture_that_is_not_synthetic_is_not_sent_with_those_that_are(
    bench: Bench, far: Chat, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(bench.raw["CHARTHOUSE_CXR"])
    monkeypatch.setenv("CHARTHOUSE_CXR", str(root))
    url = f"https://{FAKE}:{far.server.port}/v1"
    put(bench, base_url=url, conditions=["image_only"])
    n_pictures = len(far.bodies)
    assert n_pictures > 0 and all(map(picture_of, far.bodies))
    assert bench.sql("select distinct allowed_because from results.sends") == [("synthetic",)]

    for path in root.rglob("*.jpg"):
        PIL.Image.new("L", (40, 40), 90).save(path)
    with pytest.raises(CharthouseError, match=r"not the file that SYNTHETIC\.txt lists") as refusal:
        put(bench, base_url=url, conditions=["image_only"])
    assert "\n" not in str(refusal.value) and "was not opened" in str(refusal.value)
    assert len(far.bodies) == n_pictures
    with pytest.raises(CharthouseError, match="was not opened"):  # nor on this machine
        put(bench, chat, conditions=["image_only"])
    assert not chat.bodies
    write(bench, "update marts.cohort_definition set data_kind = 'credentialed'")
    put(bench, chat, conditions=["image_only"])  # as what they are they may be read here
    assert len(chat.bodies) == n_pictures


def test_other_bytes_under_the_name_of_a_synthetic_picture_are_not_encoded(bench: Bench) -> None:
    root = Path(bench.raw["CHARTHOUSE_CXR"])
    [path], *_ = bench.sql("select path from marts.chest_xrays order by path")
    made = (root / path).read_bytes()

    def other_bytes() -> None:
        PIL.Image.new("L", (40, 40), 90).save(root / path)

    for spoil, reason in [
        (
            other_bytes,
            f"{path} was not opened: the data count as synthetic, and it is not the file",
        ),
        (lambda: listed_by_hand(root), "it does not say itself that it is synthetic"),
        ((root / MARKER).unlink, "there is no SYNTHETIC.txt"),
    ]:
        spoil()
        done = bench.charthouse("embed", "--encoder", "pixel_pca")
        assert done.returncode == 1 and reason in done.stderr and "charthouse synth" in done.stderr
        assert "Traceback" not in done.stderr
        assert not bench.sql("select 1 from duckdb_tables() where table_name = 'pixel_pca'")
    (root / path).write_bytes(made)
    listed_by_hand(root)
    assert bench.charthouse("embed", "--encoder", "pixel_pca").returncode == 0


def test_a_pipe_or_device_in_place_of_a_picture_is_left_to_who_would_read_it(
    spoiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARTHOUSE_CXR", str(spoiled / "mimic-cxr"))
    path = next((spoiled / "mimic-cxr").rglob("*.jpg"))
    path.unlink()
    path.symlink_to("/dev/null")
    picture_check("synthetic")(path)
    with pytest.raises(Unreadable, match="no regular file"):
        read_grayscale(path)


def test_a_picture_that_is_gone_is_a_reason_also_among_synthetic_ones(bench: Bench) -> None:
    root = Path(bench.raw["CHARTHOUSE_CXR"])
    (gone,), (loop,), *_ = bench.sql("select distinct path from marts.chest_xrays order by path")
    (root / gone).unlink()
    (root / loop).unlink()
    (root / loop).symlink_to(root / loop)
    assert bench.charthouse("embed", "--encoder", "pixel_pca").returncode == 0
    reasons = bench.sql("select distinct reason from embeddings.skipped where item is not null")
    assert set(reasons) == {("the file is missing",), ("its path is a loop of links",)}
