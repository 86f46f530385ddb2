"""What every layer stands on and what stands on no layer: names, configs, runs, moments, findings.

Nothing here knows a model, a corpus or a dictionary. Import from the modules by name
(`from monosema.core.errors import SiteError`); this package re-exports nothing, so that a
command that needs one of them does not pay for the others.
"""
