"""One process for each run: workers take longer to start than these corpora take to build."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from presage.data import corpus


@pytest.fixture(scope="package", autouse=True)
def one_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "usable_cores", lambda: 1)
        yield
