"""Sets of dictionaries scored together: together.json.

tc    the set NAME-0, NAME-1, ..., one of each layer        clt    a dictionary of several layers, by itself
"""

from collections.abc import Mapping, Sequence

from monosema import evaluation
from monosema.core.errors import ConfigError, unknown
from monosema.core.runs import Run, read_json, write_json
from monosema.dictionaries import Dictionary
from monosema.evaluation import ScoreConfig, Together
from monosema.pipeline.records import begun, is_done, settings_of
from monosema.pipeline.set_names import set_of
from monosema.pipeline.subject import open_subject


def together_stage(run: Run, names: Sequence[str], config: ScoreConfig | None = None) -> dict[str, Together]:
    """The sets called `names`, each with all its dictionaries in place of what they write, on the held-out documents.

    Raises as `open_subject` and `evaluation.score_together` do, and ConfigError for a set that the run does not have.
    """
    config, subject = config or ScoreConfig(), open_subject(run)
    sets = {name: members(subject.dictionaries, name) for name in dict.fromkeys(names)}
    settings, path = settings_of(config) | {"sets": list(sets)}, run.path / "together.json"
    if is_done(run, "score together", settings, subject.inputs) and path.exists():
        return {name: Together.from_json(data) for name, data in read_json(path).items()}
    with begun(run, "score together", settings, subject.inputs, config.seed):
        held_out = subject.packed.held_out
        found = {name: evaluation.score_together(one, subject.model, held_out, config) for name, one in sets.items()}
        write_json(path, {name: one.to_json() for name, one in found.items()})
        run.finish("score together", {})
    return found


def members(there: Mapping[str, Dictionary], name: str) -> dict[str, Dictionary]:
    """The dictionaries of the set called `name`, or the one of that name."""
    if name in there:
        return {name: there[name]}
    found = {each: there[each] for each in there if set_of(each) == name}
    if not found:
        raise ConfigError(unknown("set of dictionaries", name, [*dict.fromkeys(map(set_of, there)), *there]))
    return found
