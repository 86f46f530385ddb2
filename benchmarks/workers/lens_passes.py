"""The passes of the benchmark of hooks in TransformerLens, whose two kinds of model are asked in the same way."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from benchmarks.workers.hooking import Pass, middle

RESID, PATTERN = "blocks.{}.hook_resid_post", "blocks.{}.attn.hook_pattern"


def lens_passes(model: Any, tokens: Tensor) -> Mapping[str, Pass]:
    """Of a HookedTransformer or a TransformerBridge. What is not asked for by name is not cached."""
    n_layers = model.cfg.n_layers
    half = middle(n_layers)

    def cached(places: dict[str, str], **settings: Any) -> Pass:
        """places: TransformerLens's names, by our sites."""
        names = list(places.values())

        def once() -> Mapping[str, Tensor]:
            logits, cache = model.run_with_cache(tokens, names_filter=names, **settings)
            found = {site: cache[name] for site, name in places.items()}
            return found if settings else found | {"logits": logits}

        return once

    def each(site: str, name: str) -> dict[str, str]:
        return {f"{site}.{i}": name.format(i) for i in range(n_layers)}

    one = {f"resid_post.{half}": RESID.format(half)}
    halved: list[tuple[str, Callable[..., Tensor]]] = [(RESID.format(half), lambda x, hook: x * 0.5)]  # noqa: ARG005
    return {
        "logits": lambda: {"logits": model(tokens)},
        "one": cached(one),
        "stop": cached(one, stop_at_layer=half + 1),
        "all": cached(each("resid_post", RESID)),
        "patterns": cached(each("attn_pattern", PATTERN)),
        "edit": lambda: {"logits": model.run_with_hooks(tokens, fwd_hooks=halved)},
    }
