"""Section `data`: what to train on."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import InitErrorDetails

from runs.spec import patterns
from runs.spec.section import Section, broken_rule, refuse
from runs.spec.sources import SHA256_WORDS, DataSource, HubSource, file_of, parse_source, sha256_rule

RuleSetName = Annotated[str, Field(min_length=1, max_length=1024, pattern=patterns.PLAIN_TEXT)]
_TRAINED_ON = (".json", ".jsonl")
_CURATED = (*_TRAINED_ON, ".parquet")


class Data(Section):
    """What to train on."""

    source: DataSource = Field(
        alias="from",
        description="A .json or .jsonl file of Alpaca, ShareGPT or messages rows: local, hf://datasets/, https:// or az://.",
    )
    prompt_format: Literal["alpaca", "vicuna", "chatml", "tokenizer"] = Field(
        default="alpaca",
        description="How a conversation becomes text; tokenizer: by the base model's own chat template.",
    )
    sha256: str | None = Field(default=None, pattern=patterns.SHA256, description=SHA256_WORDS)
    curate: RuleSetName | list[RuleSetName] | None = Field(
        default=None,
        description="Rules to curate by before training, on the machine: unfiltered, quality, a .yaml file, or a list.",
    )

    @model_validator(mode="after")
    def _rules(self) -> Self:
        refuse("data", _broken_rules(self))
        return self

    @property
    def rule_sets(self) -> tuple[str, ...]:
        """The rule sets that the data is curated by; empty when it is not."""
        if self.curate is None:
            return ()
        return (self.curate,) if isinstance(self.curate, str) else tuple(self.curate)


def _broken_rules(data: Data) -> Iterator[InitErrorDetails]:
    yield from sha256_rule(data.source, data.sha256)
    source = parse_source(data.source)
    file = file_of(source)
    if data.rule_sets and ((isinstance(source, HubSource) and not file) or (file or "").endswith(_CURATED)):
        return
    if not (file or "").endswith(_TRAINED_ON):
        expected = "one .json or .jsonl file of Alpaca rows"
        if data.rule_sets:
            expected = ".json, .jsonl or .parquet, or a whole data set of the Hub"
        yield broken_rule(("from",), f"expected {expected}, found: {data.source}", data.source)
    if data.curate == []:
        yield broken_rule(("curate",), "expected at least one rule set, found: nothing", data.curate)
