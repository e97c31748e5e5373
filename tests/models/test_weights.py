"""Where weights come from: a folder, the hub at a pinned revision, or a line how to get them."""

import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from bench import PROJECT
from charthouse.models.encoders.registry import encoder_spec
from charthouse.models.weights import local_weights, published_revision

SPEC = encoder_spec(PROJECT, "moment")
FILES = {
    "config.json": b"{}",
    "model.safetensors": b"new form",
    "pytorch_model.bin": b"old form",
    "README.md": b"not needed",
}
ASK = (
    "from pathlib import Path; from charthouse.core.errors import CharthouseError\n"
    "from charthouse.models.encoders.registry import encoder_spec\n"
    "from charthouse.models.weights import find_weights\n"
    f"spec = encoder_spec(Path({str(PROJECT)!r}), 'moment')\n"
    "files = ('config.json', '*.safetensors|*.bin', 'merges.txt?', 'vocab.txt?')\n"
    "try: print(find_weights(spec, files))\n"
    "except CharthouseError as error: print('refused:', error)\n"
)


class Hub:
    """A server that speaks as much of the hub's API as fetching a snapshot needs."""

    def __init__(self, server: HTTPServer, folder: Path) -> None:
        self.files, self.asked, self.status, self.folder = dict(FILES), [], 200, folder
        self.address = server.url_for("")
        server.expect_request(re.compile(".*")).respond_with_handler(self.answer)

    def answer(self, request: Request) -> Response:
        self.asked.append(f"{request.method} {request.path}")
        if self.status != 200:
            return Response("{}", self.status)
        if request.path == f"/api/models/{SPEC.hub_id}/tree/{SPEC.revision}":
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": sha(data)}
                for name, data in self.files.items()
            ]
            return Response(json.dumps(tree), content_type="application/json")
        prefix = f"/{SPEC.hub_id}/resolve/{SPEC.revision}/"
        if not request.path.startswith(prefix):
            return Response("{}", 404)
        data = self.files[request.path.removeprefix(prefix)]
        headers = {"ETag": f'"{sha(data)}"', "X-Repo-Commit": SPEC.revision}
        return Response(data, headers=headers)

    def ask(self, first: str = "", **environment: str) -> str:
        """What find_weights says in a process that has this hub, and no other.

        Args:
            first: what the process does before.
            environment: on top of ours.
        """
        clean = {name: text for name, text in os.environ.items() if not name.startswith("HF_")}
        clean.pop("CHARTHOUSE_WEIGHTS", None)
        own = {"HF_ENDPOINT": self.address, "HF_HUB_CACHE": str(self.folder / "cache")}
        done = subprocess.run(
            [sys.executable, "-c", first + ASK],
            env=clean | own | {"HF_HUB_DISABLE_XET": "1"} | environment,
            capture_output=True,
            text=True,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.stdout.count("\n") == 1
        return done.stdout.strip()


def sha(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


@pytest.fixture
def hub(httpserver: HTTPServer, tmp_path: Path) -> Hub:
    return Hub(httpserver, tmp_path)


def test_the_pinned_revision_is_fetched_once_one_form_of_it_and_found_offline(hub: Hub) -> None:
    folder = Path(hub.ask())
    assert folder.name == SPEC.revision
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    asked = len(hub.asked)
    assert Path(hub.ask()) == Path(hub.ask(HF_HUB_OFFLINE="1")) == folder
    assert len(hub.asked) == asked  # the hub is not even asked


def test_the_older_form_is_taken_where_there_is_no_other(hub: Hub) -> None:
    del hub.files["model.safetensors"]
    assert (Path(hub.ask()) / "pytorch_model.bin").read_bytes() == b"old form"


def test_a_repository_without_weights_is_said(hub: Hub) -> None:
    hub.files = {"config.json": b"{}", "onnx/model.safetensors": b"of another runtime"}
    assert hub.ask() == (
        f"refused: {SPEC.hub_id} at {SPEC.revision} holds no *.safetensors|*.bin: correct"
        f" the row of {SPEC.encoder} in seeds/."
    )


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_hub_that_refuses_is_one_line_with_the_command(hub: Hub, status: int) -> None:
    hub.status = status
    said = hub.ask()
    assert said.startswith("refused: The weights of moment are not on this machine and could not")
    assert f"hf download {SPEC.hub_id} --revision {SPEC.revision}" in said


def test_a_hub_that_cannot_be_reached_is_one_line_too(hub: Hub) -> None:
    said = hub.ask("import time; time.sleep = lambda _: None\n", HF_ENDPOINT="http://127.0.0.1:9")
    assert "could not be fetched" in said and "hf download" in said


def test_files_that_may_be_absent_are_taken_along_where_they_are(hub: Hub) -> None:
    hub.files["merges.txt"] = b"a b"
    folder = Path(hub.ask())
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json", "merges.txt", "model.safetensors",
    ]  # fmt: skip


def test_offline_without_weights_asks_nobody(hub: Hub) -> None:
    said = hub.ask(HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE is set" in said and "hf download" in said
    assert hub.asked == []


def test_a_folder_of_ones_own_comes_first_and_must_be_whole(hub: Hub) -> None:
    own = hub.folder / "mine/moment"
    own.mkdir(parents=True)
    (own / "config.json").write_text("{}")
    weights = {"CHARTHOUSE_WEIGHTS": str(hub.folder / "mine")}
    said = hub.ask(**weights)
    assert said.startswith(f"refused: {own} lacks *.safetensors|*.bin. Fetch them: hf download")
    assert said.endswith(f"--local-dir {own}")
    (own / "model.safetensors").write_bytes(b"mine")
    assert hub.ask(**weights) == str(own)
    assert hub.asked == []


def test_a_folder_that_does_not_exist_is_not_passed_over(hub: Hub) -> None:
    said = hub.ask(CHARTHOUSE_WEIGHTS=str(hub.folder / "nope"))
    assert said == (
        f"refused: CHARTHOUSE_WEIGHTS: {hub.folder / 'nope'} is no folder. Correct it, or unset it."
    )
    assert hub.asked == []


def test_weights_of_another_runtime_below_the_folder_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARTHOUSE_WEIGHTS", str(tmp_path))
    (tmp_path / "moment/onnx").mkdir(parents=True)
    (tmp_path / "moment/onnx/model.safetensors").write_bytes(b"of another runtime")
    assert local_weights(SPEC, ("*.safetensors|*.bin",)) is None
    (tmp_path / "moment/pytorch_model.bin").write_bytes(b"old form")
    assert local_weights(SPEC, ("*.safetensors|*.bin",)) == tmp_path / "moment"
    assert local_weights(SPEC, ("onnx/*.safetensors",)) == tmp_path / "moment"


@pytest.mark.parametrize("pinned", [True, False])
def test_a_revision_is_what_was_read_and_a_folder_of_ones_own_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pinned: bool
) -> None:
    from huggingface_hub import constants

    spec = SPEC if pinned else replace(SPEC, revision="")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CHARTHOUSE_WEIGHTS", raising=False)
    repository = tmp_path / "cache" / f"models--{spec.hub_id.replace('/', '--')}"
    commit = spec.revision or "0123abc"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text("0123abc\n")
    (repository / "snapshots" / commit).mkdir(parents=True)
    (repository / "snapshots" / commit / "config.json").write_text("{}")
    assert published_revision(spec, ("config.json",)) == commit
    (tmp_path / "mine/moment").mkdir(parents=True)
    (tmp_path / "mine/moment/config.json").write_text("{}")
    monkeypatch.setenv("CHARTHOUSE_WEIGHTS", str(tmp_path / "mine"))
    assert published_revision(spec, ("config.json",)) is None
