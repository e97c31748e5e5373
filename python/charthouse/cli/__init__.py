"""The command line: one thin function a command; the work is in the modules that it imports."""

# In the order in which --help lists the commands.
from charthouse.cli import data  # isort: skip
from charthouse.cli import jobs  # isort: skip
from charthouse.cli import views  # isort: skip
from charthouse.cli import pipeline  # isort: skip
from charthouse.cli.app import app, main

__all__ = ["app", "data", "jobs", "main", "pipeline", "views"]
