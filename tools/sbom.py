"""Print what presage is made of, as CycloneDX 1.5: `python tools/sbom.py > sbom.json`.

The libraries that an installation needs, as they are in this environment, with versions, licences and which of them
needs which; extras, and tools for development, are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

from packaging.requirements import Requirement

OWN = "presage"


def main() -> None:
    """The document."""
    found = dict(_closure(OWN, {}))
    own = found.pop(OWN)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", **_component(own)}},
        "components": [{"type": "library", **_component(one)} for _, one in sorted(found.items())],
        "dependencies": [
            {"ref": _ref(one), "dependsOn": sorted(_ref(found[name]) for name in _needs(one) if name in found)}
            for one in [own, *(one for _, one in sorted(found.items()))]
        ],
    }
    print(json.dumps(document, indent=2))


def _closure(name: str, found: dict[str, Distribution]) -> dict[str, Distribution]:
    """A distribution and all that it needs, by name."""
    try:
        found[name] = distribution(name)
    except PackageNotFoundError:  # of another system or Python: its marker says so only together with an extra's
        return found
    for need in _needs(found[name]):
        if need not in found:
            _closure(need, found)
    return found


def _needs(one: Distribution) -> Iterator[str]:
    for text in one.requires or []:
        need = Requirement(text)
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            yield _name(need.name)


def _component(one: Distribution) -> dict[str, Any]:
    about = one.metadata
    told = about.get("License-Expression") or about.get("License") or ""
    classified = [text.split(" :: ")[-1] for text in about.get_all("Classifier") or [] if text.startswith("License ::")]
    licence = told if told and "\n" not in told else ", ".join(classified)
    licences = {"licenses": [{"license": {"name": licence}}]} if licence else {}
    return {"bom-ref": _ref(one), "name": _name(one.name), "version": one.version, "purl": _ref(one), **licences}


def _ref(one: Distribution) -> str:
    return f"pkg:pypi/{_name(one.name)}@{one.version.replace('+', '%2B')}"


def _name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
