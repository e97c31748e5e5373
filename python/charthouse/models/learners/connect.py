"""How a learner is reached: a server, or weights on this machine."""

from dataclasses import dataclass

from charthouse.models.learners.base import LearnerBackend
from charthouse.models.learners.registry import LearnerSpec, family_of
from charthouse.models.learners.served import Served
from charthouse.models.weights import fetch_command, local_weights
from charthouse.net.guard import Guard
from charthouse.net.openai_api import Usage, connect
from charthouse.net.retry import MAX_RETRIES

DEPLOYMENT = "AZURE_OPENAI_CHAT_DEPLOYMENT"


@dataclass(frozen=True, kw_only=True)
class Connection:
    """What a user may say about it."""

    base_url: str | None = None  # of a server; None: where the environment says, or in process
    model: str | None = None  # what the server calls it, if not by its hub_id
    concurrency: int = 8  # requests in flight
    timeout: float = 120.0  # seconds for an answer
    with_log_probabilities: bool = True  # ask the server for those of the first token
    device: str = "auto"  # in process: cpu, cuda or auto
    dtype: str = "auto"  # in process: of the weights
    batch: int | None = None  # in process: questions at a time; None: as many as fit
    max_requests: int | None = None  # no more requests than this
    max_retries: int = MAX_RETRIES  # of a request to a server that is busy or broken


def is_in_process(spec: LearnerSpec, connection: Connection) -> bool:
    """Whether it runs here: where no server is named and its family has code for it."""
    return connection.base_url is None and bool(family_of(spec).model_types)


def why_absent(spec: LearnerSpec, connection: Connection) -> str | None:
    """Why a dry run stops here: it would have to fetch weights to know what they are."""
    if not is_in_process(spec, connection):
        return None
    from charthouse.models.learners.checkpoint import FILES

    if local_weights(spec, FILES) is not None:
        return None
    return f"its weights are not on this machine: {fetch_command(spec, FILES)}"


def reach(
    spec: LearnerSpec, connection: Connection, guard: Guard, usage: Usage, *, image_detail: str
) -> LearnerBackend:
    """A server where one is named, or where the learner has no other way; else in process.

    Raises:
        CharthouseError: the guard refuses the server, or there are no weights.
    """
    family = family_of(spec).at_detail(image_detail)
    if is_in_process(spec, connection):
        from charthouse.models.learners.in_process import InProcess

        return InProcess(
            spec, device=connection.device, dtype=connection.dtype, batch=connection.batch
        )
    model = connection.model or spec.hub_id
    service = connect(
        guard,
        model,
        deployment_variable=DEPLOYMENT,
        usage=usage,
        max_retries=connection.max_retries,
        timeout=connection.timeout,
        in_flight=connection.concurrency,
        base_url=connection.base_url,
        most_requests=connection.max_requests,
    )
    with_log_probabilities = connection.with_log_probabilities
    return Served(spec, family, service, model, with_log_probabilities)
