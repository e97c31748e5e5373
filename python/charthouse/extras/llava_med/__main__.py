"""The command: python -m charthouse.extras.llava_med SOURCE TARGET [--clip FOLDER]."""

import argparse
import sys
from pathlib import Path

from charthouse.core.errors import CharthouseError
from charthouse.extras.llava_med.convert import convert


def main() -> None:
    """Converts what the command line names; what is wrong is one line."""
    parser = argparse.ArgumentParser(
        prog="python -m charthouse.extras.llava_med",
        description="Converts LLaVA-Med to the layout that transformers reads.",
    )
    parser.add_argument("source", type=Path, help="the checkpoint as published")
    parser.add_argument("target", type=Path, help="a new folder, such as WEIGHTS/llava_med")
    parser.add_argument("--clip", type=Path, help="a folder with openai/clip-vit-large-patch14-336")
    asked = parser.parse_args()
    try:
        convert(asked.source, asked.target, asked.clip)
    except CharthouseError as error:
        sys.exit(f"charthouse: {error}")
    except OSError as error:
        sys.exit(f"charthouse: {asked.target} cannot be written: {error.strerror}.")
    print(f"{asked.target} is written. Set CHARTHOUSE_WEIGHTS={asked.target.parent}")


if __name__ == "__main__":
    main()
