"""`charthouse dashboard`: starts Streamlit on this machine; it calls nobody."""

import asyncio
import errno
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from charthouse.core.errors import CharthouseError
from charthouse.core.progress import PrintLine
from charthouse.net.guard import loopback_addresses
from charthouse.views.figures.style import BLUE

_HEADINGS = '["1.75rem", "1.4rem", "1.25rem"]'
OPTIONS = {
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "server.showEmailPrompt": "false",
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "viewer",
    "client.showErrorDetails": "none",  # what an error says may be of a patient
    "logger.hideWelcomeMessage": "true",
    "logger.level": "error",
    "runner.magicEnabled": "false",
    # both are named, so the page is as the reader's system is; a larger title pushes the chart away
    **{
        f"theme.{name}.{option}": value
        for name in ("light", "dark")
        for option, value in {"primaryColor": BLUE, "headingFontSizes": _HEADINGS}.items()
    },
}


def launch(
    folder: Path, warehouse: Path, *, address: str, port: int, show_stays: bool, say: PrintLine
) -> None:
    """Serves the dashboard until it is interrupted.

    Args:
        folder: of the published copy; it may come later.
        warehouse: what it is a copy of.
        address: where to listen; only this machine can reach 127.0.0.1.
        port: likewise.
        show_stays: show single stays of real patients too.
        say: told one line at a time.

    Raises:
        CharthouseError: Streamlit is not installed, or the port is in use.
    """
    if not find_spec("streamlit"):
        raise CharthouseError(
            "The dashboard needs streamlit, which is not installed: pip install"
            " 'charthouse[dashboard]', or make .venv again."
        )
    if not address.strip():  # Streamlit would listen to all
        raise CharthouseError("--address is empty. Name one: --address 127.0.0.1.")
    import_module("streamlit.logger").set_log_level("ERROR")  # it warns of the next line
    app = import_module(
        "charthouse.views.dashboard.app"
    )  # now, not when the first page is asked for
    try:
        asyncio.run(_listen(address, port))
    except OSError as error:
        busy = error.errno == errno.EADDRINUSE
        why = (
            "is in use"
            if busy
            else f"cannot be listened on ({str(error.strerror).rsplit(': ')[-1]})"
        )
        raise CharthouseError(
            f"{address}:{port} {why}. Name another: --port {port % 65535 + 1}"
            + ("." if busy else ", or --address 127.0.0.1.")
        ) from None
    options = OPTIONS | {"server.address": address, "server.port": str(port)}
    told = [app.FOLDER, str(folder), app.WAREHOUSE, str(warehouse)]
    told += [app.SHOW_STAYS] * show_stays
    host = f"[{address}]" if ":" in address else address
    say(f"Dashboard of {folder}: http://{host}:{port} (Ctrl-C ends it)")
    if loopback_addresses(address) is None:
        say(
            f"{address} is not of this machine alone: others on the network can read the dashboard,"
            " and it has no password."
        )
    cli = import_module("streamlit.web.cli")
    cli.main(
        ["run", *(f"--{name}={value}" for name, value in options.items()), app.__file__,
         "--", *told],
        standalone_mode=False,
    )  # fmt: skip


async def _listen(address: str, port: int) -> None:
    """Listens there for a moment; Streamlit would meet what is in the way with more than a line."""
    server = await asyncio.start_server(lambda reader, writer: None, address, port)
    server.close()
    await server.wait_closed()
