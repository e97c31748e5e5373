"""A warehouse with something for every page and query to show, made once a session."""

import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from asking import MORTALITY, put
from bench import PROJECT, Bench
from charthouse.jobs.embed.run import EmbedRequest, embed
from charthouse.jobs.evaluate.run import EvaluateRequest, evaluate
from charthouse.jobs.predict.run import PredictRequest, predict
from fake_chat import Chat

BASE = "structured[fixed_interval]"
IMAGE, TEXT = f"{BASE}+image[pixel_pca]", f"{BASE}+text[tfidf_svd]"
ARMS = (BASE, IMAGE, TEXT)
_MADE: dict[Path, Bench] = {}


def shown_warehouse(built: Bench, server: HTTPServer, folder: Path) -> Bench:
    """Three arms of both tasks, one learner of one, all evaluated; read only.

    Pytest makes a fixture anew for each module that names it; this makes it once.
    """
    if built.warehouse not in _MADE:
        shutil.copy(built.warehouse, folder / "warehouse.duckdb")
        bench = Bench(built.raw, folder / "warehouse.duckdb", folder)
        with pytest.MonkeyPatch.context() as patch:
            for root, raw in built.raw.items():
                patch.setenv(root, raw)
            patch.setenv("OPENAI_API_KEY", "sk-of-a-test")
            _fill(bench, server)
        _MADE[built.warehouse] = bench
    return _MADE[built.warehouse]


def _fill(bench: Bench, server: HTTPServer) -> None:
    quiet: dict[str, Any] = {
        "say": lambda line: None,
        "watch": lambda label, total: nullcontext(lambda done, total: None),
    }
    encoders = ("demographics", "fixed_interval", "pixel_pca", "tfidf_svd")
    embed(PROJECT, bench.warehouse, EmbedRequest(encoders=encoders), **quiet)
    predict(PROJECT, bench.warehouse, PredictRequest(arms=ARMS), **quiet)
    chat = Chat(server)
    server.clear()
    server.expect_request("/v1/chat/completions", method="POST").respond_with_handler(chat.handle)
    put(bench, chat, tasks=[MORTALITY], conditions=["full", "text_only"])
    evaluate(PROJECT, bench.warehouse, EvaluateRequest(n_bootstrap=40, min_group=5), **quiet)
