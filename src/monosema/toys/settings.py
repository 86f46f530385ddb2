"""Settings of the experiments on superposition. No torch, so that a command can print its help."""

from dataclasses import dataclass, field

from monosema.core.config import require, require_range


@dataclass(frozen=True)
class PhaseGridConfig:
    """`cells` x `cells` of densities from `lowest` to `highest` and relative importances from 1 / most_ratio to
    most_ratio, evenly in the logarithm. Cells sit in the middle of their share of the range."""

    cells: int = 16
    lowest: float = 0.02
    highest: float = 1.0
    most_ratio: float = 10.0
    restarts: int = 6
    steps: int = 800
    lr: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("cells", "restarts", "steps"):
            require_range(name, getattr(self, name), 1)
        require_range("lowest", self.lowest, 0, self.highest, open_low=True)
        require_range("highest", self.highest, 0, 1)
        require_range("most_ratio", self.most_ratio, 1, open_low=True)
        require_range("lr", self.lr, 0, 1, open_low=True)


@dataclass(frozen=True)
class CollapseConfig:
    """densities: how many, evenly in the logarithm from `lowest` to `highest`. decay: of importance from a feature to
    the next. seeds: models of each density."""

    n: int = 10
    m: int = 3
    decay: float = 0.8
    densities: int = 12
    lowest: float = 0.01
    highest: float = 1.0
    seeds: int = 8
    steps: int = 2000
    lr: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n", "m", "densities", "seeds", "steps"):
            require_range(name, getattr(self, name), 1)
        require_range("decay", self.decay, 0, 1, open_low=True)
        require_range("lowest", self.lowest, 0, self.highest, open_low=True)
        require_range("highest", self.highest, 0, 1)


@dataclass(frozen=True)
class MemorisationConfig:
    """sizes: of the sets of rows, T. density: of the features before a row is brought to norm 1; rows without any
    feature are drawn again. restarts: sets and models of each size."""

    n: int = 100
    m: int = 2
    density: float = 0.02
    sizes: tuple[int, ...] = (3, 6, 12, 25, 50, 75, 100, 200, 400, 800)
    restarts: int = 8
    steps: int = 2000
    lr: float = 0.03
    weight_decay: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n", "m", "restarts", "steps"):
            require_range(name, getattr(self, name), 1)
        require_range("density", self.density, 0, 1, open_low=True)
        require(len(self.sizes) > 0 and min(self.sizes) >= 1, f"sizes must be numbers of rows, got {self.sizes}")


@dataclass(frozen=True)
class SweepConfig:
    """shapes: numbers of features and dimensions. Every feature is as important as the others; of each shape and
    density the best of `restarts` models, `seeds` times."""

    shapes: tuple[tuple[int, int], ...] = ((5, 2), (6, 3), (8, 3), (20, 5))
    densities: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
    restarts: int = 3
    seeds: int = 4
    steps: int = 1500
    lr: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        require(len(self.shapes) > 0 and len(self.densities) > 0, "a sweep needs shapes and densities")
        for name in ("restarts", "seeds", "steps"):
            require_range(name, getattr(self, name), 1)


@dataclass(frozen=True)
class HierarchyConfig:
    """probabilities: of the parent, of the child where the parent is on, of each of two others. n_features: latents."""

    d: int = 8
    parent: float = 0.3
    child: float = 0.5
    other: float = 0.15
    n_features: int = 6
    penalty: float = 0.3
    rows: int = 200_000
    lr: float = 0.01
    seeds: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        require_range("d", self.d, 4)
        for name in ("parent", "child", "other"):
            require_range(name, getattr(self, name), 0, 1, open_low=True)
        for name in ("n_features", "rows", "seeds"):
            require_range(name, getattr(self, name), 1)
        require_range("penalty", self.penalty, 0)


@dataclass(frozen=True)
class ToyDictionariesConfig:
    """n, m, density, decay: of the toy models, one a seed. n_features: latents of a dictionary. k: of those that
    are told how many fire; penalty: of the others, in units of activations of unit variance. rows: that each sees."""

    n: int = 20
    m: int = 8
    density: float = 0.05
    decay: float = 0.9
    toy_steps: int = 2000
    n_features: int = 24
    k: int = 2
    penalty: float = 1.2
    rows: int = 160_000
    lr: float = 0.01
    seeds: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n", "m", "toy_steps", "n_features", "k", "rows", "seeds"):
            require_range(name, getattr(self, name), 1)
        require_range("density", self.density, 0, 1, open_low=True)
        require_range("decay", self.decay, 0, 1, open_low=True)


@dataclass(frozen=True)
class SuperpositionConfig:
    """When does a model hold more features than it has dimensions, and which does it let go first?"""

    n: int = 5
    """Features of the models that are drawn."""
    m: int = 2
    """Their dimensions, 2 or 3."""
    instances: int = 8
    """Models, of densities from 1 to 1/50."""
    decay: float = 0.9
    """Of importance, from a feature to the next."""
    steps: int = 4000
    """Of training."""
    frames: int = 24
    """Moments in the animations."""
    collapse: CollapseConfig = field(default_factory=CollapseConfig)
    memorisation: MemorisationConfig = field(default_factory=MemorisationConfig)
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.m in (2, 3), f"m is {self.m}: directions are drawn in 2 or 3 dimensions")
        require_range("instances", self.instances, 2)
        require_range("frames", self.frames, 2)
        require_range("steps", self.steps, 1)
        require(self.collapse.seeds >= 2, "an interval over seeds needs two: raise collapse.seeds")


@dataclass(frozen=True)
class CapacityConfig:
    """Does the Frobenius norm count features, as dimensionality does?"""

    sweep: SweepConfig = field(default_factory=SweepConfig)
    factors: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0)
    """By which a layer of a ReLU classifier is scaled."""
    rows: int = 4096
    """That the classifier is asked."""
    decay: float = 0.9
    """Of importance, where the value of capacity is measured."""
    steps: int = 2000
    """Of the models there, and of the pentagon."""
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.sweep.seeds >= 2, "an interval over seeds needs two: raise sweep.seeds")
        require(len(self.factors) > 0 and min(self.factors) > 0, "factors must be above 0: others change the answers")


@dataclass(frozen=True)
class PhaseConfig:
    """How does importance enter the loss, and where does it let a second feature in?"""

    grid: PhaseGridConfig = field(default_factory=PhaseGridConfig)
    collapse: CollapseConfig = field(default_factory=CollapseConfig)
    """The models whose errors are shown feature by feature."""
    factor: float = 10.0
    """By which importances are multiplied, all or one."""

    def __post_init__(self) -> None:
        require_range("factor", self.factor, 0, open_low=True)


@dataclass(frozen=True)
class AbsorptionConfig:
    """Why do dictionaries with untied weights absorb?"""

    penalty: float = 0.3
    """Of the exact ledger."""
    parent_alone: float = 0.5
    """How often the parent is on alone there; with its child otherwise."""
    hierarchy: HierarchyConfig = field(default_factory=HierarchyConfig)
    dictionaries: ToyDictionariesConfig = field(default_factory=ToyDictionariesConfig)

    def __post_init__(self) -> None:
        require_range("penalty", self.penalty, 0, 2)
        require_range("parent_alone", self.parent_alone, 0, 1)


@dataclass(frozen=True)
class CorrelatedConfig:
    """Where do features lie that occur together, and those that never do?"""

    n: int = 8
    """Features, in pairs."""
    dimensions: tuple[int, ...] = (2, 3, 4, 5, 6)
    """Numbers of dimensions that they are passed through."""
    densities: int = 6
    """How many, evenly in the logarithm."""
    lowest: float = 0.02
    highest: float = 0.5
    """At most 1/2: two features that never occur together cannot be on more often."""
    seeds: int = 6
    restarts: int = 4
    """Of each seed, of which the best is kept."""
    steps: int = 1500
    batch: int = 512
    lr: float = 0.01
    frames: int = 24
    """Moments in the animations."""
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.n >= 4 and self.n % 2 == 0, f"n is {self.n}: features come in pairs, at least two pairs")
        for name in ("densities", "seeds", "frames"):
            require_range(name, getattr(self, name), 2)
        for name in ("restarts", "steps", "batch"):
            require_range(name, getattr(self, name), 1)
        rising = self.dimensions == tuple(sorted(set(self.dimensions)))
        require(
            rising and len(self.dimensions) >= 2 and self.dimensions[0] >= 1,
            f"dimensions must be two or more rising numbers, got {self.dimensions}",
        )
        require_range("lowest", self.lowest, 0, self.highest, open_low=True)
        require_range("highest", self.highest, 0, 0.5)


@dataclass(frozen=True)
class ComputationConfig:
    """What do neurons do that compute |x| of more features than there are of them?"""

    n: int = 12
    """Features."""
    m: int = 6
    """Neurons."""
    decay: float = 0.8
    """Of importance, from a feature to the next."""
    densities: int = 7
    """How many, evenly in the logarithm, up to 1."""
    lowest: float = 0.02
    seeds: int = 6
    restarts: int = 2
    """Of each seed, of which the best is kept."""
    steps: int = 2000
    batch: int = 512
    lr: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n", "densities", "seeds"):
            require_range(name, getattr(self, name), 2)
        for name in ("m", "restarts", "steps", "batch"):
            require_range(name, getattr(self, name), 1)
        require_range("decay", self.decay, 0, 1, open_low=True)
        require_range("lowest", self.lowest, 0, 1, open_low=True)
