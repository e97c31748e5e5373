"""Foundation encoders from the command line to the table: tiny weights, true code, real servers."""

import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from pytest_httpserver import HTTPServer
from rich.console import Console
from typer.testing import CliRunner

from asking import write
from bench import PROJECT, UNTESTED, Bench
from charthouse.cli import app
from charthouse.core.errors import CharthouseError
from charthouse.jobs.embed.listing import encoder_table
from fake_openai import SECRET, Api
from tiny_checkpoints import write_bert, write_moment, write_swin

LOCAL = {"moment": "has_vitals", "swin": "has_image", "radbert": "has_text"}
ASKED = [word for name in LOCAL for word in ("--encoder", name)]


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    makers = {"moment": write_moment, "swin": write_swin, "radbert": write_bert}
    for name, make in makers.items():
        (folder / name).mkdir()
        make(folder / name)
    return folder


@pytest.fixture
def tiny(bench: Bench, project: Path, tiny_weights: Path) -> Bench:
    """A bench whose clone expects the lengths of the tiny checkpoints' vectors, 32."""
    seed = project / "seeds/registries/encoders.csv"
    lines = [
        line.replace(",1024,", ",32,").replace(",768,", ",32,")
        if line.split(",")[0] in LOCAL
        else line
        for line in seed.read_text().splitlines()
    ]
    seed.write_text("\n".join(lines) + "\n")
    bench.project = project
    bench.environment |= {"CHARTHOUSE_WEIGHTS": str(tiny_weights), "HF_HUB_OFFLINE": "1"}
    return bench


@pytest.fixture
def api(httpserver: HTTPServer) -> Iterator[Api]:
    served = Api(httpserver)
    httpserver.expect_request("/v1/embeddings", method="POST").respond_with_handler(served.handle)
    yield served


def stays_with(bench: Bench, flag: str) -> list[tuple]:
    return bench.sql(f"select stay_id from marts.cohort where {flag} order by 1")


def test_weights_to_vectors_and_a_spoiled_image_is_named(tiny: Bench) -> None:
    image, stay = tiny.sql(
        "select dicom_id, any_value(stay_id) from marts.chest_xrays group by 1 limit 1"
    )[0]
    path = tiny.one(f"select path from marts.chest_xrays where dicom_id = '{image}' limit 1")
    (Path(tiny.raw["CHARTHOUSE_CXR"]) / str(path)).write_bytes(b"\xff\xd8 cut")
    write(tiny, "update marts.cohort_definition set is_synthetic = false")  # else it is another's
    only = tiny.one(f"select count(*) from marts.chest_xrays where stay_id = {stay}") == 1
    done = tiny.charthouse("embed", *ASKED)
    assert done.returncode == 0, done.stderr
    for name, flag in LOCAL.items():
        expected = stays_with(tiny, flag)
        if name == "swin" and only:
            expected.remove((stay,))
        assert tiny.sql(f"select stay_id from embeddings.{name} order by 1") == expected
        assert tiny.one(f"select count(*) from embeddings.{name} where list_sum(embedding) is null"
                        " or not isfinite(list_sum(embedding))") == 0  # fmt: skip
    reason = f"select reason from embeddings.skipped where encoder = 'swin' and item = '{image}'"
    assert tiny.one(reason) == "the file is neither a JPEG nor a PNG"
    again = tiny.charthouse("embed", *ASKED)
    assert again.stdout.count(": 0 encoded") == 3, again.stdout + again.stderr


def test_other_weights_encode_all_again_and_weights_of_another_size_are_refused(
    tiny: Bench, tmp_path: Path, tiny_weights: Path
) -> None:
    assert tiny.charthouse("embed", "--encoder", "moment").returncode == 0
    before = tiny.sql("select stay_id, embedding from embeddings.moment order by 1")
    tiny.environment["CHARTHOUSE_WEIGHTS"] = str(tmp_path / "other")
    (tmp_path / "other/moment").mkdir(parents=True)
    write_moment(tmp_path / "other/moment", num_layers=1)
    assert tiny.charthouse("embed", "--encoder", "moment").returncode == 0
    after = tiny.sql("select stay_id, embedding from embeddings.moment order by 1")
    assert [row[0] for row in after] == [row[0] for row in before]
    assert not set(after) & set(before)
    write_moment(tmp_path / "other/moment", d_model=16)
    refused = tiny.charthouse("embed", "--encoder", "moment")
    assert refused.returncode == 1
    assert refused.stderr == (
        "charthouse: moment gave vectors of 16 numbers, but seeds/registries/encoders.csv says 32."
        " Give it the right weights, or correct the seed.\n"
    )
    assert tiny.sql("select stay_id, embedding from embeddings.moment order by 1") == after


def test_without_weights_a_named_encoder_is_one_line_and_the_ready_ones_run(bench: Bench) -> None:
    bench.environment |= {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(bench.logs / "no cache")}
    done = bench.charthouse("embed", "--encoder", "moment")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "hf download AutonLab/MOMENT-1-large --revision" in done.stderr
    planned = bench.charthouse("embed", "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "fixed_interval: would encode" in planned.stdout
    assert "moment: left out, its weights are not on this machine: hf download" in planned.stdout


def test_the_papers_protocol_joins_the_reports(tiny: Bench) -> None:
    assert tiny.build(*UNTESTED, "--vars", "{protocol: paper}").code == 0
    assert tiny.charthouse("embed", "--encoder", "radbert").returncode == 0
    settings = json.loads(str(tiny.one("select settings from results.runs where name = 'radbert'")))
    assert settings["report_encoding"] == "joined"
    assert tiny.sql("select stay_id from embeddings.radbert order by 1") == stays_with(
        tiny, "has_text"
    )


def test_reports_go_to_a_server_and_every_send_is_in_the_log(bench: Bench, api: Api) -> None:
    bench.environment["OPENAI_BASE_URL"] = api.server.url_for("/v1")
    done = bench.charthouse("embed", "--encoder", "text_embedding_3_large")
    assert done.returncode == 0, done.stderr
    found = bench.sql("select stay_id from embeddings.text_embedding_3_large order by 1")
    assert found == stays_with(bench, "has_text")
    sends = bench.sql(
        "select host, allowed_because, count(*), sum(items), sum(bytes)"
        " from results.sends join results.runs using (run_id) group by all"
    )
    sent = sum(len(texts) for texts in api.texts)
    size = sum(len(request.get_data()) for request in api.requests)
    assert sends == [("localhost", "loopback", len(api.requests), sent, size)]
    assert bench.one("select counts->'used'->>'tokens' from results.runs") == str(10 * sent)
    assert "cost_usd" in done.stdout and SECRET not in done.stdout + done.stderr
    before = len(api.requests)
    bench.charthouse("embed", "--encoder", "text_embedding_3_large")
    assert len(api.requests) == before  # what is kept is not paid for twice


def test_credentialed_reports_leave_for_no_host_that_is_not_approved(bench: Bench) -> None:
    for root in bench.raw.values():
        (Path(root) / "SYNTHETIC.txt").unlink()
    assert bench.build(*UNTESTED).code == 0
    assert bench.one("select is_synthetic from marts.cohort_definition") is False
    bench.environment |= {
        "OPENAI_BASE_URL": "https://llm.example.org/v1",
        "OPENAI_API_KEY": "k-123",
    }
    done = bench.charthouse("embed", "--encoder", "text_embedding_3_large")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "llm.example.org: refused, nothing was sent" in done.stderr
    assert "k-123" not in done.stderr + done.stdout
    assert bench.sql("select * from results.sends") == []


# `charthouse encoders`


def listed(warehouse: Path) -> str:
    heading, table, lines = encoder_table(PROJECT, warehouse)
    console = Console(width=200)
    with console.capture() as captured:
        console.print(table)
    return "\n".join([heading, captured.get(), *lines])


@pytest.mark.parametrize(
    "error",
    [
        ImportError("cannot import name 'x' from 'huggingface_hub'\nand more"),
        OSError("libcudnn.so.9: cannot open shared object file"),
        RuntimeError(),
    ],
)
def test_an_encoder_that_cannot_be_imported_is_listed_and_so_are_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    imported: Callable = importlib.import_module

    def import_module(name: str) -> object:
        if name == "charthouse.models.encoders.moment":
            raise error
        return imported(name)

    monkeypatch.setattr(importlib, "import_module", import_module)
    said = listed(tmp_path / "[/none].duckdb")
    assert f"Encoders, before {tmp_path / '[/none].duckdb'} is built\n" in said
    reason = " ".join([type(error).__name__, *str(error).splitlines()[:1]])
    assert f"moment is not ready: Encoder 'moment' cannot be imported ({reason}). Install" in said
    assert "pixel_pca" in said and "and more" not in said


def test_the_listing_knows_the_table_and_the_settings(bench: Bench) -> None:
    with duckdb.connect(str(bench.warehouse)) as database:
        for name, length in (("fixed_interval", 624), ("demographics", 41)):
            database.execute(f"create table embeddings.{name} (embedding float[{length}] not null)")
        database.execute("update marts.cohort_definition set variables ="
                         " json_merge_patch(variables, '{\"imputation\": \"none\"}')")  # fmt: skip
    said = listed(bench.warehouse)
    assert f"Encoders, and their state in {bench.warehouse}\n" in said
    lengths = {line.split()[0]: line.split()[2:5] for line in said.splitlines() if " 0 " in line}
    assert lengths["demographics"] == ["41", "no", "ready"]
    assert lengths["fixed_interval"] == ["624", "no", "not"]
    assert lengths["summary"] == ["-", "no", "ready"]
    assert "fixed_interval is not ready: marts.vitals_hourly has gaps" in said


def test_a_view_of_an_older_clone_is_one_line(bench: Bench) -> None:
    for view in ("create or replace view {} as select 1 as encoder", "drop view {}"):
        with duckdb.connect(str(bench.warehouse)) as database:
            database.execute(view.format("reports.encoders"))
        done = CliRunner().invoke(app, ["encoders"], env=bench.env())
        assert isinstance(done.exception, CharthouseError), done.output
        assert "lacks reports.encoders, or has an old one. Run charthouse build." in str(
            done.exception
        )
