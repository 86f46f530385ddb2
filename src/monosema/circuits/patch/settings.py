"""What is asked of two prompts. No torch in this file."""

from dataclasses import dataclass
from typing import Literal

from monosema.core.config import require, require_range


@dataclass(frozen=True)
class PatchConfig:
    """sites    kinds of site in every layer (resid_post, mlp_out, heads, attn_q ...), or sites (resid_post.3)
    metric      what is measured of the last token's logits
    features    features of a dictionary, where one is given, that are patched: those that differ most
    top         strongest places of a kind that are patched together, against as many at random
    random      such random groups
    shown       rows in each table
    rows        prompts in a forward pass
    """

    sites: tuple[str, ...] = ("resid_post", "heads")
    metric: Literal["logit_diff", "probability", "loss"] = "logit_diff"
    features: int = 30
    top: int = 2
    random: int = 20
    shown: int = 10
    rows: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        require(len(self.sites) > 0, "sites is empty: name at least one kind of site, such as resid_post or heads")
        require(len(set(self.sites)) == len(self.sites), f"sites names one twice: {', '.join(self.sites)}")
        for name in ("features", "top", "random", "shown", "rows"):
            require_range(name, getattr(self, name), 1)
