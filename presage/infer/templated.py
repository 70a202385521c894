"""Conversations as a foreign model was trained on them: by the chat template that came with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from presage.core.errors import DataError
from presage.data.chat_template import rendered
from presage.data.verbs import Message
from presage.infer.text import ForeignText, special_text
from presage.model.hf_framing import TOKENIZER, read_kept, template_of


@dataclass(frozen=True)
class Templated:
    """A template, run in a sandbox, and the tokenizer that reads what it writes."""

    template: str
    words: dict[str, str]
    """The tokens that a template may name, bos_token and the like."""
    text: ForeignText

    @classmethod
    def load(cls, folder: Path) -> Templated | None:
        """From a Hugging Face directory or an import's artifacts; None where no template is there."""
        files = read_kept(folder)
        template = template_of(files, folder)
        if template is None:
            return None
        said = json.loads(files.get(TOKENIZER, "{}"))
        named = {key: special_text(value) for key, value in said.items() if key.endswith("_token")}
        words = {key: value for key, value in named.items() if value is not None}
        return cls(template, words, ForeignText.load(folder, literal=False))

    @property
    def digest(self) -> str:
        """sha256 of the template."""
        return sha256(self.template.encode()).hexdigest()

    def opened(self, messages: Sequence[Message]) -> list[int]:
        """Ids of a conversation that waits for the assistant. Raises DataError for a turn with a special token in it,
        which would be read as one, for images, and where the template refuses."""
        if any(message.parts for message in messages):
            raise DataError("an image, and a model of text", hint="images are read by runs of `presage vision`")
        specials = [token.content for token in self.text.tokenizer.get_added_tokens_decoder().values()]
        spelt = next((one for one in specials if any(one in message.content for message in messages)), None)
        if spelt is not None:
            raise DataError(f"{spelt} in a turn: it would be read as the token", where="chat_template")
        return self.text.bare([rendered(self.template, messages, self.words)])[0]
