"""Questions to a server with a fixed latency: `charthouse ask` beside one question at a time.

    CHARTHOUSE_CXR=data/synthetic-1000/mimic-cxr python benchmarks/learners_at_concurrency.py

A copy of the demo's warehouse gets its test stays multiplied until there are as many questions as
asked for (two tasks each). The server, a process of its own on loopback, answers each request
after the latency. The ideal is questions x latency / concurrency; the other side is the paper's
loop: read the picture, encode it, ask, wait, the next. Resident memory is sampled as it goes.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import tempfile
import threading
import time
from contextlib import nullcontext
from pathlib import Path

from charthouse.core.warehouse import open_warehouse
from charthouse.data.xray_files import files_below
from charthouse.jobs.ask.profile import read_profiles, render
from charthouse.jobs.ask.prompt import read_prompt
from charthouse.jobs.ask.request import AskRequest
from charthouse.jobs.ask.run import ask
from charthouse.models.learners.served import data_url

PROJECT = Path(__file__).resolve().parents[1]
LOOP_QUESTIONS = 100
TABLES = ("cohort", "labels", "patient_profiles", "images")  # those that asking reads
TOP = [{"token": token, "logprob": p} for token, p in (("No", -0.2), ("Yes", -1.8))]
ANSWER = {
    "object": "chat.completion",
    "model": "fixed-latency",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "No"},
            "logprobs": {"content": [TOP[0] | {"top_logprobs": TOP}]},
        }
    ],
    "usage": {"prompt_tokens": 900, "completion_tokens": 1, "total_tokens": 901},
}


def serve(latency: float, port: "multiprocessing.Queue[int]") -> None:
    """Answers after the latency, whatever it is asked, on any number of connections."""
    body = json.dumps(ANSWER).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    answer = head.encode() + b"\r\n" + body

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                header = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(header.split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                await asyncio.sleep(latency)
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0, limit=2**24)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def multiply(warehouse: Path, stays: int) -> int:
    """Copies test stays under new numbers until there are so many; returns how many there are."""
    with open_warehouse(warehouse, read_only=False) as db:
        there = [
            row[0]
            for row in db.execute(
                "select stay_id from marts.cohort where split = 'test'"
            ).fetchall()
        ]
        db.execute("create temp table copies as select unnest(?) as stay_id", [there])
        for round_ in range(1, -(-stays // len(there))):
            some = min(len(there), stays - round_ * len(there))
            for table in TABLES:
                more = ", subject_id + $round * 1000000 as subject_id" if table == "cohort" else ""
                key = f"stay_id + $round * 1000000 as stay_id{more}"
                db.execute(
                    f"insert into marts.{table} select * replace ({key}) from marts.{table}"
                    f" where stay_id in (select stay_id from copies order by stay_id limit {some})",
                    {"round": round_},
                )
        return int(
            db.execute("select count(*) from marts.cohort where split = 'test'").fetchall()[0][0]
        )


def one_at_a_time(warehouse: Path, url: str) -> float:
    """Seconds a question of the paper's loop, data read beforehand."""
    import openai
    import PIL.Image

    prompt = read_prompt("paper")
    place = files_below("CHARTHOUSE_CXR")
    with open_warehouse(warehouse) as db:
        rows = db.execute(
            "select stay_id, path from marts.cohort"
            " inner join marts.patient_profiles using (stay_id)"
            " left join marts.chest_xrays using (stay_id) where split = 'test'"
            " and dicom_id is not distinct from latest_dicom_id limit ?",
            [LOOP_QUESTIONS],
        ).fetchall()
        profiles = read_profiles(db, [row[0] for row in rows])
    client = openai.OpenAI(base_url=url, api_key="none")
    began = time.monotonic()
    for stay_id, path in rows:
        content = [{"type": "text", "text": prompt.ask(render(profiles[stay_id]), "Will it?")}]
        if path is not None:
            with PIL.Image.open(place(path)) as picture:
                image = {"type": "image_url", "image_url": {"url": data_url(picture.convert("L"))}}
            content.insert(0, image)
        client.chat.completions.create(
            model="x", messages=[{"role": "user", "content": content}], max_tokens=32
        )
    return (time.monotonic() - began) / len(rows)


def resident_mb() -> float:
    """Of this process now, 10^6 bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--warehouse", type=Path, default=PROJECT / "data/demo.duckdb")
    parser.add_argument("--questions", type=int, default=30_000)
    parser.add_argument("--latency", type=float, default=0.25, help="seconds")
    parser.add_argument("--concurrency", type=int, default=32)
    given = parser.parse_args()
    port: multiprocessing.Queue[int] = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(given.latency, port), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{port.get()}/v1"
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Path(folder) / "copy.duckdb"
        shutil.copy(given.warehouse, warehouse)
        stays = multiply(warehouse, given.questions // 2)
        alone = one_at_a_time(warehouse, url)
        memory: list[float] = []
        is_over = threading.Event()

        def sample() -> None:
            while not is_over.wait(1.0):
                memory.append(resident_mb())

        threading.Thread(target=sample, daemon=True).start()
        began, cpu = time.monotonic(), time.process_time()
        ask(
            PROJECT,
            warehouse,
            AskRequest(
                learners=["llava_1_5_7b"],
                tasks=["in_hospital_mortality", "icu_stay_over_3_days"],
                base_url=url,
                concurrency=given.concurrency,
            ),
            say=print,
            watch=lambda label, total: nullcontext(lambda done, total: None),
        )
        wall, cpu = time.monotonic() - began, time.process_time() - cpu
        is_over.set()
        with open_warehouse(warehouse) as db:
            [(asked, seconds)] = db.execute(
                "select counts ->> 'asked', counts ->> 'seconds' from results.runs"
                " where kind = 'ask'"
            ).fetchall()
    asked, seconds = int(asked), float(seconds)
    ideal = asked * given.latency / given.concurrency
    print(f"{stays} test stays, {asked} questions, latency {given.latency} s")
    print(f"one at a time: {1 / alone:.2f} a second")
    print(
        f"charthouse ask: {asked / seconds:.1f} a second, {ideal / seconds:.1%} of the ideal"
        f" {given.concurrency / given.latency:.0f}; {alone * asked / seconds:.0f} times the loop;"
        f" the whole command {wall:.0f} s, {cpu:.0f} CPU s"
    )
    tenths = [memory[min(len(memory) - 1, len(memory) * part // 10)] for part in range(11)]
    print("resident MB by tenths:", " ".join(f"{each:.0f}" for each in tenths))


if __name__ == "__main__":
    main()
