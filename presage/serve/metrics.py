"""What /metrics tells, in Prometheus' text form: counters, gauges read when asked, and histograms of seconds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from threading import Lock

BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Of one server. Names are written as `presage_NAME`."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[Labels, float]] = defaultdict(lambda: defaultdict(float))
        self._seen: dict[str, list[int]] = defaultdict(lambda: [0] * (len(BOUNDS) + 1))
        self._sums: dict[str, float] = defaultdict(float)
        self._gauges: dict[str, Callable[[], float]] = {}
        self._lock = Lock()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """So much more of a counter."""
        with self._lock:
            self._counts[name][tuple(sorted(labels.items()))] += amount

    def observe(self, name: str, seconds: float) -> None:
        """One more of a histogram."""
        place = next((place for place, bound in enumerate(BOUNDS) if seconds <= bound), len(BOUNDS))
        with self._lock:
            self._seen[name][place] += 1
            self._sums[name] += seconds

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        """What is read whenever somebody asks."""
        self._gauges[name] = read

    def text(self) -> str:
        """All of it."""
        with self._lock:
            return "\n".join([*self._counters(), *self._gauged(), *self._histograms()]) + "\n"

    def _counters(self) -> Iterator[str]:
        for name, values in sorted(self._counts.items()):
            yield f"# TYPE presage_{name}_total counter"
            for labels, value in sorted(values.items()):
                inside = ",".join(f'{key}="{_escaped(said)}"' for key, said in labels)
                yield f"presage_{name}_total{{{inside}}} {value:g}" if inside else f"presage_{name}_total {value:g}"

    def _gauged(self) -> Iterator[str]:
        for name, read in sorted(self._gauges.items()):
            yield f"# TYPE presage_{name} gauge"
            yield f"presage_{name} {read():g}"

    def _histograms(self) -> Iterator[str]:
        for name, counts in sorted(self._seen.items()):
            yield f"# TYPE presage_{name}_seconds histogram"
            total = 0
            for bound, count in zip((*map(str, BOUNDS), "+Inf"), counts, strict=True):
                total += count
                yield f'presage_{name}_seconds_bucket{{le="{bound}"}} {total}'
            yield f"presage_{name}_seconds_sum {self._sums[name]:.6f}"
            yield f"presage_{name}_seconds_count {total}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
