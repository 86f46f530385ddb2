"""Sites: the one way to say where in a model an activation is.

    resid_post.3      the residual stream after layer 3          [batch, seq, d_model]
    attn_z.2          what the heads of layer 2 mix, per head    [batch, seq, head, d_head]
    attn_pattern.2    where the heads of layer 2 look            [batch, head, seq, seq]
    logits            what the model predicts                    [batch, seq, d_vocab]
    dec.resid_post.2  the same in the decoder of a two-stack model
    dec.cross_z.2     what its heads mix of the encoder's output
    ssm_out.1         what the state-space mixer of layer 1 adds to the residual stream

The same string is used in Python, on the command line, in files and in plots. The spellings of
TransformerLens (`blocks.3.hook_resid_post`), sparsify and nnsight (`layers.3`, `transformer.h[3]`)
and dictionary_learning (`resid_post_layer_3`, `resid_out_layer3`) are read and turned into ours.
"""

import re
from dataclasses import dataclass

from monosema.core.errors import SiteError, unknown

LAYER_KINDS = {
    "resid_pre": "hook_resid_pre",
    "resid_mid": "hook_resid_mid",
    "resid_post": "hook_resid_post",
    "attn_out": "hook_attn_out",
    "attn_q": "attn.hook_q",
    "attn_k": "attn.hook_k",
    "attn_v": "attn.hook_v",
    "attn_z": "attn.hook_z",
    "attn_pattern": "attn.hook_pattern",
    "mlp_in": "ln2.hook_normalized",
    "mlp_act": "mlp.hook_post",
    "mlp_out": "hook_mlp_out",
    "cross_q": "cross_attn.hook_q",
    "cross_k": "cross_attn.hook_k",
    "cross_v": "cross_attn.hook_v",
    "cross_z": "cross_attn.hook_z",
    "cross_pattern": "cross_attn.hook_pattern",
    "cross_out": "hook_cross_attn_out",
    "resid_cross": "hook_resid_mid_cross",
    "ssm_in": "",
    "ssm_conv": "",
    "ssm_act": "",
    "ssm_out": "",
}
"""Kinds of site that a layer can have, with TransformerLens's name for each; '' where it has none (Mamba).

`mlp_in` is what the MLP receives, after its norm. TransformerLens's `ln2.hook_normalized` is that for
a LayerNorm, and for an RMSNorm the same before its gain. Its `hook_mlp_in` is the residual stream
before the norm, so it is no spelling of ours.
"""

WHOLE_KINDS = {"embed": "hook_embed", "ln_final": "ln_final.hook_normalized", "logits": "logits"}
"""Kinds of site that a model has once, with TransformerLens's name for each."""

STACKS = {"enc": "encoder", "dec": "decoder"}
"""Prefixes for models of two stacks, with TransformerLens's name for each."""

_IN_DECODER = {"mlp_in": "ln3.hook_normalized"}
"""Where a decoder's names differ: its second norm stands before the attention to the encoder."""

_OURS = re.compile(r"(?:(?P<stack>enc|dec)\.)?(?P<kind>[a-z_]+)(?:\.(?P<layer>\d+))?")
_LENS = re.compile(
    r"(?:(?P<stack>encoder|decoder)\.)?(?:blocks\.(?P<layer>\d+)\.)?(?P<hook>(?:attn\.|cross_attn\.|mlp\.|ln[23]\.|ln_final\.)?hook_\w+)"
)
_LAYERS = re.compile(r"(?:model\.|transformer\.|gpt_neox\.)?(?:layers|h)(?:\.(?P<layer>\d+)|\[(?P<item>\d+)\])")
_SUFFIX = re.compile(r"(?P<kind>[a-z_]+)_layer_?(?P<layer>\d+)")
_SUFFIX_KINDS = {"attn": "attn_out", "mlp": "mlp_out", "resid": "resid_post", "resid_out": "resid_post"}


@dataclass(frozen=True)
class Site:
    """An address in a model: a kind, the layer it is in (None for `embed`, `ln_final`, `logits`),
    and the stack ('' unless the model has an encoder and a decoder)."""

    kind: str
    layer: int | None = None
    stack: str = ""

    def __post_init__(self) -> None:
        if self.kind not in LAYER_KINDS and self.kind not in WHOLE_KINDS:
            raise SiteError(unknown("kind of site", self.kind, [*LAYER_KINDS, *WHOLE_KINDS]))
        if self.stack and self.stack not in STACKS:
            raise SiteError(unknown("stack", self.stack, STACKS))
        if (self.kind in LAYER_KINDS) != (self.layer is not None):
            need = "needs a layer, as in" if self.layer is None else "has no layer: write"
            raise SiteError(f"site '{self.kind}' {need} '{self.kind + '.0' * (self.layer is None)}'")
        if self.layer is not None and self.layer < 0:
            raise SiteError(f"site '{self.kind}' in layer {self.layer}: layers are counted from 0, the first")

    def __str__(self) -> str:
        layer = "" if self.layer is None else f".{self.layer}"
        return f"{self.stack}{'.' if self.stack else ''}{self.kind}{layer}"

    @property
    def transformer_lens(self) -> str:
        """TransformerLens's name for this site, as SAELens and Neuronpedia write it; ours where it has none."""
        hook = _hooks(self.stack)[self.kind]
        if not hook:
            return str(self)
        block = "" if self.layer is None else f"blocks.{self.layer}."
        return f"{STACKS[self.stack] + '.' if self.stack else ''}{block}{hook}"


def _hooks(stack: str) -> dict[str, str]:
    """TransformerLens's names by kind, in the stack of this prefix."""
    return LAYER_KINDS | WHOLE_KINDS | (_IN_DECODER if stack == "dec" else {})


def parse(text: str) -> Site:
    """The site that `text` names, in our spelling or in one of the peers' (see the module).

    `layers.3` and `transformer.h.3`, as sparsify and nnsight write a whole block, mean its output,
    `resid_post.3`. Raises SiteError naming the nearest kind.
    """
    if match := _SUFFIX.fullmatch(text):
        return Site(_SUFFIX_KINDS.get(match["kind"], match["kind"]), int(match["layer"]))
    if match := _LAYERS.fullmatch(text):
        return Site("resid_post", int(match["layer"] or match["item"]))
    if match := _LENS.fullmatch(text):
        return _from_lens(match, text)
    if match := _OURS.fullmatch(text):
        layer = None if match["layer"] is None else int(match["layer"])
        return Site(match["kind"], layer, match["stack"] or "")
    raise SiteError(f"'{text}' does not read as a site. Write it as 'resid_post.3', 'embed' or 'dec.resid_post.2'")


def _from_lens(match: re.Match[str], text: str) -> Site:
    stack = {name: ours for ours, name in STACKS.items()}.get(match["stack"], "")
    kinds = {hook: kind for kind, hook in _hooks(stack).items() if hook}
    if match["hook"] == "hook_mlp_in":
        raise SiteError(
            f"'{text}' is the residual stream before the norm: write 'resid_mid.{match['layer']}' for it ('resid_pre' "
            f"where attention and MLP run in parallel), or 'mlp_in.{match['layer']}' for what the MLP receives"
        )
    if match["hook"] not in kinds:
        raise SiteError(unknown("TransformerLens hook", match["hook"], kinds))
    layer = None if match["layer"] is None else int(match["layer"])
    try:
        return Site(kinds[match["hook"]], layer, stack)
    except SiteError as error:
        raise SiteError(f"'{text}': {error}") from error
