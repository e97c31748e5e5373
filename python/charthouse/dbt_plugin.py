"""What dbt-duckdb loads before it opens the warehouse (profiles/profiles.yml names it).

dbt alone would meet a locked warehouse with a traceback; this waits, says for whom, and gives up
with one line.
"""

from functools import cache
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin

from charthouse.errors import CharthouseError
from charthouse.warehouse import wait_for_lock


class Plugin(BasePlugin):
    """Waits for the warehouse's lock when dbt makes its environment."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Called by dbt-duckdb before it connects.

        Raises:
            RuntimeError: the lock was not let go; the one class that dbt reports in one line.
        """
        if self.creds is not None and self.creds.path != ":memory:":
            refusal = _waited_in_vain(self.creds.path)
            if refusal:
                raise RuntimeError(refusal)


@cache  # dbt tries several times; one wait, one message
def _waited_in_vain(path: str) -> str | None:
    try:
        wait_for_lock(Path(path))
    except CharthouseError as error:
        return str(error)
    return None
