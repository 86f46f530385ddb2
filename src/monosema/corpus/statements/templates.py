"""From statements to contrast pairs: a template, and the two ways to complete it.

"Q: {statement} A: {answer}"     "Q: six is larger than two A: false"     "Q: six is larger than two A: true"
"""

from dataclasses import dataclass

from monosema.core.config import require
from monosema.core.errors import ConfigError, unknown
from monosema.corpus.statements.labelled import Pairs, Statements


@dataclass(frozen=True)
class Template:
    """A `text` with {statement} and {answer}, each once, and the two answers."""

    text: str
    negative: str = "false"
    positive: str = "true"

    def __post_init__(self) -> None:
        for slot in ("{statement}", "{answer}"):
            n = self.text.count(slot)
            require(n == 1, f"the template '{self.text}' holds {slot} {n} times: write it once")
        for answer in (self.negative, self.positive):
            require(bool(answer.strip()), f"the template '{self.text}' has an empty answer: give two words")
        differ = self.negative.strip() != self.positive.strip()
        require(differ, f"both answers of the template are '{self.positive.strip()}': give two that differ")

    def prompt(self, statement: str) -> str:
        """The text up to its answer, without white space at the end; all of it where the answer does not come last."""
        head, _, _ = self.text.partition("{answer}")
        return head.replace("{statement}", statement).rstrip()

    def complete(self, statement: str, positive: bool) -> str:
        """The text with one of the answers."""
        with_answer = self.text.replace("{answer}", self.positive if positive else self.negative)
        return with_answer.replace("{statement}", statement)


TEMPLATES: dict[str, Template] = {
    "qa": Template("Q: {statement} A: {answer}"),
    "true_or_false": Template("is this true or false? {statement} : {answer}"),
    "it_is": Template("the statement that {statement} is {answer}"),
    "yes_no": Template("Q: is it so that {statement} ? A: {answer}", "no", "yes"),
}


def template(given: str | Template) -> Template:
    """The template called `given`, or the one that its text is, completed by "true" and "false".

    Raises ConfigError for an unknown name and for a text without its slots.
    """
    if isinstance(given, Template):
        return given
    if "{" in given:
        return Template(given)
    if given not in TEMPLATES:
        raise ConfigError(
            f"{unknown('template', given, TEMPLATES)}. For your own give a text such as '{TEMPLATES['qa'].text}'"
        )
    return TEMPLATES[given]


def as_pairs(statements: Statements, template_or_name: str | Template) -> Pairs:
    """Every statement completed both ways. The sides of a row differ in the answer alone."""
    chosen = template(template_or_name)
    negative, positive = (tuple(chosen.complete(text, side) for text in statements.texts) for side in (False, True))
    return Pairs(statements.name, negative, positive, statements.labels, statements.groups, statements.attributes)
