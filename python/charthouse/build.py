"""`dbt build` for those who want one line at its end: what it said, then what failed, exit 1."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from charthouse.errors import CharthouseError


def run_dbt_build(project: Path, arguments: Sequence[str] = ()) -> None:
    """Runs `dbt build` on the project, in a process of its own: in ours its lock would stay.

    Args:
        project: folder of dbt_project.yml.
        arguments: passed on to dbt, such as ("--vars", "{protocol: paper}").

    Raises:
        CharthouseError: something failed; the message says what, and how to mend it.
    """
    command = [
        sys.executable, "-c", "from dbt.cli.main import cli; cli()", "build",
        "--project-dir", str(project), "--profiles-dir", str(project / "profiles"), *arguments,
    ]  # fmt: skip
    lines = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                print(line, end="", flush=True)
                lines.append(re.sub(r"\x1b\[\d*m", "", line).rstrip())
        except KeyboardInterrupt:
            process.communicate()  # dbt has been interrupted too; what it says of that is dropped
            raise CharthouseError("interrupted. The next build first undoes this one.") from None
    if process.returncode:
        raise CharthouseError(what_failed(lines))


def what_failed(lines: Sequence[str]) -> str:
    """The line of dbt's output that matters: our summary's first, else dbt's own error."""
    for line in lines:
        if found := re.search(r"FAILED \S+: (.*)", line):
            return found[1]
    for number, line in enumerate(lines):
        if line.endswith("Encountered an error:"):
            return " ".join(lines[number + 1 : number + 3]).split(" Error", 1)[-1].strip(" :")
    return "dbt build failed: the lines above say where."
