"""Taking features away: one HTML file, CSV, and the formats of SAEDashboard and Neuronpedia.

Each takes a `Selection` and writes its files whole or not at all.
"""
