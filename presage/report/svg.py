"""matplotlib's SVG, made to live in a page: colours become CSS classes, text takes the page's font, marks carry facts.

A figure is drawn with the sentinel colours of `INK`; `finish` turns each into a class (`f-accent`, `s-accent`), so one
drawing reads in light and dark. The result has no date, no random ids and loads nothing.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from html import escape
from typing import Any

from presage.report.facts import Fact

# role: (what matplotlib draws with, light theme, dark theme)
INK = {
    "ink": ("#010101", "#1d2126", "#e7e5df"),
    "muted": ("#020202", "#5f6771", "#a3a39d"),
    "grid": ("#030303", "#e3e3de", "#34363a"),
    "accent": ("#040404", "#1f5aa6", "#86b4f5"),
    "target": ("#050505", "#b3401a", "#f59d70"),
    "band": ("#060606", "#d5e1f0", "#24364e"),
    "paper": ("#070707", "#fffefb", "#17181a"),
    "second": ("#080808", "#8aa9cf", "#4f76a8"),
}
DRAW = {role: colours[0] for role, colours in INK.items()}
ROLES = {colours[0]: role for role, colours in INK.items()}
_LONG = re.compile(r"(?<![\w.#])-?\d+\.\d{2,}(?![\w.])(?=[^<>]*[/\"]?>)")
_CLIP = re.compile(r'<clipPath id="(\w+)"')
_STYLE = re.compile(r' style="([^"]*)"')
_PAINT = re.compile(r"(fill|stroke): (#[0-9a-f]{6})")
_TEXT = re.compile(r"font: (?:(italic|bold|700) )?([\d.]+)px [^;\"]*")


def theme_css(scope: str, dark: bool = False) -> str:
    """The variables of one theme: `scope{--ink:#…;…}`."""
    return scope + "{" + "".join(f"--{role}:{colours[1 + dark]};" for role, colours in INK.items()) + "}"


def paint_css() -> str:
    """The classes that `finish` writes, on the page's variables: f-ROLE fills and s-ROLE strokes."""
    return _paint({role: f"var(--{role})" for role in INK})


def _paint(colours: Mapping[str, str]) -> str:
    rules = [f".f-{role}{{fill:{c}}}.s-{role}{{stroke:{c}}}" for role, c in colours.items()]
    halo = f".fig text{{paint-order:stroke;stroke:{colours['paper']};stroke-width:3px;stroke-linejoin:round}}"
    return "".join(rules) + halo


def save(figure: Any, name: str) -> str:
    """The matplotlib figure as raw SVG text; deterministic for the same data, name and library versions."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _own_clips(buffer.getvalue(), name)


def _own_clips(raw: str, name: str) -> str:
    """Clip paths called by their place in the figure: matplotlib's names change with the last bit of a layout."""
    own = {clip: f"{name}-clip-{number}" for number, clip in enumerate(_CLIP.findall(raw))}
    return re.sub("|".join(own) or "(?!)", lambda found: own[found[0]], raw)


def finish(raw: str, title: str, description: str, marks: Mapping[str, Fact], kind: str = "") -> str:
    """An `<svg class="fig">` element. `marks` maps a group's gid to the fact that it shows."""
    body = raw[raw.index("<svg") :]
    width, height = _size(body)
    body = body[body.index(">", body.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.S)
    body = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", "", body, flags=re.S)
    body = _STYLE.sub(_classes, body)
    body = re.sub(r' id="([^"]+)"', lambda m: _identity(m[1], marks, body), body)
    body = re.sub(r"(<g data-fact=[^>]*data-title=\"([^\"]*)\")>", r"\1><title>\2</title>", body)
    body = re.sub(r' data-title="[^"]*"', "", body)
    body = _LONG.sub(lambda m: f"{float(m[0]):.1f}".removesuffix(".0"), re.sub(r"\n\s*", "\n", body))
    names = f"fig {kind}".strip()
    box = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    label = f"<title>{escape(title)}</title><desc>{escape(description)}</desc>"
    return f'<svg class="{names}" {box} role="img" {spaces}>{label}{body}'


def standalone(svg: str) -> str:
    """The figure as a file of its own, with both themes inside it as plain colours."""
    light, dark = ({role: c[i] for role, c in INK.items()} for i in (1, 2))
    style = (
        f"svg{{background:{light['paper']}}}text{{font-family:system-ui,sans-serif}}{_paint(light)}"
        f"@media (prefers-color-scheme:dark){{svg{{background:{dark['paper']}}}{_paint(dark)}}}"
    )
    end = svg.index(">") + 1
    return f'<?xml version="1.0" encoding="utf-8"?>\n{svg[:end]}<style>{style}</style>{svg[end:]}\n'


def _size(svg: str) -> tuple[float, float]:
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert box is not None
    return float(box[1]), float(box[2])


def _classes(match: re.Match[str]) -> str:
    """style="fill: #010101; …" to class="f-ink" style="…"; a font becomes its size alone."""
    style, names = match[1], []
    for kind, colour in _PAINT.findall(style):
        if colour in ROLES:
            names.append(f"{kind[0]}-{ROLES[colour]}")
            style = style.replace(f"{kind}: {colour}", "", 1)
    style = _TEXT.sub(lambda m: (f"font-weight: {m[1]}; " if m[1] else "") + f"font-size: {m[2]}px", style)
    rest = "; ".join(part.strip() for part in style.split(";") if part.strip())
    return (f' class="{" ".join(names)}"' if names else "") + (f' style="{rest}"' if rest else "")


def _identity(name: str, marks: Mapping[str, Fact], body: str) -> str:
    """Keep ids that something refers to; a mark's gid becomes its source; matplotlib's others go."""
    if name in marks:
        fact = marks[name]
        return f' {fact.attributes} class="fact" data-title="{escape(fact.shown)} — {escape(fact.title)}"'
    return f' id="{name}"' if f"#{name}" in body else ""
