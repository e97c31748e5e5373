"""The words around a question: versioned files, the same for every learner."""

import hashlib
import string
import tomllib
from dataclasses import dataclass
from pathlib import Path

from charthouse.core.errors import CharthouseError

FOLDER = Path(__file__).parent / "prompts"
FIELDS = {"version": set(), "system": set(), "user": {"profile", "question"},
          "without_profile": {"question"}}  # fmt: skip


@dataclass(frozen=True)
class Prompt:
    """A file of prompts/, or the user's own."""

    name: str  # of the file, without its ending
    version: str
    system: str
    user: str  # with {profile} and {question}
    without_profile: str  # with {question}, for conditions that withhold all text

    @property
    def hash(self) -> str:
        """Of every word, whatever the file is called."""
        words = "\0".join([self.system, self.user, self.without_profile])
        return hashlib.md5(words.encode(), usedforsecurity=False).hexdigest()

    def ask(self, profile: str, question: str) -> str:
        """The user's turn; an empty profile is one that is withheld."""
        if not profile:
            return self.without_profile.format(question=question)
        return self.user.format(profile=profile, question=question)


def read_prompt(name: str) -> Prompt:
    """A prompt of prompts/ by its name, or any file that ends in .toml.

    Raises:
        CharthouseError: there is none, or it is not of the right form; says what is wrong.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in FOLDER.glob("*.toml")))
        raise CharthouseError(
            f"--prompt '{name}': no such prompt. Known: {known}, or a .toml file."
        )
    try:
        content = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CharthouseError(f"{path} is not TOML ({error}).") from None
    for field, wanted in FIELDS.items():
        text = content.get(field)
        if not isinstance(text, str) or not text.strip():
            raise CharthouseError(f"{path}: '{field}' is missing, or no text.")
        try:
            held = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        except ValueError:
            raise CharthouseError(
                f"{path}: '{field}' has a single brace; write it twice."
            ) from None
        if held != wanted and field not in ("version", "system"):
            names = " and ".join(f"{{{name}}}" for name in sorted(wanted))
            raise CharthouseError(
                f"{path}: '{field}' must hold {names}, and nothing else in braces."
            )
    if unknown := sorted(content.keys() - FIELDS.keys()):
        raise CharthouseError(f"{path}: '{unknown[0]}' is none of {', '.join(FIELDS)}.")
    return Prompt(path.stem, **content)
