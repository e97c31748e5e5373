"""The embed job: what it writes, what it leaves alone, what it survives. Encoders here are toys."""

import contextlib
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import duckdb
import numpy as np
import pytest

import forked
from asking import write
from bench import PROJECT, UNTESTED, Bench, rewrite
from charthouse.core.cohort import read_cohort
from charthouse.core.errors import CharthouseError
from charthouse.core.synthetic_marker import MARKER, PICTURE_COMMENT, sha256_of
from charthouse.core.warehouse import open_warehouse
from charthouse.data.ecg_files import files_of
from charthouse.jobs.embed.run import EmbedRequest, embed
from charthouse.jobs.predict.vectors import find_sources
from charthouse.models.encoders.base import (
    Encoded,
    Encoder,
    FittedEncoder,
    NothingToFit,
    Skipped,
    Stay,
)
from charthouse.models.encoders.registry import encoder_specs
from charthouse.net.retry import REFUSED
from drawn_ecg import draw_leads, write_record
from small_disk import fill, needs_root, small_disk


class Toy(Encoder):
    """Length and first letters of the reports: depends on nothing but the stay."""

    reads = "texts"
    chunk_stays = 16

    def encode(self, stays: Sequence[Stay]) -> Encoded:
        vectors = [[len(s.content), sum(len(r.text) for r in s.content), 1] for s in stays]
        ids = [s.stay_id for s in stays]
        return Encoded(np.array(ids), np.array(vectors, np.float32).reshape(-1, 3))


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator["Clone"]:
    """A clone whose seed has one more row, and a way to give that row a class."""
    (tmp_path / "clone/seeds/registries").mkdir(parents=True)
    row = "toy,Toy,text,false,-,-,no,tests,3,,,,-"
    seed = tmp_path / "clone/seeds/registries/encoders.csv"
    seed.write_text((PROJECT / "seeds/registries/encoders.csv").read_text() + row + "\n")
    seed.with_name("arms.csv").write_text("arm,purpose,question\n")
    shutil.copy(PROJECT / "dbt_project.yml", tmp_path / "clone")  # which modalities there are
    module = types.ModuleType("charthouse.models.encoders.toy")
    monkeypatch.setitem(sys.modules, "charthouse.models.encoders.toy", module)
    yield Clone(tmp_path / "clone", module)


@contextlib.contextmanager
def held(warehouse: Path) -> Iterator[None]:
    """Another process has the warehouse open."""
    script = f"import duckdb; c = duckdb.connect({str(warehouse)!r}); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        try:
            yield
        finally:
            holder.kill()


class Clone:
    """Runs the toy on a warehouse."""

    def __init__(self, project: Path, module: types.ModuleType) -> None:
        self.project, self.module = project, module

    def run(self, bench: Bench, cls: type[Encoder] = Toy, **options: object) -> str:
        self.module.Toy = cls  # type: ignore[attr-defined]
        lines: list[str] = []
        watch = contextlib.nullcontext(lambda done, total: None)
        asked = EmbedRequest(**{"encoders": ["toy"], **options})  # type: ignore[arg-type]
        embed(self.project, bench.warehouse, asked, say=lines.append, watch=lambda *_: watch)
        return "\n".join(lines)


def rows(bench: Bench, columns: str = "*") -> list[tuple]:
    return bench.sql(f"select {columns} from embeddings.toy order by stay_id")


def reports_of_cohort(bench: Bench) -> dict[int, tuple]:
    found = bench.sql(
        "select stay_id, count(*), sum(length(text)) from marts.radiology_reports group by 1"
    )
    return {stay_id: (float(n), float(length), 1.0) for stay_id, n, length in found}


def test_each_stay_gets_its_vector_or_a_reason(bench: Bench, toy: Clone) -> None:
    said = toy.run(bench)
    expected = reports_of_cohort(bench)
    assert dict(rows(bench, "stay_id, embedding")) == expected
    stays = bench.one("select count(*) from marts.cohort")
    skipped = bench.sql(
        "select encoder, item, reason, count(*) from embeddings.skipped group by all"
    )
    without = stays - len(expected)
    assert skipped == [("toy", None, "no report in the window", without)]
    assert f"toy: {len(expected)} encoded" in said and f"{without} skipped" in said
    run = bench.sql(
        "select name, is_synthetic, finished_at >= started_at, counts->>'encoded', cohort_hash ="
        " (select cohort_hash from marts.cohort_definition) from results.runs"
    )
    assert run == [("toy", True, True, str(len(expected)), True)]
    assert bench.one("select count(*) from embeddings.toy join results.runs using (run_id)") == len(
        expected
    )
    assert bench.one("select data_type from duckdb_columns() where table_name = 'toy'"
                     " and column_name = 'embedding'") == "FLOAT[3]"  # fmt: skip


def test_a_second_run_does_nothing_again(bench: Bench, toy: Clone) -> None:
    toy.run(bench)
    before = rows(bench)
    said = toy.run(bench)
    assert rows(bench) == before
    assert f"toy: 0 encoded, {len(before)} kept" in said


def test_only_what_changed_is_encoded_again(bench: Bench, toy: Clone) -> None:
    toy.run(bench)
    made = "stay_id, embedding, input_hash, run_id"
    before = {row[0]: row for row in rows(bench, made)}
    note_id, stay_id = bench.sql(
        "select note_id, min(stay_id) from marts.radiology_reports group by 1"
        " having count(*) = 1 order by 1"
    )[0]
    notes = Path(bench.raw["CHARTHOUSE_NOTE"]) / "note/radiology.csv.gz"

    def add_a_word(text: str) -> str:
        at = text.index(f"\n{note_id},")
        return text[:at] + text[at:].replace('"', '"ADDENDUM ', 1)

    rewrite(notes, add_a_word)
    assert bench.build(*UNTESTED).code == 0
    toy.run(bench)
    after = {row[0]: row for row in rows(bench, made)}
    assert [stay for stay in after if after[stay] != before[stay]] == [stay_id]
    assert after[stay_id][1][1] == before[stay_id][1][1] + len("ADDENDUM ")


def test_embeddings_survive_a_full_refresh_and_a_cohort_takes_only_its_own(
    bench: Bench, toy: Clone
) -> None:
    toy.run(bench)
    before = rows(bench, "stay_id, embedding, run_id")
    assert bench.build("--full-refresh", "--vars", "{min_age: 60}").code == 0
    of_cohort = "select count(*) from embeddings.current_vectors"
    assert bench.one(of_cohort) == 0  # made under another cohort: none is taken over unasked
    said = toy.run(bench)
    assert "toy: 0 encoded" in said  # yet not one is computed again: their inputs are the same
    assert rows(bench, "stay_id, embedding, run_id") == before
    of_both = f"{of_cohort} where stay_id in (select stay_id from marts.cohort where has_text)"
    assert bench.one(of_cohort) == bench.one(of_both) == len(reports_of_cohort(bench))


def test_other_settings_encode_all_again_and_the_old_ones_belong_to_no_cohort_meanwhile(
    bench: Bench, toy: Clone
) -> None:
    class Louder(Toy):
        def settings(self) -> dict:
            return {"volume": 11}

    toy.run(bench)
    total = len(rows(bench))
    assert "5 encoded" in toy.run(bench, Louder, limit=5)
    assert bench.one("select count(*) from embeddings.current_vectors") == 5
    assert len(rows(bench)) == total  # the others wait where they are ...
    assert "5 encoded" in toy.run(bench)  # ... and are found again by their old settings
    assert bench.one("select count(*) from embeddings.current_vectors") == total


def test_a_vector_of_zeros_or_without_a_number_is_refused(bench: Bench, toy: Clone) -> None:
    class Broken(Toy):
        def encode(self, stays: Sequence[Stay]) -> Encoded:
            found = super().encode(stays)
            found.vectors[0] = 0
            found.vectors[1, 2] = np.nan
            return found

    toy.run(bench, Broken, chunk_stays=1000)
    first, second = sorted(reports_of_cohort(bench))[:2]
    assert bench.sql("select stay_id, reason from embeddings.skipped where reason like 'refused%'"
                     " order by 1") == [
        (first, "refused: all numbers of its vector are zero"),
        (second, "refused: some numbers of its vector are not finite"),
    ]  # fmt: skip
    assert not {first, second} & {row[0] for row in rows(bench)}
    # known to be hopeless: not tried again
    assert "0 encoded" in toy.run(bench, Broken)


def test_zero_is_a_vector_where_the_encoder_says_so(bench: Bench, toy: Clone) -> None:
    class Origin(Toy):
        zero_is_a_value = True

        def encode(self, stays: Sequence[Stay]) -> Encoded:
            found = super().encode(stays)
            return Encoded(found.stay_ids, np.zeros_like(found.vectors))

    assert f"{len(reports_of_cohort(bench))} encoded" in toy.run(bench, Origin)


@pytest.mark.parametrize("named", [(), ("pixel_pca", "toy")])
def test_one_encoder_that_fails_does_not_stop_the_others(
    own: Bench, toy: Clone, monkeypatch: pytest.MonkeyPatch, named: tuple[str, ...]
) -> None:
    seed = toy.project / "seeds/registries/encoders.csv"
    kept = ("encoder,", "pixel_pca,", "toy,")
    lines = [line for line in seed.read_text().splitlines() if line.startswith(kept)]
    seed.write_text("\n".join(lines) + "\n")
    monkeypatch.delenv("CHARTHOUSE_CXR", raising=False)
    with pytest.raises(CharthouseError, match="pixel_pca could not run: the lines above say why"):
        toy.run(own, encoders=named)
    assert len(rows(own)) == len(reports_of_cohort(own))


def test_a_lost_item_is_named_and_its_stay_lives_on(bench: Bench, toy: Clone) -> None:
    class Picky(Toy):
        def encode(self, stays: Sequence[Stay]) -> Encoded:
            found = super().encode(stays)
            lost = [Skipped(s.stay_id, s.content[0].note_id, "too short") for s in stays]
            return Encoded(found.stay_ids, found.vectors, lost)

    said = toy.run(bench, Picky)
    total = len(reports_of_cohort(bench))
    assert f"{total} encoded" in said and f"(and {total} single items)" in said
    notes = (
        "select count(*) from embeddings.skipped s join marts.radiology_reports r"
        " on s.item = r.note_id"
    )
    assert bench.one(f"{notes} and s.stay_id = r.stay_id where s.reason = 'too short'") == total


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (lambda found: Encoded(found.stay_ids, np.ones((len(found.stay_ids), 4), np.float32)),
         "gave vectors of 4 numbers, but seeds/registries/encoders.csv says 3"),
        (lambda found: Encoded(found.stay_ids[1:], found.vectors[1:]),
         "must give each of 16 stays one vector or one reason, and gave 15 vectors"),
        (lambda found: Encoded(np.tile(found.stay_ids, 2), np.tile(found.vectors, (2, 1))),
         "must give each of 16 stays one vector or one reason, and gave 32 vectors"),
    ],
)  # fmt: skip
def test_an_encoder_that_breaks_its_word_stops_and_writes_nothing(
    bench: Bench, toy: Clone, answer: object, complaint: str
) -> None:
    class Liar(Toy):
        def encode(self, stays: Sequence[Stay]) -> Encoded:
            return answer(super().encode(stays))  # type: ignore[operator]

    with pytest.raises(CharthouseError, match=complaint):
        toy.run(bench, Liar)
    assert bench.sql("select * from embeddings.encoded") == []


def test_a_later_run_takes_over_and_rows_of_two_settings_never_mix(
    bench: Bench, toy: Clone
) -> None:
    class Other(Toy):
        def settings(self) -> dict:
            return {"other": True}

    class Overtaken(Toy):
        def encode(self, stays: Sequence[Stay]) -> Encoded:
            toy.run(bench, Other, limit=20)  # between two transactions of this one
            return super().encode(stays)

    with pytest.raises(CharthouseError, match="Another run of toy has begun meanwhile"):
        toy.run(bench, Overtaken)
    assert len(rows(bench)) == 20
    assert bench.one("select count(distinct run_id) from embeddings.toy") == 1


def test_a_run_of_a_clock_that_was_ahead_locks_nobody_out(own: Bench, toy: Clone) -> None:
    toy.run(own, limit=3)
    ahead = "update results.runs set {0} = {0} + interval 1 year"
    write(own, ahead.format("started_at"))
    write(own, ahead.format("finished_at"))
    toy.run(own, limit=3)
    assert len(rows(own)) == 6
    runs = own.sql("select run_id from results.runs order by started_at")
    assert own.sql("select run_id from results.current_runs") == [runs[-1]] == [runs[1]]
    assert own.one("select bool_and(finished_at >= started_at) from results.runs")


ABSENT = """
    create or replace table kept as select * from marts.radiology_reports;
    delete from marts.radiology_reports;
    update marts.content_hashes set content_hash = '{}' where name = 'text'
"""


@pytest.mark.parametrize("is_noticed", [True, False])
def test_a_modality_that_was_forgotten_for_a_build_costs_no_vector(
    own: Bench, is_noticed: bool
) -> None:
    """Of a folder that a variable did not name, say: it comes back with the next build."""
    watch = contextlib.nullcontext(lambda done, total: None)

    def run() -> str:
        lines: list[str] = []
        asked = EmbedRequest(encoders=["tfidf_svd"])
        embed(PROJECT, own.warehouse, asked, say=lines.append, watch=lambda *_: watch)
        return lines[-1]

    of_text = "from marts.content_hashes where name = 'text'"
    content_hash = own.one(f"select content_hash {of_text}")
    of_encoder = "select state, encoded, skipped from reports.encoders where encoder = 'tfidf_svd'"
    vectors = "select stay_id, embedding, input_hash, run_id from embeddings.tfidf_svd order by 1"
    reasons = "select * exclude (reads) from embeddings.skipped order by stay_id, item"
    run()
    before, state, stays = (
        own.sql(vectors),
        own.sql(of_encoder),
        own.one("select count(*) from marts.cohort"),
    )
    write(own, ABSENT.format("another" if is_noticed else content_hash))
    assert f"0 encoded, 0 kept, {stays} skipped" in run()
    assert own.sql(vectors) == before
    assert own.sql(of_encoder) == [("done", 0, stays)]
    with open_warehouse(own.warehouse) as db:
        cohort = read_cohort(db)
        with pytest.raises(CharthouseError, match="has no vector for any stay"):
            find_sources(db, cohort, "tfidf_svd", cohort.tasks[0])
    noted = own.sql(reasons)
    run()
    assert own.sql(reasons) == noted  # known by now
    write(own, "insert into marts.radiology_reports select * from kept")
    write(
        own, f"update marts.content_hashes set content_hash = '{content_hash}' where name = 'text'"
    )
    assert f" 0 encoded, {len(before)} kept" in run()
    assert (own.sql(vectors), own.sql(of_encoder)) == (before, state)


def test_what_a_service_refused_is_asked_again_and_stands_while_it_does(
    own: Bench, toy: Clone
) -> None:
    first, second = sorted(reports_of_cohort(own))[:2]
    asked: list[int] = []

    class Refused(Toy):
        """Refuses one stay altogether, and one report of another."""

        def encode(self, stays: Sequence[Stay]) -> Encoded:
            found = super().encode(stays)
            asked.extend(map(int, found.stay_ids))
            whole = [Skipped(first, None, f"{REFUSED} (HTTP 400)")] * (first in found.stay_ids)
            lost = [Skipped(second, "note", f"{REFUSED} (HTTP 400)")] * (second in found.stay_ids)
            has = found.stay_ids != first
            return Encoded(found.stay_ids[has], found.vectors[has], [*whole, *lost])

    toy.run(own, Refused)
    before, skipped = rows(own), own.sql("select * from embeddings.skipped order by all")
    asked.clear()
    toy.run(own, Refused)
    assert asked == [first, second]
    assert rows(own) == before
    assert own.sql("select * from embeddings.skipped order by all") == skipped
    assert "2 encoded" in toy.run(own)  # by now it takes them
    assert dict(rows(own, "stay_id, embedding")) == reports_of_cohort(own)
    assert own.one(f"select count(*) from embeddings.skipped where reason like '{REFUSED}%'") == 0
    assert "0 encoded" in toy.run(own)


@pytest.mark.parametrize(
    ("encoder", "what"),
    [
        ("text_embedding_3_large", "reports"),
        ("text_embedding_3_large__profile", "profiles"),  # with the reports in them
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_what_the_guard_would_refuse_is_said_before_anything_is_written(
    own: Bench, monkeypatch: pytest.MonkeyPatch, encoder: str, what: str, dry_run: bool
) -> None:
    for name in ("OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "CHARTHOUSE_APPROVED_HOSTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    write(own, "update marts.cohort_definition set is_synthetic = false")
    before = own.contents()
    lines: list[str] = []
    asked = EmbedRequest(encoders=[encoder], dry_run=dry_run)
    watch = contextlib.nullcontext(lambda done, total: None)
    with contextlib.ExitStack() as refused:
        if not dry_run:
            refused.enter_context(
                pytest.raises(CharthouseError, match=r"^api\.openai\.com: refused")
            )
        embed(PROJECT, own.warehouse, asked, say=lines.append, watch=lambda *_: watch)
    if dry_run:
        assert (
            f"Sends {what} to api.openai.com. That would not go: api.openai.com: refused"
            in lines[-1]
        )
    assert own.contents() == before


PROFILE = "tfidf_svd__profile"


def test_the_whole_profile_is_a_text_of_every_stay_and_no_modality_that_a_stay_may_lack(
    own: Bench,
) -> None:
    stays = own.one("select count(*) from marts.cohort")
    assert own.sql("select stay_id, text from marts.profile_texts order by 1") == own.sql(
        "select stay_id, profile from marts.patient_profiles order by 1"
    )
    assert not own.sql("select 1 from marts.stay_modalities where modality = 'profile'")
    assert not own.one("select is_in_paper from marts.modalities where modality = 'profile'")
    for words in (
        ("embed", "--encoder", PROFILE),
        ("predict", "--task", "icu_stay_over_3_days", "--arm", "profile[tfidf_svd]"),
    ):
        done = own.charthouse(*words)
        assert done.returncode == 0, done.stderr
    part = "concat_ws(' ', kind, name, content_hash)"
    of_profile = own.sql(f"select {part} from marts.content_hashes where name = 'profile'")
    assert own.sql(f"select count(*), any_value(reads) from embeddings.{PROFILE}") == [
        (stays, [of_profile[0][0]])
    ]
    assert own.one("select count(*) from results.predictions where arm = 'profile[tfidf_svd]'")
    with open_warehouse(own.warehouse) as db:
        assert find_sources(db, read_cohort(db), PROFILE, "icu_stay_over_3_days")
    # another report is another profile, once it is told
    write(
        own,
        "update marts.patient_profiles set sections = list_transform(sections, lambda s:"
        " struct_update(s, heading := s.heading || ' Unlike.')) where stay_id in"
        " (select min(stay_id) from marts.cohort where split = 'test')",
    )
    done = own.charthouse("embed", "--encoder", PROFILE)
    assert "1 encoded" in done.stdout and f"{stays - 1} kept" in done.stdout


def test_without_names_a_profile_is_encoded_only_where_an_arm_of_the_seed_reads_it(
    built: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for root in ("CHARTHOUSE_CXR", "CHARTHOUSE_ECG"):
        monkeypatch.setenv(root, built.raw[root])
    shutil.copytree(PROJECT / "seeds", tmp_path / "seeds")
    shutil.copy(PROJECT / "dbt_project.yml", tmp_path)
    arms = tmp_path / "seeds/registries/arms.csv"

    def would_encode() -> list[str]:
        said: list[str] = []
        watch = contextlib.nullcontext(lambda done, total: None)
        embed(
            tmp_path,
            built.warehouse,
            EmbedRequest(dry_run=True),
            say=said.append,
            watch=lambda *_: watch,
        )
        return [name for line in said if (name := line.strip().split(":")[0]).endswith("__profile")]

    assert would_encode() == [PROFILE]
    rows = arms.read_text().splitlines(keepends=True)
    arms.write_text("".join(row for row in rows if not row.startswith("profile[")))
    assert would_encode() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), CharthouseError("the first one")])
def test_nothing_is_waited_for_on_the_way_out(
    own: Bench, toy: Clone, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Somebody holds the warehouse when a run is interrupted, or fails."""
    monkeypatch.setenv("CHARTHOUSE_LOCK_SECONDS", "30")
    with contextlib.ExitStack() as holders:

        class CutShort(Toy):
            def encode(self, stays: Sequence[Stay]) -> Encoded:
                holders.enter_context(held(own.warehouse))
                raise error

        began = time.monotonic()
        with pytest.raises(type(error)) as caught:
            toy.run(own, CutShort)
        assert caught.value is error and time.monotonic() - began < 15


@needs_root
def test_a_disk_that_fills_up_is_one_line_and_keeps_what_is_whole(
    own: Bench, toy: Clone, tmp_path: Path
) -> None:
    reference = reports_of_cohort(own)
    with small_disk(tmp_path, own.warehouse.stat().st_size + 4_000_000) as small:
        full = Bench(own.raw, Path(shutil.copy(own.warehouse, small)), tmp_path)
        outcomes = []
        for room in (0, 20_000, 60_000, 150_000, 300_000):
            filler = fill(small, but=room)
            with pytest.raises(CharthouseError) as caught:
                toy.run(full, chunk_stays=1)
            outcomes.append(str(caught.value))
            filler.unlink()
            if full.sql("select 1 from duckdb_tables() where table_name = 'toy'"):
                assert dict(rows(full, "stay_id, embedding")).items() <= reference.items()
        line = f"{full.warehouse}: cannot be written (no space left on its disk). Free space there,"
        assert all(found.startswith(line) for found in outcomes), outcomes
        toy.run(full)
        assert dict(rows(full, "stay_id, embedding")) == reference


def test_a_disk_that_is_not_mounted_costs_no_vector(bench: Bench) -> None:
    asked = ("embed", "--encoder", "pixel_pca")
    assert bench.charthouse(*asked).returncode == 0
    before = bench.sql("select stay_id, embedding, reads from embeddings.pixel_pca order by 1")
    away = bench.charthouse(*asked, CHARTHOUSE_CXR=str(bench.logs / "not mounted"))
    assert away.returncode == 1 and "Mount the disk, or correct CHARTHOUSE_CXR" in away.stderr
    after = bench.sql("select stay_id, embedding, reads from embeddings.pixel_pca order by 1")
    assert after == before != []


def test_ecgs_of_the_cohort_are_encoded_from_their_records(own: Bench, tmp_path: Path) -> None:
    """Of three train stays an ECG each, of a test stay two, of which one has lost its samples."""
    stays = own.sql(
        "(select stay_id from marts.cohort where split = 'train' order by 1 limit 3) union all"
        " (select stay_id from marts.cohort where split = 'test' order by 1 limit 1)"
    )
    write(own, "delete from marts.ecgs")
    root = tmp_path / "ecg"
    of_study = {study: stays[min(study, 4) - 1][0] for study in range(1, 6)}
    for study, stay in of_study.items():
        header = files_of(write_record(root / "files", str(study), draw_leads(study)))[0]
        header.write_bytes(header.read_bytes() + b"# " + PICTURE_COMMENT + b"\n")
        write(
            own,
            "insert into marts.ecgs (stay_id, study_id, observed_at, available_at, hours,"
            f" heart_rate, path) select stay_id, {study}, window_start, window_start, {study},"
            f" {60 + study}, 'files/{study}' from marts.cohort where stay_id = {stay}",
        )
    (root / "files/5.dat").unlink()
    files = sorted((root / "files").iterdir())
    marker = "\n".join(f"{sha256_of(file)}  files/{file.name}" for file in files)
    asked = ("embed", "--encoder", "median_beat_pca", "--encoder", "ecg_measurements")

    unmarked = own.charthouse(*asked, CHARTHOUSE_ECG=str(root))
    assert unmarked.returncode == 1 and "was not opened: the data count as synth" in unmarked.stdout
    (root / MARKER).write_text(marker + "\n")
    first = own.charthouse(*asked, CHARTHOUSE_ECG=str(root))
    assert first.returncode == 0, first.stderr
    for encoder, length in (("median_beat_pca", 2), ("ecg_measurements", 8 + 7)):
        found = own.sql(f"select stay_id, len(embedding) from embeddings.{encoder} order by 1")
        assert found == sorted((stay, length) for stay in {*of_study.values()})
    items = "select item, reason from embeddings.skipped where item is not null"
    assert own.sql(items) == [("5", "the .dat file is missing")]
    again = own.charthouse(*asked, CHARTHOUSE_ECG=str(root))
    assert again.stdout.count("0 encoded, 4 kept") == 2
    away = own.charthouse(*asked, CHARTHOUSE_ECG=str(tmp_path / "away"))
    assert away.returncode == 1 and "Mount the disk, or correct CHARTHOUSE_ECG" in away.stdout


def test_what_the_columns_mean_is_an_input_too(bench: Bench, project: Path) -> None:
    bench.project = project
    assert "0 kept" in bench.charthouse("embed", "--encoder", "demographics").stdout
    seed = project / "seeds/concepts/tabular_variables.csv"
    seed.write_text(seed.read_text().replace("1,age,numeric", "1,age,categorical"))
    assert bench.build(*UNTESTED).code == 0
    assert "0 kept" in bench.charthouse("embed", "--encoder", "demographics").stdout


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (",3,,,,-", ",3k,,,,-", "dimension"),
        ("toy,Toy", 'to"y,Toy', "encoder"),
        ("toy,Toy", "skipped,Toy", "encoder"),
        ("Toy,text,false", "Toy,text,True", "foundation_model"),
        ("text,false,-,-,no,tests,3,,,,-", "text,false", "number of columns"),
        (",no,tests,", ",maybe,tests,", r"saw_mimic \(yes, no, unknown\)"),
        (",no,tests,", ",no,,", "saw_mimic_source"),
    ],
)
def test_a_broken_row_of_the_seed_is_named(toy: Clone, old: str, new: str, fault: str) -> None:
    seed = toy.project / "seeds/registries/encoders.csv"
    lines = seed.read_text().replace(old, new)
    seed.write_text(lines)
    last = len(lines.splitlines())
    with pytest.raises(CharthouseError, match=f"encoders.csv, line {last}: wrong .*{fault}"):
        encoder_specs(toy.project)


def test_marts_built_again_in_the_middle_stop_the_run_and_nothing_is_mixed(
    bench: Bench, toy: Clone
) -> None:
    class Slow(Toy):
        built: ClassVar[list[int]] = []

        def encode(self, stays: Sequence[Stay]) -> Encoded:
            if not self.built:  # between two transactions the warehouse is free
                self.built.append(bench.build(*UNTESTED, "--vars", "{min_age: 60}").code)
            return super().encode(stays)

    with pytest.raises(CharthouseError, match="built again meanwhile"):
        toy.run(bench, Slow)
    assert Slow.built == [0]
    assert bench.sql("select * from embeddings.encoded") == []


def test_a_fit_sees_only_train_is_kept_and_is_not_made_twice(bench: Bench, toy: Clone) -> None:
    seen: list[tuple[int, str]] = []

    class Fitted(Toy, FittedEncoder):
        def fit(self, stays: object) -> dict:
            seen.extend((s.stay_id, s.split) for s in stays)  # type: ignore[attr-defined]
            return {"mean": np.array([len(seen)])}

        def restore(self, learned: object) -> None:
            self.mean = learned["mean"]  # type: ignore[index]

    toy.run(bench, Fitted, limit=3)
    train = "select stay_id, split from marts.cohort where split = 'train' and has_text order by 1"
    assert seen == bench.sql(train)
    seen.clear()
    toy.run(bench, Fitted)
    assert seen == [] and bench.one("select count(*) from embeddings.fitted") == 1


def test_nothing_to_fit_is_a_reason_not_a_crash(bench: Bench, toy: Clone) -> None:
    class Hopeless(Toy, FittedEncoder):
        def fit(self, stays: object) -> dict:
            raise NothingToFit("one report is too few")

        def restore(self, learned: object) -> None: ...

    assert "0 encoded" in toy.run(bench, Hopeless)
    reasons = bench.sql("select distinct reason from embeddings.skipped order by 1")
    assert reasons == [("no report in the window",), ("nothing to fit on: one report is too few",)]


def test_per_task_encoders_have_a_task_column_and_labels(bench: Bench, toy: Clone) -> None:
    class Taught(Toy, FittedEncoder):
        per_task = True

        def fit(self, stays: Iterable[Stay]) -> dict:
            return {"positives": np.array([stay.label for stay in stays]).sum()}

        def restore(self, learned: Mapping[str, np.ndarray]) -> None:
            self.positives = int(learned["positives"])

        def encode(self, stays: Sequence[Stay]) -> Encoded:
            assert {stay.label for stay in stays} == {None}  # to encode, nobody needs one
            found = super().encode(stays)
            found.vectors[:, 2] = self.positives
            return found

    toy.run(bench, Taught, tasks=["in_hospital_mortality"])
    toy.run(bench, Taught)
    of_train = "select sum(label) from marts.labels join marts.cohort using (stay_id)"
    of_train += " where split = 'train' and has_text and task ="
    tasks = [task for (task,) in bench.sql("select distinct task from marts.labels order by 1")]
    assert len(tasks) == 7
    assert bench.sql(
        "select task, count(*), any_value(embedding[3]) from embeddings.toy group by 1 order by 1"
    ) == [(task, len(reports_of_cohort(bench)), bench.one(f"{of_train} '{task}'"))
          for task in tasks]  # fmt: skip
    with pytest.raises(CharthouseError, match="--task 'death' is none of"):
        toy.run(bench, Taught, tasks=["death"])


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(bench: Bench, toy: Clone) -> None:
    toy.run(bench, limit=4)
    before = bench.contents()
    said = toy.run(bench, limit=10, dry_run=True)
    left = len(reports_of_cohort(bench)) - 4
    assert f"would encode 10 stays on cpu ({left - 10} more are left by the limit)" in said
    assert "4 are encoded already" in said
    assert bench.contents() == before


def test_the_size_of_a_chunk_changes_nothing(bench: Bench, toy: Clone) -> None:
    toy.run(bench, chunk_stays=1, limit=60)
    one_by_one = rows(bench, "stay_id, embedding, input_hash")
    duckdb.connect(str(bench.warehouse)).execute("delete from embeddings.toy").close()
    toy.run(bench, chunk_stays=1000, limit=60)
    assert rows(bench, "stay_id, embedding, input_hash") == one_by_one


def embed_and_die(bench: Bench, options: EmbedRequest, seconds: float | None) -> None:
    """In a process of its own: runs the job, and kills itself in the middle as kill -9 does."""
    os.environ.update(bench.env())
    if seconds is not None:
        bomb = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))
        bomb.daemon = True  # a run that is done before its time may end
        bomb.start()
    watch = contextlib.nullcontext(lambda done, total: None)
    embed(bench.project, bench.warehouse, options, say=print, watch=lambda *_: watch)


def test_killed_at_random_moments_nothing_is_lost_or_done_twice(bench: Bench) -> None:
    options = EmbedRequest(encoders=["summary", "tfidf_svd"], chunk_stays=6)
    reference = Bench(bench.raw, bench.warehouse.with_name("reference.duckdb"), bench.logs)
    reference.warehouse.write_bytes(bench.warehouse.read_bytes())

    def run(bench: Bench, seconds: float | None) -> int:
        process = forked.start(embed_and_die, bench, options, seconds)
        process.join()
        return process.exitcode  # type: ignore[return-value]

    assert run(reference, None) == 0
    moments = random.Random(7)
    kills, known = 0, {}
    # ever later, or a slow machine would never get past the fit, which is kept only when made
    while run(bench, moments.uniform(0.05, 1.0 + kills / 5)) == -signal.SIGKILL:
        kills += 1
        found = bench.sql("select (encoder, stay_id), (input_hash, run_id) from embeddings.encoded")
        assert len(found) == len(dict(found))
        assert known.items() <= dict(found).items()  # whole, and of the run that made it
        known = dict(found)
    assert kills >= 3 and bench.one("select count(*) from results.runs where finished_at is null")
    for table in ("summary", "tfidf_svd"):
        query = f"select stay_id, embedding, input_hash from embeddings.{table} order by 1"
        assert bench.sql(query) == reference.sql(query)
    query = "select encoder, stay_id, item, reason from embeddings.skipped order by all"
    assert bench.sql(query) == reference.sql(query)


def test_a_run_waits_for_the_warehouse_and_lets_others_in_between(bench: Bench) -> None:
    holder = duckdb.connect(str(bench.warehouse))
    process = bench.start_charthouse("embed", "--encoder", "fixed_interval", "--chunk-stays", "5")
    time.sleep(3)
    assert process.poll() is None
    holder.close()
    reads = 0
    while process.poll() is None:
        with contextlib.suppress(duckdb.IOException):
            bench.sql("select count(*) from marts.cohort")
            reads += 1
        time.sleep(0.02)
    errors = process.stderr.read()  # type: ignore[union-attr]
    assert process.returncode == 0, errors
    assert "is in use by" in errors
    assert reads > 3


def test_an_interrupted_run_ends_with_one_line_and_keeps_what_it_has(bench: Bench) -> None:
    asked = ("embed", "--encoder", "fixed_interval")
    process = bench.start_charthouse(*asked, "--chunk-stays", "1")
    encoded = "select count(*) from embeddings.encoded"
    while process.poll() is None:
        with contextlib.suppress(duckdb.Error):
            if bench.one(encoded):
                break
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.splitlines()[-1].startswith("charthouse: interrupted. Finished batches are kept")
    assert "Traceback" not in errors
    kept = bench.one(encoded)
    done = bench.charthouse(*asked)
    assert f"{kept} kept" in done.stdout


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--encoder", "swim"), "Unknown encoder 'swim'. Did you mean 'swin'?"),
        (("--encoder", "gru", "--encoder", "swim"), "Unknown encoder 'swim'."),
        (("--task", "death", "--encoder", "gru"), "--task 'death' is none of icu_mortality, icu"),
        (("--device", "float32"), "--device 'float32' is none of auto, cpu, cuda."),
        (("--precision", "half"), "--precision 'half' is none of float32, bfloat16."),
    ],
)
def test_a_mistake_is_one_line(bench: Bench, asked: tuple[str, ...], said: str) -> None:
    done = bench.charthouse("embed", *asked)
    assert done.stderr.startswith(f"charthouse: {said}") and done.stderr.count("\n") == 1
    assert done.returncode == 1


def test_a_warehouse_without_results_says_to_build_it(bench: Bench) -> None:
    with duckdb.connect(str(bench.warehouse)) as database:
        database.execute("drop table results.runs")
    for command in ("embed", "encoders"):
        done = bench.charthouse(command)
        assert done.returncode == 1 and "Run charthouse build" in done.stderr
        assert done.stderr.count("\n") == 1
    assert bench.build(*UNTESTED).code == 0
    assert bench.charthouse("encoders").returncode == 0


def test_the_tutorial_on_a_model_of_ones_own_does_what_it_says(
    bench: Bench, tmp_path: Path
) -> None:
    page = (PROJECT / "docs/tutorial/your-model.md").read_text()
    row, module = (re.search(rf"```{kind}\n(.*?)```", page, re.S)[1] for kind in ("csv", "python"))
    for name in ("python", "macros", "models", "profiles", "seeds", "tests"):
        shutil.copytree(PROJECT / name, tmp_path / "clone" / name)
    shutil.copy(PROJECT / "dbt_project.yml", tmp_path / "clone")
    with (tmp_path / "clone/seeds/registries/encoders.csv").open("a") as seed:
        seed.write(row)
    (tmp_path / "clone/python/charthouse/models/encoders/last_hour.py").write_text(module)
    bench.project = tmp_path / "clone"
    bench.environment["PYTHONPATH"] = str(tmp_path / "clone/python")
    assert bench.build(*UNTESTED).code == 0
    said = {}
    for command in re.findall(r"^charthouse (.*)$", page, re.M):
        done = bench.charthouse(*shlex.split(command))
        assert done.returncode == 0, done.stderr
        said[command.split()[0]] = done.stdout
    assert re.search(r"last_hour .* done", said["encoders"])
    assert "structured[last_hour]" in said["leaderboard"]
    query, compared = re.findall(r"```sql\n(.*?)```", page, re.S)
    first = "select avg(value) from marts.vitals_hourly where variable = 'abp_diastolic'"
    of_train = f"{first} and hour = 23 and stay_id in"
    train = "(select stay_id from marts.cohort where split = 'train' and has_vitals)"
    averages = {split: average for split, _, average in bench.sql(query)}
    assert averages["train"] == pytest.approx(bench.one(f"{of_train} {train}"), rel=1e-6)
    state = "select state, encoded from reports.encoders where encoder = 'last_hour'"
    with_vitals = bench.one("select count(*) from marts.cohort where has_vitals")
    assert bench.sql(state) == [("done", with_vitals)]
    assert {row[:2] for row in bench.sql(compared)} == {
        ("structured[last_hour]", "structured[demographics]")
    }


class FitsOnTest(Toy, FittedEncoder):
    fits_on = ("train", "test")

    def fit(self, stays: object, labels: object) -> dict[str, np.ndarray]:
        raise AssertionError

    def restore(self, learned: object) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (type("Reads", (Toy,), {"reads": "waveforms"}), "toy reads 'waveforms'. Known: "),
        (FitsOnTest, "toy would fit on the test split: correct its fits_on."),
        (type("Unsuited", (Toy,), {"unsuited": classmethod(lambda cls, context: "toy: no.")}),
         "toy: no."),
    ],
    ids=["reads", "fits on test", "unsuited"],
)  # fmt: skip
def test_an_encoder_that_must_not_run_leaves_no_trace(
    own: Bench, toy: Clone, cls: type[Encoder], said: str
) -> None:
    before = own.contents()
    with pytest.raises(CharthouseError) as caught:
        toy.run(own, cls)
    assert str(caught.value).startswith(said)
    assert own.contents() == before
