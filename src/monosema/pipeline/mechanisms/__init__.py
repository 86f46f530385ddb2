"""How models of algorithmic tasks do what they do: claims in words, each with a number, its control and a bar.

    settings --> train --> measure every claim --> judge each by the bar set beforehand --> Exhibit

claims      a claim, when it holds, and the tables of claims
fourier     numbers as circles: spectra, turns, the formula          adding     a model of modular addition, changed
counting    the direction of a count, and the rule that answers it   mechanisms the table of them

It stands here because it trains with `toys` and looks with `circuits`, which never import one another.
"""
