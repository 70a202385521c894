"""A small model behind the API, in this process: what the tests of the server have in common."""

from __future__ import annotations

import base64
import contextlib
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import openai
from PIL import Image

from presage.data.bpe import Tokenizer
from presage.infer.asking import Asking
from presage.infer.engine.batcher import Batcher
from presage.infer.engine.runner import Runner
from presage.infer.own import OwnEngine
from presage.infer.text import OwnText
from presage.model.config import VisionConfig, qwen3
from presage.serve.app import build_app
from presage.serve.house import House, Settings
from presage.serve.keys import Key, hashed
from presage.serve.policy import Case, Scores
from presage.serve.served import Served
from tests.model.shapes import lively

NAME, SECRET, CONTEXT = "small", "sk-presage-secret", 2048
URL = "http://127.0.0.1"
TEXT = 'a ladder of small runs tells what the large run will lose if one law holds. {"name": [1, 2, true]} '
VISION = VisionConfig(
    patch=4, merge=2, most_tokens=6, n_layers=1, d_model=16, n_heads=2, d_ff=32, d_project=24, stem="linear"
)


def served(*, chat: bool = False, eyes: bool = False, context: int = CONTEXT) -> Served:
    """A model of random weights: it writes anything, and everything it says is well-defined."""
    tokenizer = Tokenizer.train([TEXT * 4], 300)
    shape = qwen3(tokenizer.n_vocab, context, 1, 16, n_heads=2, n_kv_heads=2, d_head=8)
    model = lively(shape.model_copy(update={"vision": VISION}) if eyes else shape)
    asking = Asking(OwnText(tokenizer, "0" * 64), True, context, context // 2, tokenizer if chat or eyes else None)
    return Served(NAME, OwnEngine(model, 4, 4096), asking, created=1)


@contextlib.contextmanager
def house(**changes: Any) -> Iterator[House]:
    """A house at work. `settings` are fields of Settings, `model` a Served."""
    model = changes.pop("model", None) or served()
    settings = Settings.model_validate({"rows": 4} | changes.pop("settings", {}))
    runner = Runner(Batcher(model.model, rows=settings.rows)).start()
    try:
        yield House(model, runner, settings, **changes)
    finally:
        assert runner.stop(20)


def http(one: House, **headers: str) -> httpx.AsyncClient:
    """A client of an app in this process."""
    transport = httpx.ASGITransport(build_app(one))
    return httpx.AsyncClient(transport=transport, base_url=URL, headers=headers, timeout=60)


@contextlib.asynccontextmanager
async def client(one: House, key: str = "none") -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's own client of the same."""
    async with http(one) as plain:
        yield openai.AsyncOpenAI(api_key=key, base_url=f"{URL}/v1", http_client=plain, max_retries=0)


def key(name: str = "ada", secret: str = SECRET, **limits: float) -> Key:
    return Key.parse({"name": name, "sha256": hashed(secret)} | limits)


def image_url(kind: str = "PNG", size: tuple[int, int] = (16, 8)) -> str:
    file = io.BytesIO()
    Image.new("RGB", size, (200, 30, 20)).save(file, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


class WordJudge:
    """Finds a word: a score of 0.6 for `hint`, of 1 for `harm`."""

    name = "words"

    def scores(self, cases: list[Case]) -> list[Scores]:
        return [self._score(case.prompt if case.answer is None else case.answer) for case in cases]

    def _score(self, text: str) -> Scores:
        return {"harm": 1.0 if "harm" in text else 0.6 if "hint" in text else 0.0, "other": 0.0}
