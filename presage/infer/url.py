"""A model behind an OpenAI-compatible endpoint: `https://HOST/v1#MODEL`, asked over HTTP.

What an endpoint can do differs, so it is asked once when it is opened: whether it has a chat for this model, which
settings of a request it refuses, and whether it echoes prompts with log-probabilities, without which there is no
likelihood. Everything that its answers depend on is in `identity`; the key is nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from presage.core.errors import ConfigError, EndpointError
from presage.core.seeds import derive
from presage.data.chat import transcript
from presage.data.images.parts import written
from presage.data.verbs import Completion, Continuation, Decoding, Generation, Likelihood, Prompt
from presage.infer.threads import side_by_side
from presage.infer.url_answers import choices, read_completion, read_echo, whole
from presage.infer.url_client import Answered, Client, Refused, Unreadable
from presage.infer.url_context import characters, cut, is_too_long, share_to_keep, tokens_in
from presage.infer.url_dialect import Dialect
from presage.infer.url_limits import Clock
from presage.infer.url_settings import UrlSettings, read_address, read_key
from presage.infer.url_usage import Usage, counted

_PROBE = "The days of the week are Monday, Tuesday,"
_EMPTY = Completion("", None, None, "stop")
_CHARACTERS_A_TOKEN = 4  # for limits of rate, before the endpoint says how many it were
_SEEDS = 1 << 31
_MOST = 100  # samples asked for in one request
_MOST_TOKENS = 1 << 20  # of a sample, for limits of rate: none is longer, whatever is allowed
_BROKEN = 500
_CUTS = 40  # each drops a tenth or more, so that nothing is left of any prompt


class UrlModel:
    """The three verbs of a LanguageModel, answered over HTTP; `usage` counts requests, tokens and their cost."""

    has_beams = False

    def __init__(self, client: Client, name: str) -> None:
        self.client, self.name = client, name
        self.beginning = client.settings.beginning
        self.dialect = Dialect(client.settings.logprobs)
        self.chat = self.has_likelihood = False
        self._served: str | None = None

    @classmethod
    def open(cls, spec: str, *, clock: Clock | None = None, **values: Any) -> Self:
        """Ask the endpoint what it can do. Settings are those of UrlSettings.

        Raises ConfigError for an address, setting or key file that does not fit, and EndpointError where nobody
        answers, the key is refused or the model unknown.
        """
        settings = UrlSettings.parse(values, where="endpoint")
        address = read_address(spec, settings.model_name)
        key = read_key(settings.key_file)
        if key and address.open_line and not settings.plain_http:
            hint = "use https://, or say that it may: --set plain_http=true"
            raise ConfigError("the key would be sent unencrypted", where=address.host, hint=hint)
        client = Client(address, key, settings, clock)
        try:
            name = address.model or _only_model(client)
            model = cls(client, name)
            model._find_form(settings.chat)
            model.has_likelihood = model._echoes() if settings.likelihood is None else settings.likelihood
        except BaseException:
            client.close()
            raise
        return model

    @property
    def usage(self) -> Usage:
        """What was asked so far, the questions at opening included."""
        return self.client.usage

    def identity(self) -> dict[str, str | int | float | bool | None]:
        """The host and the model, the form of asking and what is left out of it; no path, no key."""
        return {
            "backend": "url",
            "host": self.client.address.host,
            "model": self.name,
            "served": self._served,
            "chat": self.chat,
            "likelihood": self.has_likelihood,
            "beginning": self.beginning,
            "unsent": ",".join(sorted(self.dialect.unsent)),
        }

    def close(self) -> None:
        """Let go of the connections."""
        self.client.close()

    # ---- the verbs ---------------------------------------------------------------------------------------------------

    def loglikelihood(self, requests: Sequence[Continuation]) -> list[Likelihood]:
        """log P(text | prompt) by echo. A prompt that is too long loses its left end, and that is counted."""
        self._need_likelihood()
        return self._all(self._continuation, requests)

    def rolling_loglikelihood(self, texts: Sequence[str]) -> list[Likelihood]:
        """log P of every text; one that is too long is scored in halves, each after as much as fits of what is before.

        Where the endpoint gives no probability for the first token, and no `beginning` is set, that token is left out
        and counted in usage.unscored.
        """
        self._need_likelihood()
        return self._all(lambda text: self._rolling(self.beginning, text), texts)

    def generate(self, requests: Sequence[Generation]) -> list[list[Completion]]:
        """Completions; an answer that cannot be read is an empty text, counted in usage.invalid."""
        for request in requests:
            _check(request.decoding)
        return self._all(self._completions, requests)

    def _all(self, work: Any, items: Sequence[Any]) -> list[Any]:
        return side_by_side(work, items, self.client.settings.concurrency)

    # ---- likelihood --------------------------------------------------------------------------------------------------

    def _need_likelihood(self) -> None:
        if not self.has_likelihood:
            hint = "ask by generation; endpoints that echo prompts with log-probabilities can do both"
            raise ConfigError("gives no log-probabilities of a prompt", where=self.client.address.host, hint=hint)

    def _continuation(self, request: Continuation) -> Likelihood:
        prompt, dropped = request.prompt or self.beginning, 0
        for _ in range(_CUTS):
            try:
                found, spent = self._echo(prompt, request.text)
            except Refused as refusal:
                if not is_too_long(refusal.told) or not prompt:
                    raise
                prompt, gone = _cut_text(prompt, share_to_keep(refusal.told, 1))
                dropped += gone
            else:
                truncated = tokens_in(dropped, prompt + request.text, spent)
                return Likelihood(found.logprob, found.tokens, found.greedy, truncated)
        raise EndpointError("refuses prompts of any length", where=self.client.address.host)

    def _rolling(self, prompt: str, text: str) -> Likelihood:
        if not text:
            return Likelihood(0.0, 0, True)
        try:
            return self._echo(prompt, text)[0]
        except Refused as refusal:
            if not is_too_long(refusal.told) or len(prompt) <= len(text) < 2:
                raise
            if len(prompt) > len(text):
                return self._rolling(_cut_text(prompt, share_to_keep(refusal.told, 1))[0], text)
        middle = _near_middle(text)
        parts = (self._rolling(prompt, text[:middle]), self._rolling(prompt + text[:middle], text[middle:]))
        logprob, tokens = sum(one.logprob for one in parts), sum(one.tokens for one in parts)
        return Likelihood(logprob, tokens, all(one.greedy for one in parts))

    def _echo(self, prompt: str, text: str) -> tuple[Likelihood, int | None]:
        body = {"model": self.name, "prompt": prompt + text, "max_tokens": 1, "temperature": 0, **_ECHO}
        answer = self.client.post("completions", body, _about(prompt + text) + 1)
        echo = read_echo(answer, prompt, text)
        if echo is None:
            raise EndpointError(_UNREAD, where=self.client.address.host, hint=_NO_ECHO)
        if text and not echo.likelihood.tokens:
            hint = "say what stands before a document: --set beginning=TEXT"
            raise EndpointError("gives no log-probability of a first token", where=self.client.address.host, hint=hint)
        self.usage.count(straddled=int(echo.straddled), unscored=echo.unscored)
        return echo.likelihood, _prompt_tokens(answer)

    # ---- generation --------------------------------------------------------------------------------------------------

    def _completions(self, request: Generation) -> list[Completion]:
        prompt, dropped = request.prompt, 0
        for _ in range(_CUTS):
            try:
                found, spent = self._samples(prompt, request.decoding, request.seed)
            except Refused as refusal:
                shorter, gone = cut(prompt, share_to_keep(refusal.told, request.decoding.max_tokens))
                if not is_too_long(refusal.told) or not gone:
                    raise
                prompt, dropped = shorter, dropped + gone
            else:
                truncated = tokens_in(dropped, prompt, spent)
                return [Completion(one.text, one.logprob, one.tokens, one.finish, truncated) for one in found]
        raise EndpointError("refuses prompts of any length", where=self.client.address.host)

    def _samples(self, prompt: Prompt, decoding: Decoding, seed: int) -> tuple[list[Completion], int | None]:
        """All samples: in one request, or in as many as it takes where the endpoint gives fewer."""
        found: list[Completion] = []
        spent: int | None = None
        while (missing := min(_MOST, decoding.samples - len(found))) > 0:
            body = self._body(prompt, decoding, missing, derive(seed, "samples", len(found)) if found else seed)
            tokens = _about(prompt) + min(decoding.max_tokens, _MOST_TOKENS) * missing
            answer = self._post(self._path, body, tokens)
            spent = spent if spent is not None else _prompt_tokens(answer)
            rows = choices(answer)[:missing]
            written = _completion_tokens(answer) if len(rows) == 1 else None
            read = [read_completion(row, decoding, written) for row in rows] or [None]
            self.usage.count(invalid=read.count(None))
            found += [one or _EMPTY for one in read]
        return found, spent

    def _body(self, prompt: Prompt, decoding: Decoding, samples: int, seed: int) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.name, "max_tokens": decoding.max_tokens, "seed": seed % _SEEDS}
        body |= {"temperature": decoding.temperature, "n": samples, "stop": list(decoding.stops[:4])}
        body |= {"top_p": decoding.top_p, "top_k": decoding.top_k}
        body |= (
            {"messages": _turns(prompt)}
            if self.chat
            else {"prompt": prompt if isinstance(prompt, str) else transcript(prompt)}
        )
        return self.dialect.shape(body, self.chat)

    @property
    def _path(self) -> str:
        return "chat/completions" if self.chat else "completions"

    def _post(self, path: str, body: dict[str, Any], tokens: float, attempts: int | None = None) -> dict[str, Any]:
        """An answer; {} for one that stays unreadable. What is refused and can be done without is left out."""
        while True:
            try:
                return self.client.post(path, body, tokens, attempts)
            except Unreadable:
                return {}
            except Refused as refusal:
                if is_too_long(refusal.told):  # these name settings, too: 'max_completion_tokens' is too large
                    raise
                shaped = self.dialect.learn(refusal.told, body)
                if shaped is None:
                    raise
                body = shaped

    # ---- opening -----------------------------------------------------------------------------------------------------

    def _find_form(self, chat: bool | None) -> None:
        """Chat if it was asked for, or has an answer; else plain completions."""
        if chat is not None:
            return self._try(chat)
        try:
            self._try(chat=True)
        except EndpointError as error:
            if not _cannot(error):  # busy, away, or the key refused: nothing is known yet
                raise _unless_told(error, "chat") from None
            self._try_completions(error)

    def _try_completions(self, refusal: EndpointError) -> None:
        """Where they fail too, why the chat refused says more than that there are none."""
        try:
            self._try(chat=False)
        except EndpointError as error:
            if isinstance(refusal, Refused) and _cannot(error):
                raise refusal from None
            raise

    def _try(self, chat: bool) -> None:
        """One short answer in this form; what it refuses of the request is left out from now on."""
        self.chat, self.dialect = chat, Dialect(self.client.settings.logprobs)
        body = self._body(_PROBE, Decoding(max_tokens=1, stops=("\n\n",), temperature=0.5), 1, 0)
        answer = self._post(self._path, body, _about(_PROBE), attempts=3)
        if not any(read_completion(row, Decoding(), None) for row in choices(answer)):
            hint = "is it an OpenAI-compatible endpoint? The address often ends in /v1"
            raise Unreadable(f"answers /{self._path} with no completion", where=self.client.address.host, hint=hint)
        self._served = whole(answer["model"]) if isinstance(answer.get("model"), str) else None

    def _echoes(self) -> bool:
        body = {"model": self.name, "prompt": _PROBE, "max_tokens": 1, "temperature": 0, **_ECHO}
        try:
            answer = self.client.post("completions", body, _about(_PROBE), attempts=3)
        except EndpointError as error:
            if not _cannot(error) and not (isinstance(error, Answered) and error.refuses_key):
                raise _unless_told(error, "likelihood") from None
            return False
        echo = read_echo(answer, _PROBE[:12], _PROBE[12:])
        return echo is not None and echo.unscored == 0


_UNREAD = "its echo holds no log-probabilities that can be read as those of what was asked"
_NO_ECHO = "ask by generation: --set likelihood=false"
_ECHO: dict[str, Any] = {"echo": True, "logprobs": 1}


def _only_model(client: Client) -> str:
    found = client.get("models").get("data")
    names = (
        [client.line(str(one["id"])) for one in found if isinstance(one, dict) and "id" in one]
        if isinstance(found, list)
        else []
    )
    if len(names) != 1:
        hint = f"add #MODEL: {', '.join(names[:20])}" if names else "add #MODEL to the address"
        raise ConfigError(f"serves {len(names)} models, and none is named", where=client.address.host, hint=hint)
    return names[0]


def _cannot(error: EndpointError) -> bool:
    """Whether an endpoint has no such thing, rather than no time for it."""
    return isinstance(error, Unreadable) or (isinstance(error, Answered) and error.is_final)


def _unless_told(error: EndpointError, setting: str) -> EndpointError:
    """The same error; of one that breaks over a question, also how to leave the question out."""
    if isinstance(error, Answered) and error.status == _BROKEN:
        hint = f"where it always does so, it can be left unasked: --set {setting}=false"
        return Answered(error.status, error.what, str(error.where), hint)
    return error


def _check(decoding: Decoding) -> None:
    if decoding.beams > 1:
        hint = "sample or decode greedily, or open the model's files: a run or hf:DIR"
        raise ConfigError("an endpoint has no beam search", where="beams", hint=hint)


def _turns(prompt: Prompt) -> list[dict[str, Any]]:
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}]
    return [{"role": one.role, "content": written(one.parts) if one.parts else one.content} for one in prompt]


def _cut_text(prompt: str, share: float) -> tuple[str, int]:
    drop = len(prompt) - int(len(prompt) * share)
    return prompt[drop:], drop


def _near_middle(text: str) -> int:
    """A place about the middle, before a blank where there is one."""
    blank = text.find(" ", len(text) // 2, len(text) // 2 + 100)
    return blank if blank > 0 else max(1, len(text) // 2)


def _about(prompt: Prompt) -> float:
    return characters(prompt) / _CHARACTERS_A_TOKEN


def _prompt_tokens(answer: dict[str, Any]) -> int | None:
    return counted(answer.get("usage"), "prompt_tokens")


def _completion_tokens(answer: dict[str, Any]) -> int | None:
    return counted(answer.get("usage"), "completion_tokens")
