"""What a table says, as frozen rows. None: not measured, or not defined; never 0."""

from collections.abc import Mapping
from dataclasses import dataclass

from monosema.core.shown import Shown
from monosema.features.browse.query import Query


@dataclass(frozen=True)
class FeatureRow(Shown):
    """The numbers of one feature, as the columns of features.parquet define them.

    importance is the measured effect where there is one, else the estimate by gradient;
    `importance_is` says which ('total', 'attr' or '' for neither), `importance_se` how sure.
    `explanation` is a language model's sentence, '' without; `explained` how well it, or TF-IDF without, tells
    windows where the feature fires from others (balanced accuracy), `floor_detection` how well n-grams do, and
    `beats_floor` the first less the second.
    `histogram` holds the counts of its activations in bins even in the logarithm, from
    hist_low to hist_high; empty when the table has none.
    """

    feature: int
    n_active: int
    frequency: float
    n_documents: int
    mean_act: float | None
    max_act: float
    importance: float | None
    importance_se: float | None
    importance_is: str
    importance_attr: float | None
    importance_attr_se: float | None
    importance_total: float | None
    importance_total_se: float | None
    n_total_documents: int
    given_fires: float | None
    helped: float | None
    hurt: float | None
    importance_direct: float | None
    importance_direct_se: float | None
    random_total: float | None
    enc_norm: float | None
    dec_norm: float | None
    enc_dec_cosine: float | None
    top_token: int | None
    top_token_share: float | None
    top_text: str
    floor_text: str
    floor_r: float | None
    floor_f1: float | None
    foretells: float | None
    neighbour: int | None
    neighbour_cosine: float | None
    is_dead: bool
    is_dense: bool
    is_rare: bool
    histogram: tuple[int, ...] = ()
    explanation: str = ""
    floor_detection: float | None = None
    explained: float | None = None
    beats_floor: float | None = None
    beats_floor_low: float | None = None


@dataclass(frozen=True)
class ExplanationScore:
    """One score of an explanation of one feature, with its 95% interval over documents.

    shuffled  that of another feature's explanation on the same windows     control  mean over the control's features
    margin    value less the n-gram floor's, with its interval              state    'done', 'undefined' or 'failed'
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    shuffled: float | None
    margin: float | None
    margin_low: float | None
    margin_high: float | None
    state: str
    reason: str
    control: float | None


@dataclass(frozen=True)
class Explanation:
    """What one explainer says of a feature, and what that is worth; `failed` says why there is no text."""

    explainer: str
    text: str
    failed: str
    scores: tuple[ExplanationScore, ...]


@dataclass(frozen=True)
class FeaturePage(Shown):
    """A page of features: those of `n_matching` that its query puts there."""

    query: Query
    n_matching: int
    n_features: int
    rows: tuple[FeatureRow, ...]


@dataclass(frozen=True)
class Cell:
    """A cell of the scatter: how many features lie in it, how many of them match, one that does (or any)."""

    x: int
    y: int
    n: int
    n_matching: int
    feature: int


@dataclass(frozen=True)
class Axis:
    """One axis of the scatter: cell i holds values from `at(i)` to `at(i + 1)` of [low, high].

    scale 'log' is even in the logarithm; 'signed log' in asinh(value / knee).
    """

    column: str
    scale: str
    low: float
    high: float
    knee: float
    n_cells: int


@dataclass(frozen=True)
class Scatter:
    """All features by two columns; `n_left_out` have no place (not measured, or 0 on a logarithmic axis)."""

    x: Axis
    y: Axis
    cells: tuple[Cell, ...]
    n_left_out: int


@dataclass(frozen=True)
class Overview:
    """A table as a whole: how many features are of each kind, how many fire how often here and in the control, and
    a small scatter of those that fire."""

    counts: Mapping[str, int]
    frequencies: tuple[int, ...]
    control_frequencies: tuple[int, ...]
    scatter: Scatter


@dataclass(frozen=True)
class LogitEffect:
    """What one unit of the feature adds to a token's logit, through the direct path."""

    token: int
    text: str
    effect: float


@dataclass(frozen=True)
class Neighbour:
    """Another feature, of this dictionary ('') or a named one; `value` is a cosine or a co-activation."""

    kind: str
    dictionary: str
    feature: int
    value: float
    floor_text: str


@dataclass(frozen=True)
class Histogram:
    """Counts in bins from low to high, even in the logarithm where `log`."""

    counts: tuple[int, ...]
    low: float
    high: float
    log: bool


@dataclass(frozen=True)
class FeatureDetail(Shown):
    """Everything of one feature but its examples. Lists that are not written yet are empty or None."""

    row: FeatureRow
    acts: Histogram | None
    by_position: tuple[int, ...]
    top_logits: tuple[LogitEffect, ...]
    bottom_logits: tuple[LogitEffect, ...]
    logits: Histogram | None
    neighbours: tuple[Neighbour, ...]


@dataclass(frozen=True)
class Changed:
    """A token and how much its probability rises when the feature is removed."""

    token: int
    text: str
    delta: float


@dataclass(frozen=True)
class ExampleEffect:
    """Removing the feature: rise of the loss on each token of the window (nats), None where not measured;
    probability of the token after the chosen one with and without; the tokens changed most."""

    total: tuple[float | None, ...]
    direct: tuple[float | None, ...]
    p_with: float | None
    p_without: float | None
    up: tuple[Changed, ...]
    down: tuple[Changed, ...]


@dataclass(frozen=True)
class Example:
    """A window of text around the token it was chosen for, texts[at]."""

    document: int
    name: str
    pos: int
    start: int
    at: int
    act: float
    texts: tuple[str, ...]
    ids: tuple[int, ...]
    acts: tuple[float, ...]
    effect: ExampleEffect | None


@dataclass(frozen=True)
class ExampleGroup:
    """Examples of one kind, the bounds of the activations they were drawn from, and for which share of the
    firing tokens and of the summed activation they stand."""

    name: str
    low: float | None
    high: float | None
    share: float | None
    mass: float | None
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Firing:
    """A feature that fires at a token."""

    feature: int
    act: float
    share_of_max: float
    frequency: float
    importance: float | None
    floor_text: str


@dataclass(frozen=True)
class DocumentToken:
    """A token of a document: how many features fire there, and how strongly the one that was asked for."""

    pos: int
    id: int
    text: str
    n_firing: int
    act: float


@dataclass(frozen=True)
class DocumentPage:
    """A stretch of a document and, at one of its tokens, every feature that fires.

    `strongest` are the features with the largest summed activation on the stretch, where no token is
    chosen. `alone` says that each token was decoded by itself, because the table has no text in context.
    """

    document: int
    name: str
    n_tokens: int
    n_before: int
    tokens: tuple[DocumentToken, ...]
    previous: int | None
    following: int | None
    at: int | None
    firing: tuple[Firing, ...]
    strongest: tuple[Firing, ...]
    alone: bool


@dataclass(frozen=True)
class Document:
    """A document of the corpus the table was built on."""

    document: int
    name: str
    start_pos: int
    n_tokens: int
