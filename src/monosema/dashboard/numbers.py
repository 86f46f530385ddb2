"""Numbers as text: as many digits as they bear, the same number of decimals down a row."""

import math
from collections.abc import Iterable

MINUS = "\u2212"
UNDEFINED = "undefined"


def decimals_for(values: Iterable[float | None]) -> int:
    """Decimals that show the smallest of `values` with three significant digits, and the largest with
    no more than four: 0 to 6."""
    sizes = [abs(v) for v in values if v is not None and math.isfinite(v) and v != 0]
    if not sizes:
        return 3
    wanted, enough = (digits - 1 - math.floor(math.log10(size)) for digits, size in ((3, min(sizes)), (4, max(sizes))))
    return min(6, max(0, min(wanted, enough)))


def fixed(value: float, decimals: int) -> str:
    """`value` with that many decimals; very small ones in powers of ten, so that none reads as zero."""
    if not math.isfinite(value):
        return UNDEFINED if math.isnan(value) else ("∞" if value > 0 else f"{MINUS}∞")
    if value != 0 and abs(value) < 0.5 * 10**-decimals:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", MINUS)
    text = f"{value:,.{decimals}f}"
    return text.replace("-", MINUS) if float(text.replace(",", "")) != 0 else text.removeprefix("-")


def signed(value: float, decimals: int) -> str:
    """As `fixed`, with a plus in front of what is above zero."""
    return f"+{fixed(value, decimals)}" if value > 0 else fixed(value, decimals)


def short(value: float) -> str:
    """A number by itself, three significant digits; below a millionth, two, and the power of ten."""
    if not math.isfinite(value) or value == 0:
        return fixed(value, 0)
    return fixed(value, min(6, max(0, 2 - math.floor(math.log10(abs(value))))))


def percent(fraction: float) -> str:
    """A fraction as a percentage, two significant digits: '12%', '0.034%'."""
    if fraction == 0 or not math.isfinite(fraction):
        return "0%" if fraction == 0 else UNDEFINED
    size = 100 * abs(fraction)
    text = f"{100 * fraction:,.{max(0, 1 - math.floor(math.log10(size)))}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}%".replace("-", MINUS)


def count(n: int) -> str:
    """A whole number with its thousands apart."""
    return f"{n:,}"
