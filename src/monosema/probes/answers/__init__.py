"""What probes and erasers found in a model's activations, as exhibits.

    activations by site --study--> Study   --showing--> an Exhibit: `monosema probe`
                        --erasure-> Erasure --showing--> an Exhibit: `monosema erase`

The sites are chosen on validation rows, and every number shown is of rows that nothing was fitted or chosen on.
"""
