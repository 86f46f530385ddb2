"""What NAME-0, NAME-1, ... are together is called the set NAME. Importing this loads no numerics."""

import re


def set_of(name: str) -> str:
    """The set of dictionaries that one called `name` belongs to."""
    return re.sub(r"-\d+$", "", name)
