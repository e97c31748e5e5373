"""What somebody wrote about a patient: what a published copy of real patients is without.

Columns say so in the yml beside their model (`config: {meta: {free_text: true}}`), and the build
notes it in marts.declared_columns. What no contract declares is left out too: nobody has said what
it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

EMBEDDINGS = "embeddings"
FITTED = (EMBEDDINGS, "fitted")

# Results and embeddings outlive the cohort: each row is judged by its own run, not by the marts.
SYNTHETIC = "run_id in (select run_id from results.runs where is_synthetic)"
# What a text encoder learned are words of reports, and so may be that of an encoder nobody knows.
NO_WORDS = (
    f"({SYNTHETIC} or encoder in (select vectors from marts.encoder_modalities"
    " inner join seeds.encoders using (encoder) where kind <> 'text'))"
)


@dataclass(frozen=True)
class FreeText:
    """The columns of a table that hold it.

    Attributes:
        table: Its schema and name.
        columns: Their names.
        by_run: Whether the rows are of runs, which tell what they were made of.
        is_all: Whether it has no other columns.
    """

    table: tuple[str, str]
    columns: tuple[str, ...]
    by_run: bool
    is_all: bool


def free_text(db: duckdb.DuckDBPyConnection, schemas: Sequence[str]) -> list[FreeText]:
    """Of every table and view that has any.

    A table of vectors is of no contract: it has the columns of embeddings.encoded.

    Args:
        db: of open_copy.
        schemas: those that are copied.
    """
    rows = db.execute(
        "with columns as (select schema_name, table_name, column_name, column_index,"
        " is_free_text is not null as is_declared,"
        " coalesce(is_free_text, schema_name != $2 or column_name not in (select column_name"
        " from marts.declared_columns where table_name = 'encoded')"
        " or (column_name = 'vector' and data_type not like 'FLOAT[%')) as is_free_text"
        " from duckdb_columns() left join marts.declared_columns"
        " using (schema_name, table_name, column_name)"
        " where database_name = 'source' and schema_name in (select unnest($1)))"
        " select schema_name, table_name, list(column_name order by column_index)"
        " filter (where is_free_text), bool_or(column_name = 'run_id' and is_declared"
        " and schema_name in ('results', $2)), bool_and(is_free_text)"
        " from columns group by all having bool_or(is_free_text) order by all",
        [list(schemas), EMBEDDINGS],
    ).fetchall()
    return [
        FreeText((schema, name), tuple(columns), by_run, is_all)
        for schema, name, columns, by_run, is_all in rows
    ]


def left_out(
    db: duckdb.DuckDBPyConnection,
    schemas: Sequence[str],
    texts: Sequence[FreeText],
    *,
    of_cohort: bool,
) -> list[str]:
    """What a copy without it lacks, for people.

    Args:
        db: of open_copy.
        schemas: those that are copied.
        texts: the free text of these.
        of_cohort: whether what is of the present cohort is kept.
    """
    less = [
        f"{'.'.join(text.table)} {', '.join(text.columns)}"
        for text in texts
        if not text.by_run and not of_cohort
    ]
    counted = [("results.answers", "answer is not null", SYNTHETIC, "answers of learners")]
    if EMBEDDINGS in schemas:
        counted.append((".".join(FITTED), "true", NO_WORDS, "fits of text encoders"))
    for table, has_words, is_kept, words in counted:
        ((n,),) = db.execute(
            f"select count(*) from {table} where {has_words} and not {is_kept}"
        ).fetchall()
        if n:
            less.append(f"{n:,} {words}")
    return less
