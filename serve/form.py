"""The form that a client asks an answer in: JSON by a schema, any JSON object, or one of some labels; and when to stop.

A form comes from outside and goes into vLLM's grammar compiler, so its size is bounded and what blows a grammar up is refused.
"""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from serve.prompt import disarm

MAX_SCHEMA = 16_000  # bytes of JSON
MAX_DEPTH = 16  # levels of a schema
MAX_PARTS = 512  # values in a schema
MAX_COUNT = 1000  # of a schema's own bounds: each unit of one may become a rule of the grammar
COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
ASK = {
    "json": {
        "en": "Answer with one JSON value alone, its values in the passages' own words, without numbers of passages.",
        "zh": "只用一个 JSON 值回答，其中的值照录段落原文，不注段落编号。",
    },
    "choice": {"en": "Answer with one of these labels alone: {choices}", "zh": "只用以下标签之一回答：{choices}"},
}

Label = Annotated[str, Field(min_length=1, max_length=200)]
Stop = Annotated[str, Field(min_length=1, max_length=100)]


class JsonSchema(BaseModel):
    """OpenAI's `json_schema`; its other fields have no effect, for a grammar is always strict."""

    name: str = Field("", max_length=64)
    body: dict[str, Any] = Field(alias="schema")

    @field_validator("body")
    @classmethod
    def _bounded(cls, schema: dict[str, Any]) -> dict[str, Any]:
        for part, (depth, name, value) in enumerate(walk(schema), 1):
            if depth > MAX_DEPTH or part > MAX_PARTS:
                raise ValueError(f"a schema has at most {MAX_DEPTH} levels and {MAX_PARTS} values")
            if name == "patternProperties" or (name == "pattern" and isinstance(value, str)):
                raise ValueError(f"{name} is not taken; a few characters of one make a grammar that fills the memory")
            if name in COUNTS and isinstance(value, int | float) and not 0 <= value <= MAX_COUNT:
                raise ValueError(f"{name} is at most {MAX_COUNT}")
            if name == "$ref" and isinstance(value, str) and not value.startswith("#"):
                raise ValueError("a $ref points into the schema itself: #/$defs/…")
        if len(json.dumps(schema, ensure_ascii=False).encode("utf-8", "replace")) > MAX_SCHEMA:
            raise ValueError(f"a schema has at most {MAX_SCHEMA:,} bytes")
        return schema


class TextFormat(BaseModel):
    type: Literal["text"]


class ObjectFormat(BaseModel):
    type: Literal["json_object"]


class SchemaFormat(BaseModel):
    type: Literal["json_schema"]
    json_schema: JsonSchema


ResponseFormat = Annotated[TextFormat | ObjectFormat | SchemaFormat, Field(discriminator="type")]


class StructuredOutputs(BaseModel):
    """vLLM's `structured_outputs`, of which a choice between labels is taken; JSON goes by `response_format`."""

    model_config = ConfigDict(extra="forbid")

    choice: list[Label] = Field(min_length=1, max_length=64)

    @field_validator("choice")
    @classmethod
    def _plain(cls, labels: list[str]) -> list[str]:
        if len(set(labels)) < len(labels) or any(label != label.strip() for label in labels):
            raise ValueError("labels are different and have no blanks around them")
        return labels


class Form(BaseModel):
    """What an answer must be: one of `choices` where there are any, else JSON by `schema_`, else any JSON object."""

    schema_: dict[str, Any] | None = None
    choices: tuple[str, ...] = ()

    @property
    def constraint(self) -> dict[str, Any]:
        """vLLM's `structured_outputs`."""
        if self.choices:
            return {"choice": list(self.choices)}
        return {"json_object": True} if self.schema_ is None else {"json": self.schema_}

    @property
    def names(self) -> set[str]:
        """The names of members that the schema gives, which are the client's words and not the model's."""
        return {key for _, name, value in walk(self.schema_ or {}) if name == "properties" and isinstance(value, dict) for key in value}

    def instruction(self, lang: str) -> str:
        """What the model is told of it: a grammar alone would cut words that go elsewhere."""
        return ASK["choice" if self.choices else "json"][lang].format(choices=" | ".join(map(disarm, self.choices)))


def asked_form(response_format: Any, structured: StructuredOutputs | None) -> Form | None:
    """The form of a request; None for prose."""
    if structured:
        return Form(choices=tuple(structured.choice))
    if isinstance(response_format, SchemaFormat):
        return Form(schema_=response_format.json_schema.body)
    return Form() if isinstance(response_format, ObjectFormat) else None


def walk(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[int, str, Any]]:
    """Every value of a JSON value, with how deep it lies and its name; it goes one level deeper than is taken."""
    yield depth, name, value
    if depth > MAX_DEPTH:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from walk(inner, str(key), depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, "", depth + 1)
