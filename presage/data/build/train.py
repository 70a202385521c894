"""The classifiers of a corpus run, trained before its first pass and kept among its artifacts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice

from presage.core.run import RunDir
from presage.core.seeds import stream
from presage.data.build.config import Config
from presage.data.build.parts import File, Part, Plan, Work, read_part
from presage.data.documents import Bad, read_paths
from presage.data.rules.normalise import normalise
from presage.data.rules.quality import Quality

SPREAD = 8
"""The classifier's sample is drawn from at most this many times as many documents, evenly from all files."""
TOXIC = 20_000
"""Documents of each file that the classifier of toxicity is trained on."""


def train_classifiers(work: Work, run: RunDir) -> None:
    """artifacts/{quality,toxicity}.safetensors as far as asked for, unless they are there; their facts as results."""
    rules = work.config.rules
    if rules.quality is not None:
        sides = [_sample(work, names, rules.quality.sample) for names in (rules.quality.reference, rules.quality.raw)]
        named = ("rules.quality.reference", "rules.quality.raw")
        _train(run, "quality", named, sides, work.config, rules.quality.sample)
    if rules.toxicity is not None and rules.toxicity.toxic and rules.toxicity.other:
        named = (rules.toxicity.toxic, rules.toxicity.other)
        files = [_texts(work.config, path) for path in named]
        _train(run, "toxicity", named, files, work.config, TOXIC)


def _train(
    run: RunDir, name: str, names: tuple[str, str], sides: Sequence[Iterator[str]], config: Config, sample: int
) -> None:
    target = run.artifact(f"{name}.safetensors")
    if not target.exists():
        positives, negatives = ((_as_judged(text, config) for text in side) for side in sides)
        head = config.rules.head_chars
        model = Quality.train(positives, negatives, seed=config.seed, head_chars=head, sample=sample, names=names)
        model.save(target)
    for fact, value in asdict(Quality.load(target).facts).items():
        run.result(f"{name}/{fact}", value)


def _as_judged(text: str, config: Config) -> str:
    return normalise(text) if config.rules.normalise else text


def _texts(config: Config, path: str) -> Iterator[str]:
    return (item.text for item in read_paths("classifier", [path], config.limits) if not isinstance(item, Bad))


def _sample(work: Work, sources: Sequence[str], count: int) -> Iterator[str]:
    """Documents of some sources, file by file in a random order, the same for the same seed and files."""
    plan = work.plan
    files = [(part, file) for part in plan.parts if part.source in sources for file in part.files]
    order = stream(work.config.seed, "classifier", *sources).permutation(len(files))
    most = max(1, SPREAD * count // max(1, len(files)))
    texts = (text for place in order.tolist() for text in islice(_of(work.config, plan, *files[place]), most))
    return islice(texts, SPREAD * count)


def _of(config: Config, plan: Plan, part: Part, file: File) -> Iterator[str]:
    alone = Part(part.source, (file,), part.bytes)
    for _, item in read_part(config, alone, plan.packages):
        if not isinstance(item, Bad):
            yield item.text
