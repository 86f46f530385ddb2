"""What features can be sorted and filtered by: one line a column."""

from dataclasses import dataclass
from typing import Literal

Scale = Literal["even", "log", "signed log"]
Write = Literal["count", "share", "number", "signed", "two places", "signed two places"]


@dataclass(frozen=True)
class Column:
    """`sql` is its expression over features.parquet; `scale` how a plot lays it out; `write` how it is written."""

    name: str
    heading: str
    says: str
    write: Write = "number"
    scale: Scale = "even"
    sql: str = ""

    @property
    def expression(self) -> str:
        """The SQL that gives its value."""
        return self.sql or self.name


_LISTED = (
    Column("feature", "feature", "number of the feature", "count"),
    Column("frequency", "frequency", "share of tokens on which it fires", "share", "log"),
    Column(
        "importance",
        "importance",
        "rise of the loss when it is removed, nats per token: measured (total) where that was done, else by gradient",
        "signed",
        "signed log",
        "coalesce(importance_total, importance_attr)",
    ),
    Column("importance_total", "importance, total", "nats per token, measured by removing it", "signed", "signed log"),
    Column("importance_attr", "importance, attr", "nats per token, estimated by gradient", "signed", "signed log"),
    Column(
        "importance_direct", "importance, direct", "nats per token, by the direct path only", "signed", "signed log"
    ),
    Column("importance_attr_se", "se of attr", "standard error of the importance by gradient", "number", "log"),
    Column("importance_total_se", "se of total", "standard error of the measured importance", "number", "log"),
    Column(
        "random_total", "random direction", "importance of a random direction of equal norm", "signed", "signed log"
    ),
    Column("given_fires", "given it fires", "importance over frequency: nats per firing token", "signed", "signed log"),
    Column("helped", "helped", "share of firing tokens whose later loss it lowers", "share"),
    Column("hurt", "hurt", "share of firing tokens whose later loss it raises", "share"),
    Column("n_active", "firings", "tokens on which it fires", "count", "log"),
    Column("n_documents", "documents", "documents in which it fires", "count", "log"),
    Column("mean_act", "mean act", "mean activation where it fires", "number", "log"),
    Column("max_act", "max act", "largest activation", "number", "log"),
    Column("top_token_share", "top token's share", "share of its firings on its most frequent token", "share"),
    Column(
        "floor_r",
        "n-gram r",
        "how well n-grams predict its activation on held-out documents: Pearson's r",
        "two places",
    ),
    Column("floor_f1", "n-gram F1", "how well n-grams predict where it fires on held-out documents: F1", "two places"),
    Column("floor_detection", "n-gram detection", "how well n-grams tell its windows: balanced accuracy", "two places"),
    Column("explained", "explained", "how well its explanation tells its windows: balanced accuracy", "two places"),
    Column("beats_floor", "beats the floor", "explained, less n-gram detection", "signed two places"),
    Column(
        "beats_floor_low",
        "beats by at least",
        "lower end of the 95% interval of: explained, less n-gram detection",
        "signed two places",
    ),
    Column("foretells", "foretells", "rank of the next token in its own logits, above chance (0)", "signed two places"),
    Column("enc_norm", "encoder norm", "norm of its encoder row", "number", "log"),
    Column("dec_norm", "decoder norm", "norm of its decoder row", "number", "log"),
    Column("enc_dec_cosine", "enc-dec cosine", "cosine of its encoder and decoder rows", "two places"),
    Column("neighbour_cosine", "nearest cosine", "cosine with the nearest other decoder row", "two places"),
)

COLUMNS = {column.name: column for column in _LISTED}
"""Every column by name."""
