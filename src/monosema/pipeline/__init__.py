"""The stages that a run goes through, and `demo`, which is all of them in order.

configs    settings of the first stages        records   what a run says about a stage
subject    what the later stages measure       stages    one function a stage
"""
