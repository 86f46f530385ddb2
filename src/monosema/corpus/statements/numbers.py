"""Numbers in words: 42 is "forty two"."""

LIMIT = 100

_NAMES = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty thirty forty fifty sixty seventy eighty ninety
"""
ONES, TENS = _NAMES.split()[:20], _NAMES.split()[20:]


def in_words(number: int) -> str:
    """The words of 0 to 99."""
    if number < len(ONES):
        return ONES[number]
    tens, ones = divmod(number, 10)
    return TENS[tens - 2] + (f" {ONES[ones]}" if ones else "")
