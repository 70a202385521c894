"""JSON as a grammar: any value, or what a JSON schema describes.

What is written is compact: a blank at most behind a colon or comma, and none elsewhere, so that no model is lost in
white space. Objects name their properties in the schema's order. Every text that comes out is valid; not every valid
text can come out. What a schema says beyond SUPPORTED is refused by its name, never passed over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from presage.serve.errors import invalid
from presage.serve.grammar import Alternative, Grammar, Part, Rules, literal, sequence

SAID = {
    "title",
    "description",
    "default",
    "examples",
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "deprecated",
}
"""Keywords that bind nothing."""
SUPPORTED = {
    "type", "properties", "required", "additionalProperties", "items", "minItems", "maxItems", "enum", "const", "anyOf",
    "oneOf", "allOf", "$ref", "minLength", "maxLength",
}  # fmt: skip
REFUSED = {
    "not", "if", "then", "else", "patternProperties", "propertyNames", "minProperties", "maxProperties",
    "dependentRequired",
    "dependentSchemas", "unevaluatedProperties", "unevaluatedItems", "prefixItems", "additionalItems", "contains",
    "minContains", "maxContains", "uniqueItems", "pattern", "format", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "multipleOf", "contentEncoding", "contentMediaType", "$dynamicRef", "$dynamicAnchor", "$anchor",
    "$recursiveRef", "dependencies", "contentSchema",
}  # fmt: skip
MOST_REPEATS, MOST_RULES = 256, 5000
_HEX, _DIGIT = frozenset(b"0123456789abcdefABCDEF"), frozenset(b"0123456789")


def _bytes(first: int, last: int) -> frozenset[int]:
    return frozenset(range(first, last + 1))


_TAIL = _bytes(0x80, 0xBF)
JSON: Rules = {
    "value": (("object",), ("array",), ("string",), ("number",), literal("true"), literal("false"), literal("null")),
    "object": (literal("{}"), sequence(literal("{"), "members", literal("}"))),
    "members": (("member",), sequence("member", "comma", "members")),
    "member": (sequence("string", "colon", "value"),),
    "array": (literal("[]"), sequence(literal("["), "values", literal("]"))),
    "values": (("value",), sequence("value", "comma", "values")),
    "comma": (literal(","), literal(", ")),
    "colon": (literal(":"), literal(": ")),
    "string": (sequence(literal('"'), "characters", literal('"')),),
    "characters": ((), ("character", "characters")),
    # One character of well-formed UTF-8 (Unicode, table 3-7), or an escape that is not half of a surrogate pair.
    "character": (
        (_bytes(0x20, 0x7F) - frozenset(b'"\\'),),
        (_bytes(0xC2, 0xDF), _TAIL),
        (frozenset({0xE0}), _bytes(0xA0, 0xBF), _TAIL),
        (_bytes(0xE1, 0xEC) | _bytes(0xEE, 0xEF), _TAIL, _TAIL),
        (frozenset({0xED}), _bytes(0x80, 0x9F), _TAIL),
        (frozenset({0xF0}), _bytes(0x90, 0xBF), _TAIL, _TAIL),
        (_bytes(0xF1, 0xF3), _TAIL, _TAIL, _TAIL),
        (frozenset({0xF4}), _bytes(0x80, 0x8F), _TAIL, _TAIL),
        (frozenset(b"\\"), frozenset(b'"\\/bfnrt')),
        (frozenset(b"\\"), frozenset(b"u"), _HEX - frozenset(b"dD"), _HEX, _HEX, _HEX),
        (frozenset(b"\\"), frozenset(b"u"), frozenset(b"dD"), frozenset(b"01234567"), _HEX, _HEX),
    ),
    "number": (("integer",), sequence("integer", "fraction"), sequence("integer", "power"),
               ("integer", "fraction", "power")),
    "fraction": (sequence(literal("."), "digits"),),
    "power": (sequence(frozenset(b"eE"), "sign", _DIGIT), sequence(frozenset(b"eE"), "sign", _DIGIT, _DIGIT)),
    "sign": ((), literal("+"), literal("-")),
    "integer": (("natural",), sequence(literal("-"), "natural")),
    "natural": (literal("0"), (_bytes(0x31, 0x39),), (_bytes(0x31, 0x39), "digits")),
    "digits": ((_DIGIT,), (_DIGIT, "digits")),
}  # fmt: skip
_TYPES = {
    "object": "object", "array": "array", "string": "string", "number": "number", "integer": "integer",
    "boolean": "boolean", "null": "null",
}  # fmt: skip


def any_object() -> Grammar:
    """Of response_format json_object."""
    return Grammar(JSON, "object")


def by_schema(schema: Any, param: str) -> Grammar:
    """Of what a JSON schema describes. Raises ApiError naming `param` for one that is none, or that says more than we
    hold models to."""
    rules = SchemaRules(schema, param)
    start = rules.of(schema)
    return Grammar(rules.rules, start)


class SchemaRules:
    """Rules of a schema as they are made; a reference becomes the rule of what it refers to, once."""

    def __init__(self, root: Any, param: str) -> None:
        self.root, self.param = root, param
        self.rules: dict[str, tuple[Alternative, ...]] = dict(JSON)
        self.rules["boolean"] = (literal("true"), literal("false"))
        self.rules["null"] = (literal("null"),)
        self._references: dict[str, str] = {}

    def of(self, schema: Any) -> str:
        """The rule of a schema."""
        if schema is True or schema == {}:
            return "value"
        if not isinstance(schema, dict):
            raise self._wrong("a schema is an object")
        self._check(schema)
        if "$ref" in schema:
            return self._reference(schema["$ref"])
        if "const" in schema or "enum" in schema:
            return self._constants(schema)
        for word in ("anyOf", "oneOf", "allOf"):
            if word in schema:
                return self._several(word, schema[word])
        kinds = schema.get("type")
        if isinstance(kinds, list):
            if not kinds:
                raise self._wrong("'type' lists nothing")
            return self._rule(*((self._kind(kind, schema),) for kind in kinds))
        return self._kind(kinds, schema)

    def forget(self) -> None:
        """References made from here on are another schema's."""
        self._references = {}

    def add(self, *alternatives: Alternative) -> str:
        """A new rule."""
        return self._rule(*alternatives)

    def _check(self, schema: Mapping[str, Any]) -> None:
        for word in schema:
            if word in REFUSED:
                raise self._wrong(f"'{word}' is not supported")
        alone = [word for word in ("$ref", "anyOf", "oneOf", "allOf", "enum", "const") if word in schema]
        beside = [word for word in schema if word in SUPPORTED and word not in alone and word != "type"]
        if len(alone) > 1 or (alone and beside):
            raise self._wrong(f"'{alone[0]}' beside '{(alone[1:] + beside)[0]}' is not supported")

    def _rule(self, *alternatives: Alternative) -> str:
        if len(self.rules) > MOST_RULES:
            raise self._wrong("the schema is too large")
        name = f"#{len(self.rules)}"
        self.rules[name] = alternatives
        return name

    def _reference(self, to: Any) -> str:
        if not isinstance(to, str) or not to.startswith("#"):
            raise self._wrong("'$ref' beyond the schema itself is not supported")
        if to not in self._references:
            self._references[to] = name = self._rule()
            target = self.of(self._found(to))
            self.rules[name] = ((target,),)
            if self._begins_with(name, name):
                raise self._wrong(f"'$ref' {to[:60]} leads to itself")
        return self._references[to]

    def _found(self, to: str) -> Any:
        value = self.root
        for step in to.removeprefix("#").strip("/").split("/") if to not in ("#", "#/") else []:
            key = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(value, dict) or key not in value:
                raise self._wrong(f"'$ref' {to[:60]} leads nowhere")
            value = value[key]
        return value

    def _begins_with(self, rule: str, sought: str) -> bool:
        """Whether a rule of nothing but references comes back to itself."""
        seen: set[str] = set()
        waiting = [rule]
        while waiting:
            for parts in self.rules[waiting.pop()]:
                first = parts[0] if parts else None
                if first == sought:
                    return True
                if isinstance(first, str) and first not in seen:
                    seen.add(first)
                    waiting.append(first)
        return False

    def _constants(self, schema: Mapping[str, Any]) -> str:
        values = [schema["const"]] if "const" in schema else schema["enum"]
        if not isinstance(values, list) or not values:
            raise self._wrong("'enum' lists nothing")
        texts = dict.fromkeys(json.dumps(value, ensure_ascii=False, separators=(",", ":")) for value in values)
        return self._rule(*(literal(text) for text in texts))

    def _several(self, word: str, schemas: Any) -> str:
        if not isinstance(schemas, list) or not schemas:
            raise self._wrong(f"'{word}' lists nothing")
        if word == "allOf" and len(schemas) > 1:
            raise self._wrong("'allOf' of more than one schema is not supported")
        if word == "oneOf" and len(schemas) > 1:
            raise self._wrong("'oneOf' is not supported, write 'anyOf'")
        return self._rule(*((self.of(one),) for one in schemas))

    def _kind(self, kind: Any, schema: Mapping[str, Any]) -> str:
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else None
            if kind is None and any(word in SUPPORTED for word in schema):
                raise self._wrong("a schema without its 'type'")
        if kind is None:
            return "value"
        if not isinstance(kind, str) or kind not in _TYPES:
            raise self._wrong(f"'type' is none of {', '.join(_TYPES)}")
        made = {"object": self._object, "array": self._array, "string": self._string}.get(kind)
        return made(schema) if made else _TYPES[kind]

    # ---- objects, lists, strings -------------------------------------------------------------------------------------

    def _object(self, schema: Mapping[str, Any]) -> str:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        if not isinstance(properties, dict) or not isinstance(required, list):
            raise self._wrong("'properties' is an object and 'required' a list")
        unknown = [name for name in required if name not in properties]
        if unknown:
            raise self._wrong(f"'required' names {json.dumps(unknown[0])[:60]}, which is no property")
        if not properties:
            return self._map(schema.get("additionalProperties", True))
        members = [(self._member(name, one), name in required) for name, one in properties.items()]
        return self._rule(sequence(literal("{"), self._members(members), literal("}")))

    def _members(self, members: Sequence[tuple[str, bool]]) -> str:
        """Properties in their order. Built from the last on, with two rules for what may stand from a place on: where
        nothing stood before it, and where something did."""
        first = rest = self._rule(())
        for member, needed in reversed(members):
            here: tuple[Alternative, ...] = ((member, rest),)
            behind: tuple[Alternative, ...] = (("comma", member, rest),)
            first, rest = (
                self._rule(*here, *(() if needed else ((first,),))),
                self._rule(*behind, *(() if needed else ((rest,),))),
            )
        return first

    def _member(self, name: str, schema: Any) -> str:
        return self._rule(sequence(literal(json.dumps(name, ensure_ascii=False)), "colon", self.of(schema)))

    def _map(self, values: Any) -> str:
        if values is False:
            return self._rule(literal("{}"))
        if values is True:
            return "object"
        member = self._rule(("string", "colon", self.of(values)))
        return self._rule(literal("{}"), sequence(literal("{"), self._list(member), literal("}")))

    def _list(self, one: str) -> str:
        """One or more, by commas."""
        name = self._rule()
        self.rules[name] = ((one,), (one, "comma", name))
        return name

    def _array(self, schema: Mapping[str, Any]) -> str:
        items = self.of(schema.get("items", True))
        least, most = self._bounds(schema, "minItems", "maxItems")
        if most is None and least <= 1:
            full = sequence(literal("["), self._list(items), literal("]"))
            return self._rule(full, *(() if least else (literal("[]"),)))
        return self._rule(sequence(literal("["), self._counted(items, least, most, ("comma",)), literal("]")))

    def _string(self, schema: Mapping[str, Any]) -> str:
        if "minLength" not in schema and "maxLength" not in schema:
            return "string"
        least, most = self._bounds(schema, "minLength", "maxLength")
        return self._rule(sequence(literal('"'), self._counted("character", least, most, ()), literal('"')))

    def _bounds(self, schema: Mapping[str, Any], low: str, high: str) -> tuple[int, int | None]:
        least, most = schema.get(low, 0), schema.get(high)
        for word, value in ((low, least), (high, most)):
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
                raise self._wrong(f"'{word}' is no whole number")
            if value is not None and value > MOST_REPEATS:
                raise self._wrong(f"'{word}' above {MOST_REPEATS} is not supported")
        if most is not None and most < least:
            raise self._wrong(f"'{high}' is less than '{low}'")
        return least, most

    def _counted(self, one: str, least: int, most: int | None, between: tuple[Part, ...]) -> str:
        """`least` to `most` of one thing, from the last to the first; without a most, any number."""
        if most is None:
            endless = self._rule()
            self.rules[endless] = ((), (*between, one, endless))
            following, count = endless, least
        else:
            following, count = self._rule(()), most
        for place in range(count, 0, -1):
            parts: Alternative = (*(between if place > 1 else ()), one, following)
            following = self._rule(parts, *(() if place <= least else ((),)))
        if most is None and least == 0 and between:
            return self._rule((), (one, following))
        return following

    def _wrong(self, what: str) -> Exception:
        return invalid(f"{self.param}: {what}", self.param, "invalid_schema")
