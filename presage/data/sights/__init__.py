"""Real sets of pictures with questions, read where they lie and never copied; and generated digits.

Each is read by a function of (folder of the set, split "train" or "test", seed). The seed orders training; what is
asked in a test split is the same for every seed, so that scores can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from presage.data.images.question import Question
from presage.data.sights.emoji import noto_emoji
from presage.data.sights.flags import country_flags
from presage.data.sights.mnist import mnist_test
from presage.data.sights.nlvr import nlvr
from presage.data.sights.omniglot import omniglot_small
from presage.data.sights.vqav2 import vqav2_sample

Reader = Callable[[Path, str, int], Iterator[Question]]
SETS: Mapping[str, Reader] = {
    "mnist_test": mnist_test,
    "noto_emoji": noto_emoji,
    "country_flags": country_flags,
    "nlvr": nlvr,
    "omniglot_small": omniglot_small,
    "vqav2_sample": vqav2_sample,
}
