"""The feature table of a dictionary: open files that a browser, a notebook or DuckDB itself can read.

    text       blocks of tokens, documents, the text of every token in its context
    gather     one pass of the model: what fires where, and its first-order effect      chunk by chunk
    sort       acts.parquet by feature, acts_by_pos.parquet by place                    out of core
    describe   numbers, histograms, n-gram floors, examples                             shard by shard
    measure    the effects that need passes of their own                                batch by batch
    finish     features.parquet with everything

Every step writes whole files, goes on after a kill, and gives the same bytes again.
"""
