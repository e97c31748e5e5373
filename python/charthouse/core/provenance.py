"""What made a result: the version of the code and of the packages."""

import shutil
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from charthouse import __version__

PACKAGES = (
    "duckdb", "numpy", "scipy", "pillow", "pyarrow", "scikit-learn", "torch", "timm",
    "transformers", "tokenizers", "safetensors", "momentfm", "openai", "wfdb",
)  # fmt: skip


@cache
def code_version() -> str:
    """The package's version, in a git checkout with its commit: 0.1.0+3e618cb, or ...-dirty."""
    clone = Path(__file__).parents[3]
    if not (clone / ".git").exists() or not shutil.which("git"):
        return __version__
    command = ["git", "-C", str(clone), "describe", "--always", "--dirty", "--exclude=*"]
    described = subprocess.run(command, capture_output=True, text=True)
    return f"{__version__}+{described.stdout.strip() or 'unknown'}"


@cache
def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def package_versions() -> dict[str, str]:
    """Installed versions of the packages that can change a number."""
    return {package: found for package in PACKAGES if (found := _installed(package))}
