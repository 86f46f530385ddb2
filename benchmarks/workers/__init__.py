"""Worker processes: each runs in its library's own environment and knows only `feed` beside that library."""
