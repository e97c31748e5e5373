"""One synthetic MIMIC for all tests of its writer."""

from __future__ import annotations

import duckdb
import pytest

from charthouse.synth.population import build_population
from synthetic import COLUMNS, SEED, STAYS, Made, write


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("synth") / "data"
    truth = write(root)
    sql = duckdb.connect()
    for name in COLUMNS:
        path = root / f"{name}.csv.gz"
        table = name.rsplit("/", 1)[1].removeprefix("mimic-cxr-2.0.0-").replace("-", "_")
        sql.execute(f"create table {table} as from read_csv('{path}', header=true)")
    return Made(root, truth, sql, build_population(STAYS, SEED))
