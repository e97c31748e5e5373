"""The input of arms: the vectors of each encoder for every stay of the cohort."""

import hashlib
from collections.abc import Mapping

import duckdb
import numpy as np

from charthouse.core.cohort import IS_CURRENT, Cohort
from charthouse.core.errors import CharthouseError
from charthouse.jobs.embed.plan import context_of
from charthouse.jobs.embed.store import (
    Target,
    current_vectors,
    embedding_tables,
    learned,
    vector_hash,
)
from charthouse.models.encoders.registry import encoder_class
from charthouse.models.encoders.spec import EncoderSpec
from charthouse.models.fusions.block import PRESENCE, Block, Source


def hash_of_all(hashes: Mapping[int, str]) -> str:
    """Of all vectors that were read, from stay_id to the hash of each."""
    joined = ",".join(f"{stay}:{hashes[stay]}" for stay in sorted(hashes))
    return hashlib.md5(joined.encode()).hexdigest()


class NotEncoded(CharthouseError):
    """An encoder has not yet answered for every stay of the cohort."""

    def __init__(self, encoder: str, task: str | None, done: int, stays: int) -> None:
        part = f"only for {done} of {stays} stays" if done else "not"
        of_task, option = (f" for {task}", f" --task {task}") if task else ("", "")
        super().__init__(
            f"{encoder} has {part} encoded this cohort{of_task}. Run charthouse embed --encoder"
            f" {encoder}{option}."
        )
        self.encoder = encoder


def find_sources(
    db: duckdb.DuckDBPyConnection, cohort: Cohort, encoder: str, task: str
) -> tuple[Source, ...]:
    """The runs whose vectors are those of the present cohort, for encoders per task of that task.

    Raises:
        NotEncoded: the encoder has not yet answered for every stay.
        CharthouseError: it has no vector at all.
    """
    answered = dict(
        db.execute(
            "select task, count(*) from (select encoder, task, stay_id, reads from"
            " embeddings.encoded union all select encoder, task, stay_id, reads from"
            " embeddings.skipped where item is null) as answers"
            f" where encoder = ? and {IS_CURRENT} group by task",
            [encoder],
        ).fetchall()
    )
    own_task = task if any(answered) else None
    if (stays := answered.get(own_task, 0)) != len(cohort.stays):
        raise NotEncoded(encoder, own_task, stays, len(cohort.stays))
    found = db.execute(
        "select encoder, task, run_id, count(*), content_hash from (select vectors.encoder,"
        " vectors.task, vectors.run_id, hashes.content_hash"
        " from embeddings.current_vectors as vectors"
        " inner join results.current_vector_hashes as hashes on vectors.encoder = hashes.encoder"
        " and vectors.task is not distinct from hashes.task"
        " where vectors.encoder = $1 and hashes.encoder = $1"
        " and vectors.task is not distinct from $2) as found group by all order by run_id",
        [encoder, own_task],
    ).fetchall()
    if not found:
        raise CharthouseError(
            f"{encoder} has no vector for any stay: the cohort has nothing that it could encode"
            " (embeddings.skipped says why). Name other arms."
        )
    return tuple(Source(*row) for row in found)


def read_block(
    db: duckdb.DuckDBPyConnection,
    cohort: Cohort,
    specs: Mapping[str, EncoderSpec],
    encoder: str,
    task: str,
    stay_ids: np.ndarray,
) -> Block:
    """Vectors of an encoder, or of PRESENCE, of ascending stay_ids [n]; errors of find_sources."""
    if encoder == PRESENCE:
        return _read_presence(db, stay_ids)
    spec = specs[encoder]
    sources = find_sources(db, cohort, encoder, task)
    own_task = sources[0].task
    dimension, _ = embedding_tables(db)[spec.encoder]
    vectors = np.zeros((len(stay_ids), dimension), np.float32)
    present = np.zeros(len(stay_ids), bool)
    hashes: dict[int, str] = {}
    target = Target(spec.encoder, own_task)
    for stays, rows, _ in current_vectors(db, target, int(stay_ids[0]), int(stay_ids[-1])):
        places = np.minimum(np.searchsorted(stay_ids, stays), len(stay_ids) - 1)
        wanted = np.flatnonzero(stay_ids[places] == stays)
        vectors[places[wanted]] = rows[wanted]
        present[places[wanted]] = True
        hashes |= {stays[place]: vector_hash(rows[place]) for place in wanted}
    return Block(
        modality=spec.modality.name,
        encoder=spec.encoder,
        names=_names(db, cohort, spec, sources[0].run_id, dimension),
        vectors=vectors,
        present=present,
        sources=sources,
        vectors_hash=hash_of_all(hashes),
    )


def _read_presence(db: duckdb.DuckDBPyConnection, stay_ids: np.ndarray) -> Block:
    """Which modalities of the paper each stay has, and nothing else."""
    rows = db.execute(
        "select list(modality order by position), list(in_window order by position)"
        " from marts.stay_modalities inner join marts.modalities using (modality)"
        " where is_in_paper and stay_id in (select unnest(?)) group by stay_id order by stay_id",
        [stay_ids.tolist()],
    ).fetchall()
    names = tuple(rows[0][0]) if rows else ()
    return Block(
        modality=PRESENCE,
        encoder=PRESENCE,
        names=names,
        vectors=np.array([has for _, has in rows], np.float32).reshape(-1, len(names)),
        present=np.ones(len(stay_ids), bool),
    )


def _names(
    db: duckdb.DuckDBPyConnection, cohort: Cohort, spec: EncoderSpec, run_id: str, dimension: int
) -> tuple[str, ...]:
    """Names of a vector's numbers: the encoder's own, or their places."""
    fitted = db.execute(
        "select fitted.encoder, fitted.task, fitted.fit_hash from embeddings.fitted"
        " inner join results.runs on fitted.fit_hash = runs.settings ->> 'fit_hash'"
        " where fitted.encoder = ? and runs.run_id = ?",
        [spec.encoder, run_id],
    ).fetchall()
    arrays = learned(db, Target(*fitted[0][:2]), fitted[0][2]) if fitted else None
    names = encoder_class(spec.name)(context_of(cohort, spec)).feature_names(arrays or {})
    if names is None or len(names) != dimension:
        return tuple(f"{spec.encoder} {place}" for place in range(dimension))
    return tuple(names)
