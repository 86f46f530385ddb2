"""The screens of the browser, a file each: what is asked -> rows -> what the template shows.

A new screen is a file here, a template of the same name in templates/browser/, and a line in PAGES; it
then has its `.json` twin, its place in the navigation and the browser tests.
"""
