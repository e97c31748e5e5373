"""A bare socket that shows what reached it: for proofs that nothing did."""

import socket
import threading


class Listener:
    """Listens, accepts, keeps every byte, answers nothing and hangs up. A context manager."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.create_server((address, 0), family=family)
        self.address, self.port = self._socket.getsockname()[:2]
        self.connections = 0
        self.received = b""
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(timeout=5)

    def saw_nothing(self) -> bool:
        """After a connection of our own has come through, nothing else can still be on its way."""
        with socket.create_connection((self.address, self.port)) as mine:
            mine.sendall(b"control")
            mine.shutdown(socket.SHUT_WR)
            mine.recv(1)
        return (self.connections, self.received) == (1, b"control")

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(0.3)
                self.connections += 1
                try:
                    # to the end of a request's body, a pause, or the end of the stream
                    while part := connection.recv(65536):
                        self.received += part
                except OSError:
                    continue


def address_of_this_machine() -> str | None:
    """One that is not loopback, if it has any; asks the routing table, sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            return None
        found = str(probe.getsockname()[0])
    return None if found.startswith("127.") else found
