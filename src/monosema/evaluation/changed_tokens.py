"""One token of every block changed: how much of what that does to the predictions does a replacement reproduce?

    p   the model on the changed text      q   something in its place, on the same text      p0   the model before

    carried = 1 - sum KL(p || q) / sum KL(p || p0)       1: as the model does; 0: as if nothing had been changed

over the predictions from the changed token to the end of its document. With error nodes q is the replacement on the
changed text plus the errors it made on the unchanged one, as an attribution graph holds them: exact before the change,
and after it only as good as what the dictionaries say of the change. `held` is the least that is to be beaten: every
replaced site as it was before the change, so that only what goes around them carries it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.evaluation.passes import Clean, compared, log_softmax_parts, replacing
from monosema.evaluation.splicing import Replacement
from monosema.evaluation.subjects import Model
from monosema.models.model import Edit


@dataclass(frozen=True)
class Changed:
    """A batch with one token changed in each block that has a prediction: `clean` is the model's pass on it, counted
    from the changed token on; `change` what that did, KL(p || p0) at each prediction."""

    clean: Clean
    change: Float[Tensor, "prediction"]


def changed(model: Model, clean: Clean, draws: torch.Generator) -> Changed | None:
    """The batch of `clean` with a token before one of its counted predictions replaced by another of the batch, at
    random; None where there is nothing to change."""
    tokens, affected = _replaced(clean, draws)
    if not len(affected):
        return None
    at = clean.counted[affected]
    logits = model.run(tokens, read=["logits"])["logits"]
    log_p = torch.empty(len(at), logits.shape[-1], device=logits.device)
    for start, part in log_softmax_parts(logits, at):
        log_p[start : start + len(part)] = part
    change = (log_p.exp() * (log_p - clean.log_probs[affected])).sum(1)
    blocks = replace(clean.blocks, tokens=tokens)
    now = replace(clean, blocks=blocks, counted=at, foretold=clean.foretold[affected], log_probs=log_p)
    return Changed(now, change)


def _replaced(clean: Clean, draws: torch.Generator) -> tuple[Int64[Tensor, "batch seq"], Int64[Tensor, "affected"]]:
    """(the tokens with one changed in each block, which of the counted predictions come from there on)."""
    tokens, seq = clean.blocks.tokens.clone(), clean.blocks.tokens.shape[1]
    pool = clean.blocks.tokens[clean.blocks.usable]
    flat, documents = tokens.view(-1), clean.blocks.documents.reshape(-1)
    affected = []
    for block in (clean.counted // seq).unique().tolist():
        mine = (clean.counted // seq == block).nonzero().view(-1)
        place = int(clean.counted[mine[int(torch.randint(len(mine), (1,), generator=draws))]])
        others = pool[pool != flat[place]]
        if len(others):
            flat[place] = others[int(torch.randint(len(others), (1,), generator=draws))]
            later = clean.counted[mine] >= place
            affected.append(mine[later & (documents[clean.counted[mine]] == documents[place])])
    return tokens, torch.cat(affected) if affected else clean.counted[:0]


def held(model: Model, clean: Clean, now: Clean, replacement: Replacement) -> Float[Tensor, "prediction"]:
    """KL(p || q) with the replaced sites as they were on the unchanged text."""
    edits = [Edit(site, replacing(clean.rows[site], clean.scored)) for site in replacement.writes]
    return compared(model.run(now.blocks.tokens, read=["logits"], edits=edits)["logits"], now)[1]


def carried_by(
    model: Model, now: Clean, replacement: Replacement, errors: Mapping[str, Tensor] | None
) -> Float[Tensor, "prediction"]:
    """KL(p || q) of the replacement on the changed text, with the errors of the unchanged one or without."""
    return compared(replacement.logits(model, now.blocks.tokens, now.scored, errors=errors), now)[1]


def share_carried(kl: str) -> tuple[Callable[[Tensor], Tensor], tuple[str, str]]:
    """The formula above, of the summed columns that it names."""

    def formula(sums: Tensor) -> Tensor:
        change = sums[..., 1]
        return 1 - sums[..., 0] / change.where(change > 0, torch.nan)

    return formula, (kl, "change")
