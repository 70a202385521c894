"""presage: know what a big language model will be before paying for it.

The verbs of the command line are functions here, imported when first used:

    import presage
    presage.demo("runs/demo", minutes=12)
    presage.verify("runs/demo")            # [] when the seal holds
    law = presage.fit([presage.Point(1e18, 2.8, 0.01), …])
    law.predict(1e21)

A stage is `presage.pretrain(config, out)` with a Config from its module, `presage.train.pretrain.Config`.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_VERBS = {
    "corpus": ("presage.data.corpus", "run"),
    "tokenizer": ("presage.data.tokenizer", "run"),
    "shards": ("presage.data.shards", "run"),
    "pretrain": ("presage.train.pretrain", "run"),
    "images": ("presage.data.images.shards", "run"),
    "vision": ("presage.train.vision", "run"),
    "sight": ("presage.evaluate.sight", "run"),
    "ladder": ("presage.forecast.ladder", "run"),
    "seal": ("presage.forecast.seal", "run"),
    "score": ("presage.forecast.score", "run"),
    "report_on": ("presage.report.render", "run"),
    "demo": ("presage.recipes.demo", "run"),
    "verify": ("presage.forecast.verify", "verify"),
    "fit": ("presage.forecast.law", "fit"),
    "fit_surface": ("presage.forecast.surface", "fit"),
    "fit_capability": ("presage.forecast.capability", "fit"),
    "backtest": ("presage.forecast.backtest", "predict"),
    "attempts": ("presage.forecast.attempts", "run"),
    "trend": ("presage.forecast.trend", "trend"),
    "emergence": ("presage.forecast.emergence", "emergence"),
    "plan": ("presage.forecast.plan", "make"),
    "ledger": ("presage.forecast.ledger", "record"),
    "family": ("presage.forecast.family", "forecast"),
    "Prior": ("presage.forecast.prior", "Prior"),
    "Point": ("presage.forecast.law", "Point"),
    "RunDir": ("presage.core.run", "RunDir"),
    "Tokenizer": ("presage.data.bpe", "Tokenizer"),
    "load_run": ("presage.model.weights", "load_run"),
    "generate": ("presage.model.decode", "generate"),
    "export_hf": ("presage.model.exchange", "export_hf"),
    "import_hf": ("presage.model.exchange", "import_hf"),
}

__all__ = ["__version__", *_VERBS]


def __getattr__(name: str) -> Any:
    if name not in _VERBS:
        raise AttributeError(f"module 'presage' has no attribute '{name}'")
    module, attribute = _VERBS[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
