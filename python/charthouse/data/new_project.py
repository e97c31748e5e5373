"""Writes the dbt project to a folder of the user's, where its seeds and models can be edited."""

import os
import shutil
import tempfile
from pathlib import Path

from charthouse.core.errors import CharthouseError
from charthouse.core.project import SHIPPED_PROJECT

_GITIGNORE = """\
# credentialed data and warehouses never enter a repository
/data/
*.duckdb
*.duckdb.*
# what dbt leaves behind
/target/
/logs/
.user.yml
"""


def init_project(folder: Path) -> None:
    """Copies the dbt project that the package carries: models, macros, seeds, tests, profiles.

    Args:
        folder: New, or empty. A copy that is cut short leaves it as it was.

    Raises:
        CharthouseError: The folder holds something, is a file, or cannot be written.
    """
    try:
        if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
            raise CharthouseError(f"{folder} is no new or empty folder. Name another.")
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent.resolve()))
        try:
            # not the permissions: of a package that was installed read-only they would stay so
            shutil.copytree(
                SHIPPED_PROJECT, beside, copy_function=shutil.copyfile, dirs_exist_ok=True
            )
            (beside / "profiles.yml").unlink()
            (beside / "profiles.yml").symlink_to("profiles/profiles.yml")
            (beside / ".gitignore").write_text(_GITIGNORE)
            beside.rename(folder)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
    except shutil.Error as error:  # of copytree: a list of what failed
        raise CharthouseError(f"{folder} cannot be written: {error.args[0][0][2]}.") from None
    except OSError as error:
        raise CharthouseError(f"{folder} cannot be written: {error.strerror}.") from None
