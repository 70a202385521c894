"""What serving costs and withstands: a small model behind `presage serve`'s server, in a process of its own.

| measured | how |
| :-- | :-- |
| tokens a second of the server against the engine alone | the same prompts, the same number of them at once |
| time to the first token, p50 and p99 | streams of as many clients as there are rows |
| overload | four times as many clients as there are places: what is answered, what is refused, and how fast |
| disconnects | requests left while they wait and while they are written: until nothing is at work |
| slow clients | connections that send nothing or one byte a second, beside a client that asks for /health |
| soak (--soak) | minutes at half load: memory and open files of the server at a tenth of the time and at the end |
| drain | SIGTERM with requests at work: whether all are answered, and until when |

Clients and server share this machine's cores: on a busy or small one the server's share of the engine is understated.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import torch
from harness.report import entry, options, publish, table

from presage.bench.models import lively
from presage.core.errors import Stopped
from presage.data.bpe import Tokenizer
from presage.infer.asking import Asking
from presage.infer.engine.asks import Ask, Draw
from presage.infer.engine.batcher import Batcher
from presage.infer.engine.runner import Runner
from presage.infer.own import OwnEngine
from presage.infer.text import OwnText
from presage.model.config import qwen3
from presage.serve.house import House, Settings
from presage.serve.served import Served
from presage.serve.server import bound, serve

ROWS, QUEUE, GRACE, CONTEXT, NAME = 16, 16, 10.0, 512, "bench"
WORDS = "a ladder of small runs tells what the large run will lose if one law holds from rung to rung "
LOST = -1
"""What stands for a request that got no answer."""
Post = Callable[[httpx.AsyncClient, int], Awaitable[tuple[int, float]]]


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--requests", type=int, default=3, help="of each client")
    parser.add_argument("--tokens", type=int, default=64, help="of an answer")
    parser.add_argument("--seconds", type=float, default=5.0, help="of overload, and of slow clients")
    parser.add_argument("--many", type=int, default=50, help="disconnects and slow connections; 500 is the full figure")
    parser.add_argument("--soak", type=float, default=0.0, metavar="MINUTES", help="60 is the full figure")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--serve", action="store_true", help="be the server: what this script starts itself as")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.serve:
        _serve(args)
        return
    alone = _engine(args)
    with _Server(args) as server:
        rows = asyncio.run(_measured(args, server, alone))
        rows += asyncio.run(_drained(args, server))
    said = (
        f"{args.layers} layers of width {args.width}, vocabulary 300, fp32, {args.threads} thread(s); {ROWS} rows, a "
        f"queue of {QUEUE}; {args.clients} clients, answers of {args.tokens} tokens, prompts of about 40."
    )
    publish("serving", "Serving", [said, table(["what", "figure"], rows)], write=args.write)


# ---- the model, the engine alone, the server -------------------------------------------------------------------------


def _served(args: Any) -> Served:
    tokenizer = Tokenizer.train([WORDS * 20], 300)
    model = lively(qwen3(tokenizer.n_vocab, CONTEXT, args.layers, args.width))
    asking = Asking(OwnText(tokenizer, "0" * 64), True, CONTEXT, CONTEXT // 2)
    return Served(NAME, OwnEngine(model, ROWS, 4096), asking)


def _prompt(number: int) -> str:
    return f"{number} {WORDS * 2}"


def _engine(args: Any) -> float:
    """Tokens a second of the batcher, kept as full as the clients keep the server."""
    served = _served(args)
    batcher = Batcher(served.model, rows=ROWS)
    for number in range(args.clients * args.requests):
        ids = served.read(_prompt(number), "prompt").ids
        batcher.submit(Ask(ids, args.tokens, Draw(temperature=0.0)))
    begun = time.perf_counter()
    while not batcher.idle:
        batcher.step()
    return batcher.tokens_written / (time.perf_counter() - begun)


def _serve(args: Any) -> None:
    settings = Settings(port=0, rows=ROWS, queue=QUEUE, grace=GRACE)
    served = _served(args)
    runner = Runner(Batcher(served.model, rows=ROWS)).start()
    listening = bound(settings)
    print(listening.getsockname()[1], flush=True)
    try:
        serve(House(served, runner, settings), listening)
    except Stopped:
        sys.exit(4)
    finally:
        runner.stop(1.0)


class _Server:
    def __init__(self, args: Any) -> None:
        shape = ("--width", str(args.width), "--layers", str(args.layers), "--threads", str(args.threads))
        here = Path(__file__).resolve()
        environment = os.environ | {"PYTHONPATH": str(here.parent.parent), "OMP_NUM_THREADS": str(args.threads)}
        command = [sys.executable, str(here), "--serve", *shape]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> _Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def held(self) -> tuple[int, int]:
        """Bytes of memory, open files."""
        about = Path("/proc") / str(self.process.pid)
        pages = int((about / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE"), len(list((about / "fd").iterdir()))

    def client(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
        return httpx.AsyncClient(base_url=self.url, timeout=120, limits=limits)


# ---- measuring -------------------------------------------------------------------------------------------------------


async def _measured(args: Any, server: _Server, alone: float) -> list[list[str]]:
    async with server.client() as client:
        await _many(args, client, _plain(args), 1)  # warm
        rate, calm = await _many(args, client, _plain(args), args.requests)
        _, first = await _many(args, client, _streamed(args), args.requests)
        rows = [
            ["engine alone, tokens/s", f"{alone:,.0f}"],
            ["server, tokens/s", f"{rate:,.0f} ({100 * rate / alone:.0f} % of the engine)"],
            ["answer, p50 and p99", _seconds(calm)],
            ["first token, p50 and p99", _seconds(first)],
        ]
        rows += await _overloaded(args, client, server)
        rows += await _left(args, client, server)
        rows += await _slow(args, client, server)
        rows += await _soaked(args, client, server) if args.soak else []
    return rows


def _body(args: Any, number: int, **changes: Any) -> dict[str, Any]:
    body = {"model": NAME, "prompt": _prompt(number), "max_tokens": args.tokens, "temperature": 0}
    return body | changes


def _plain(args: Any) -> Post:
    async def post(client: httpx.AsyncClient, number: int) -> tuple[int, float]:
        begun = time.perf_counter()
        try:
            answer = await client.post("/v1/completions", json=_body(args, number))
        except httpx.TransportError:
            return LOST, 0.0
        written = answer.json()["usage"]["completion_tokens"] if answer.status_code == 200 else -answer.status_code
        if written < 0 and "retry-after" not in answer.headers:
            raise RuntimeError(f"refused without Retry-After: {answer.text}")
        return written, time.perf_counter() - begun

    return post


def _streamed(args: Any) -> Post:
    async def post(client: httpx.AsyncClient, number: int) -> tuple[int, float]:
        begun, first = time.perf_counter(), None
        async with client.stream("POST", "/v1/completions", json=_body(args, number, stream=True)) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: {") and first is None:
                    first = time.perf_counter() - begun
        return args.tokens, first or 0.0

    return post


async def _many(args: Any, client: httpx.AsyncClient, post: Post, each: int) -> tuple[float, list[float]]:
    """Tokens a second, and what each request took; every client asks one after another."""

    async def one(number: int) -> list[tuple[int, float]]:
        return [await post(client, number * each + turn) for turn in range(each)]

    begun = time.perf_counter()
    found = [pair for some in await asyncio.gather(*map(one, range(args.clients))) for pair in some]
    return sum(max(0, tokens) for tokens, _ in found) / (time.perf_counter() - begun), [took for _, took in found]


async def _overloaded(args: Any, client: httpx.AsyncClient, server: _Server) -> list[list[str]]:
    """By plain sockets: a pool of hundreds of connections has delays of its own."""
    end = time.perf_counter() + args.seconds

    async def one(number: int) -> list[tuple[int, float]]:
        found = []
        while time.perf_counter() < end:
            found.append(await _once(server, _body(args, number)))
            await asyncio.sleep(0.1 if found[-1][0] < 0 else 0)
        return found

    sent = [pair for some in await asyncio.gather(*map(one, range(4 * (ROWS + QUEUE)))) for pair in some]
    lost = sum(tokens == LOST for tokens, _ in sent)
    refused = [took for tokens, took in sent if tokens < LOST]
    answered = [took for tokens, took in sent if tokens >= 0]
    _, after = await _many(args, client, _plain(args), 1)
    return [
        [
            f"overload, {4 * (ROWS + QUEUE)} clients: answered and refused",
            f"{len(answered)} and {len(refused)}, {lost} lost",
        ],
        ["refusal, p50 and p99", _seconds(refused)],
        ["answer under overload, p50 and p99", _seconds(answered)],
        ["answer right after, p50 and p99 (before: see above)", _seconds(after)],
    ]


async def _left(args: Any, client: httpx.AsyncClient, server: _Server) -> list[list[str]]:
    waited: list[float] = []
    chance = 0.0
    for start in range(0, args.many, ROWS + QUEUE):
        count = min(ROWS + QUEUE, args.many - start)
        asked = [await _asked(server, _body(args, n, max_tokens=400, stream=n % 2 == 0)) for n in range(count)]
        chance = (chance + 0.05) % 0.2
        await asyncio.sleep(chance)
        for _, writer in asked:
            writer.transport.abort()
        begun = time.perf_counter()
        while await _gauges(client) > 0:
            await asyncio.sleep(0.01)
        waited.append(time.perf_counter() - begun)
    return [[f"{args.many} disconnects: until nothing is at work, worst", f"{max(waited):.2f} s, 0 left"]]


async def _once(server: _Server, body: dict[str, Any]) -> tuple[int, float]:
    begun = time.perf_counter()
    try:
        reader, writer = await _asked(server, body)
        said = await reader.read()
        writer.close()
    except OSError:
        return LOST, 0.0
    status = int(said[9:12] or b"0")
    if status != 200 and b"retry-after" not in said:
        return LOST, 0.0
    written = json.loads(said.partition(b"\r\n\r\n")[2])["usage"]["completion_tokens"] if status == 200 else -status
    return written, time.perf_counter() - begun


async def _asked(server: _Server, body: dict[str, Any]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    data = json.dumps(body).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    await writer.drain()
    return reader, writer


async def _gauges(client: httpx.AsyncClient) -> float:
    wanted = ("presage_sequences_active ", "presage_sequences_waiting ", "presage_requests_in_flight ")
    text = (await client.get("/metrics")).text
    return sum(float(line.split()[1]) for line in text.splitlines() if line.startswith(wanted))


async def _slow(args: Any, client: httpx.AsyncClient, server: _Server) -> list[list[str]]:
    """Half say nothing, half a byte a second of their headers."""
    calm = await _health(client, args.seconds)
    pairs = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(args.many)]
    begun = time.perf_counter()

    async def trickle(number: int) -> float:
        reader, writer = pairs[number]
        reading = asyncio.ensure_future(reader.read())
        while not reading.done():
            if number % 2:
                writer.write(b"G")
            await asyncio.wait({reading}, timeout=1)
        writer.close()
        return time.perf_counter() - begun

    closing = asyncio.gather(*map(trickle, range(args.many)))
    busy = await _health(client, args.seconds)
    closed = await closing
    return [
        ["/health, p50 and p99", _seconds(calm)],
        [f"/health beside {args.many} slow connections", _seconds(busy)],
        ["the last slow connection is closed after", f"{max(closed):.1f} s"],
    ]


async def _soaked(args: Any, client: httpx.AsyncClient, server: _Server) -> list[list[str]]:
    """Half as many clients as there are rows, each request another prompt; some go before they are answered."""
    begun, counts = time.perf_counter(), list[tuple[float, int, int]]()
    seconds = 60 * args.soak

    async def one(number: int) -> tuple[int, int]:
        asked = bad = 0
        while time.perf_counter() - begun < seconds:
            number, asked = number + ROWS, asked + 1
            if number % 5:
                tokens, _ = await _once(server, _body(args, number))
                bad += tokens < 0
            else:
                _, writer = await _asked(server, _body(args, number, stream=True))
                await asyncio.sleep(0.05)
                writer.transport.abort()
        return asked, bad

    async def look() -> None:
        while time.perf_counter() - begun < seconds:
            await asyncio.sleep(seconds / 100)
            counts.append((time.perf_counter() - begun, *server.held()))

    *found, _ = await asyncio.gather(*map(one, range(ROWS // 2)), look())
    sent, failed = (sum(pair[place] for pair in found if pair) for place in (0, 1))
    (early, memory, files), (late, after, left) = counts[len(counts) // 10], counts[-1]
    slope = 100 * (after / memory - 1) / (late - early) * 3600
    told = f"{memory >> 20} and {after >> 20} MB ({slope:+.1f} % an hour), {files} and {left} files"
    return [[f"{args.soak:g} minutes at half load: {sent:,} requests", f"{failed} failed; {told}"]]


async def _health(client: httpx.AsyncClient, seconds: float) -> list[float]:
    found = list[float]()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        begun = time.perf_counter()
        (await client.get("/health")).raise_for_status()
        found.append(time.perf_counter() - begun)
        await asyncio.sleep(0.01)
    return found


async def _drained(args: Any, server: _Server) -> list[list[str]]:
    async with server.client() as client:
        at_work = [asyncio.ensure_future(_plain(args)(client, number)) for number in range(20)]
        while await _gauges(client) < 20:
            await asyncio.sleep(0.01)
        begun = time.perf_counter()
        server.process.send_signal(signal.SIGTERM)
        done = await asyncio.gather(*at_work, return_exceptions=True)
        answered = sum(isinstance(one, tuple) and one[0] > 0 for one in done)
    code = await asyncio.to_thread(server.process.wait, GRACE + 10)
    took = time.perf_counter() - begun
    return [
        ["SIGTERM with 20 at work: answered, exit code, after", f"{answered}, {code}, {took:.1f} s (grace {GRACE:g})"]
    ]


def _seconds(values: Sequence[float]) -> str:
    if not values:
        return "none"
    ordered = sorted(values)
    worst = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return f"{1000 * statistics.median(ordered):,.0f} and {1000 * worst:,.0f} ms ({len(values)})"


if __name__ == "__main__":
    entry(main)
