"""What a notebook shows of an object: the card that the dashboard draws of it.

A layer knows nothing of the pages above it. So an object that has a card asks the package itself, which names
every layer, and only when a notebook asks the object. The one import that points up; `pyproject.toml` names it.
"""


class Shown:
    """An object that a notebook shows as `monosema.dashboard.card` draws it."""

    def _repr_html_(self) -> str:
        import monosema

        return monosema.dashboard.card(self)
