"""Writes docs/reference/commands.md from the commands themselves: what their --help says.

Run ``python -m charthouse.cli.commands_page``. A test fails while the page is out of date.
"""

from collections.abc import Iterator
from typing import Any

import typer.main

from charthouse.cli import app
from charthouse.core.project import project_dir

PAGE = "docs/reference/commands.md"
HEAD = """# Commands

What each command takes. Written by `python -m charthouse.cli.commands_page` from the commands' own
help: edit that, not this page. Where `.venv` is not activated, write `.venv/bin/charthouse`.

A command ends with exit code 0, or with 1 and one line that says what is wrong. Folders, warehouse
and limits are [variables of the environment](settings.md#where-things-are), the same for all.
"""
KINDS = {"str": "text", "int": "whole number", "float": "number", "Path": "path"}


def render_commands() -> str:
    """The page as Markdown: a section for each command, in the order of `charthouse --help`.

    Example:
        >>> "## charthouse embed" in render_commands()
        True
    """
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return "\n".join(
        [HEAD, *(line for name in commands for line in _section(name, commands[name]))]
    )


def _section(name: str, command: Any) -> Iterator[str]:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    yield f"## charthouse {name}\n"
    yield f"{_in_markdown(command.help)}\n"
    if example := (command.epilog or "").removeprefix("Example: "):
        yield f"```\n{example}\n```\n"
    for title, rows in (("argument", arguments), ("option", options)):
        if rows:
            yield f"| {title} | takes | default | what |\n|---|---|---|---|"
            yield "\n".join(_row(each) for each in rows) + "\n"


def _row(parameter: Any) -> str:
    names = ", ".join(f"`{each}`" for each in (*parameter.opts, *parameter.secondary_opts))
    kind = parameter.type_descriptor.annotation
    takes = getattr(parameter, "metavar", None) or _takes(kind, parameter)
    default = getattr(parameter, "default", None)
    shown = "" if default is None or isinstance(default, bool) else f"`{default}`"
    if parameter.required:
        shown = "required"
    return f"| {names} | {takes} | {shown} | {_in_markdown(parameter.help)} |"


def _in_markdown(words: str | None) -> str:
    """On one line, with what Markdown would read as something else kept as it is."""
    line = " ".join((words or "").split())
    return line.replace("|", "\\|").replace("<", "\\<")


def _takes(kind: Any, parameter: Any) -> str:
    """What may follow the option: nothing, for a switch."""
    if getattr(parameter, "is_flag", False):
        return ""
    name = getattr(kind, "__args__", (kind,))[0].__name__ if parameter.multiple else kind.__name__
    words = KINDS.get(name, name)
    low, high = getattr(parameter, "min", None), getattr(parameter, "max", None)
    if low is not None:
        words += f" from {low}" + (f" to {high}" if high is not None else "")
    return f"{words}; may be repeated" if parameter.multiple else words


def main() -> None:
    """Writes the page to the project's docs."""
    path = project_dir() / PAGE
    path.write_text(render_commands(), "utf-8")
    print(path)


if __name__ == "__main__":
    main()
