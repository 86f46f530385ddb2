"""What an eraser is certified for, and what is still read after it: probes refitted on erased rows.

    class_means      max over pairs of classes and coordinates of |m_a - m_b| / s, on the rows the probes are fitted on;
                     s the deviation within classes before erasure. Control: the same before erasure
    covariance       max over coordinates and classes of |corr(x'_j, [z = c])|, by the deviations of x_j before erasure
    logistic, knn, mlp             accuracy on held-out rows of a probe refitted on erased rows. Control: the commonest
                                   class of the fitting rows, said of every held-out row
    logistic_before, ...           the same on rows that were not erased

Equal class means are the whole of it: then the best linear probe by any convex loss on those rows is a constant
(Belrose et al. 2023, theorem 3.1). Nothing is certified about other probes, or about rows of another distribution.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from monosema.core.errors import DataError
from monosema.core.exhibits import Table
from monosema.core.findings import Finding, bootstrap, short
from monosema.core.seeding import generator
from monosema.probes.erasers.configs import CertificateConfig
from monosema.probes.erasers.eraser import Eraser
from monosema.probes.erasers.readers import by_mlp, by_neighbours
from monosema.probes.erasers.regression import n_classes_of, regress

EQUAL = 1e-4
"""Class means that are no further apart, in deviations, are equal: float32 rows leave about 1e-6 of their mean."""

READERS = {"logistic": "a logistic regression", "knn": "k nearest neighbours", "mlp": "an MLP"}


@dataclass(frozen=True)
class Certificate:
    """findings: the measures above by name. says: sentences, what is certified first."""

    findings: dict[str, Finding]
    says: tuple[str, ...]

    @property
    def guarded(self) -> bool:
        """Whether class means are equal to rounding, so that no linear probe fitted on those rows beats a constant."""
        return self.findings["class_means"].value < EQUAL

    @property
    def still_read_by(self) -> tuple[str, ...]:
        """The probes whose 95% interval is above the majority on held-out erased rows."""
        return tuple(name for name in READERS if _reads(self.findings[name]))

    def table(self) -> Table:
        """The accuracies as rows: erased, before, majority."""
        rows = [(READERS[name], str(self.findings[name]), str(self.findings[f"{name}_before"])) for name in READERS]
        says = "Accuracy on held-out rows of probes refitted after and before erasure; the control is the majority."
        return Table("What probes read", says, ("probe", "after erasure", "before"), tuple(rows))


def certify(
    eraser: Eraser,
    fitted: tuple[Float[Tensor, "n d"], Int64[Tensor, "n"]],
    held_out: tuple[Float[Tensor, "m d"], Int64[Tensor, "m"]],
    config: CertificateConfig = CertificateConfig(),  # noqa: B008 (it is frozen)
) -> Certificate:
    """Measure `eraser` by probes that are fitted on the rows `fitted`, its own or others, and scored on `held_out`.

    Each is rows and class numbers. Raises DataError for one class alone, or a held-out label that was not fitted on.
    """
    (x, z), (x_test, z_test) = fitted, held_out
    k = n_classes_of(z)
    if len(z_test) == 0 or int(z_test.max()) >= k or int(z_test.min()) < 0:
        raise DataError(f"held-out labels must be among the {k} classes that were fitted on, and not none")
    x, z, x_test, z_test = (part.detach().cpu() for part in (x, z, x_test, z_test))
    after, after_test = eraser(x), eraser(x_test)
    findings = _moments(x, after, z, k)
    majority = float((z_test == torch.bincount(z).argmax()).double().mean())
    for name, read in _readers(config).items():
        for suffix, rows, test in (("", after, after_test), ("_before", x, x_test)):
            hits = (read(rows, z, test) == z_test).double()
            findings[name + suffix] = accuracy(f"accuracy of {READERS[name]}", hits, majority, config.seed)
    return Certificate(findings, _says(findings, len(z)))


def accuracy(name: str, hits: Float64[Tensor, "*seed m"], majority: float, seed: int) -> Finding:
    """The mean of `hits` beside `majority`; the interval is the bootstrap over rows."""
    per_row = hits if hits.ndim == 1 else hits.mean(0)
    terms = torch.stack([per_row, torch.ones_like(per_row)], 1)
    value, low, high = bootstrap(terms, lambda s: s[..., 0] / s[..., 1], generator(seed, "accuracy"))
    return Finding(name, value, majority, "the commonest class", low, high, len(per_row), "held-out rows")


def _readers(config: CertificateConfig) -> dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]]:
    seeds = tuple(config.seed + i for i in range(config.mlp_seeds))
    return {
        "logistic": lambda x, z, test: regress(x, z, config.ridge).predict(test),
        "knn": lambda x, z, test: by_neighbours(x, z, test, config.neighbours),
        "mlp": lambda x, z, test: by_mlp(x, z, test, config.hidden, config.steps, config.lr, seeds),
    }


def _moments(x: Tensor, after: Tensor, z: Tensor, k: int) -> dict[str, Finding]:
    """What is exact on the fitting rows: gaps of class means, correlations."""
    one_hot = torch.nn.functional.one_hot(z, k).double()
    counts = one_hot.sum(0).clamp(min=1)[:, None]
    present = one_hot.sum(0) > 0
    rows = x.double()
    means = one_hot.T @ rows / counts
    within = (rows - means[z]).square().mean(0).sqrt()
    overall = rows.std(0, correction=0)
    within = torch.where(within > 1e-9 * overall, within, overall)
    labels = one_hot - one_hot.mean(0)
    deviations = labels.square().mean(0).sqrt()

    def gap(values: Tensor) -> float:
        each = (one_hot.T @ values.double() / counts)[present]
        return float(_over(each.amax(0) - each.amin(0), within).max())

    def correlation(values: Tensor) -> float:
        cov = ((values.double() - values.double().mean(0)).T @ labels).abs() / len(labels)
        return float(_over(_over(cov, overall[:, None]), deviations).max())

    found: dict[str, Finding] = {}
    for name, what, measure in (
        ("class_means", "largest gap of class means, in deviations", gap),
        ("covariance", "largest correlation with the labels", correlation),
    ):
        value = measure(after)
        found[name] = Finding(what, value, measure(x), "before erasure", value, value, len(z), "rows")
    return found


def _over(values: Tensor, scale: Tensor) -> Tensor:
    """values / scale; 0 where there is no scale."""
    return torch.where(scale > 0, values / torch.where(scale > 0, scale, 1.0), 0.0)


def _reads(finding: Finding) -> bool:
    return finding.control is not None and finding.low > finding.control


def _says(findings: dict[str, Finding], n: int) -> tuple[str, ...]:
    gap = findings["class_means"]
    if gap.value < EQUAL:
        first = (
            f"Certified: on these {n:,} rows class means are equal ({short(gap.value)} deviations apart, "
            f"{short(gap.control)} before), so no linear probe fitted on them by a convex loss does better than a "
            "constant. That is linear guardedness, and nothing more."
        )
    else:
        first = (
            f"Not certified: class means are still {short(gap.value)} deviations apart ({short(gap.control)} before), "
            "so a linear probe can read the concept."
        )
    readers = [name for name in READERS if _reads(findings[name])]
    said = [first]
    if "logistic" in readers:
        said.append(f"A logistic regression still reads it on held-out rows: {findings['logistic']}.")
    others = [f"{READERS[name]} ({findings[name]})" for name in readers if name != "logistic"]
    if others:
        said.append(f"Still read by what is not linear: {' and '.join(others)}. The concept is not gone from the rows.")
    else:
        said.append(
            "Neither k nearest neighbours nor an MLP does better than the commonest class on held-out rows: these two "
            "did not find it, which certifies nothing about others."
        )
    return tuple(said)
