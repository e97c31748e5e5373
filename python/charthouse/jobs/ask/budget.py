"""What a command may spend, all its learners together."""

from threading import Lock


class Budget:
    """Requests and dollars that are left; may be shared between threads.

    Args:
        requests: questions, at most; None: as many as there are. Repetitions are counted where they
            are made (charthouse.net.openai_api).
        cost_usd: dollars, at most; None: whatever it takes.
    """

    def __init__(self, requests: int | None = None, cost_usd: float | None = None) -> None:
        self._requests, self._cost_usd = requests, cost_usd
        self._reserved = 0.0
        self._one_at_a_time = Lock()

    def take(self, most_usd: float) -> bool:
        """Sets a question's price aside, at its highest; False where too little is left."""
        with self._one_at_a_time:
            if self._requests is not None and self._requests < 1:
                return False
            if self._cost_usd is not None and self._reserved + most_usd > self._cost_usd:
                return False
            self._reserved += most_usd
            if self._requests is not None:
                self._requests -= 1
            return True

    def settle(self, most_usd: float, usd: float) -> None:
        """What it has cost in the end."""
        with self._one_at_a_time:
            self._reserved -= most_usd
            if self._cost_usd is not None:
                self._cost_usd -= usd
