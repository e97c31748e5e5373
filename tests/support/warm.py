"""Imported by the process that others are forked from. What is done here, none of them does: the
imports, and what dbt does at its first parse only."""

from pathlib import Path
from tempfile import TemporaryDirectory

import dbt.adapters.duckdb
import openai
import sklearn.metrics
import torch
from dbt.cli.main import dbtRunner

import asking
import charthouse.cli
import charthouse.models.learners.served

__all__ = ["asking", "charthouse", "dbt", "openai", "sklearn", "torch"]

PROJECT = Path(__file__).resolve().parents[2]
with TemporaryDirectory() as folder:
    words = ["parse", "--quiet", "--project-dir", PROJECT, "--profiles-dir", PROJECT / "profiles"]
    words += ["--no-static-parser"]  # its threads are not forked, and would be waited for
    words += ["--log-path", folder, "--target-path", folder]
    dbtRunner().invoke([str(word) for word in words])
