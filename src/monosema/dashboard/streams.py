"""Answers that arrive piece by piece: an iterator of events, sent as text/event-stream.

    event: effect
    data: {"feature": 7, ...}

The next event is computed when the one before it has been handed on. When whoever asked goes away,
nothing more is computed; what is being computed at that moment is the last.
"""

import json
from collections.abc import AsyncIterator, Generator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from monosema.core.errors import MonosemaError
from monosema.evaluation.scorecard import plain

Event = tuple[str, Any]
"""Its name, and what JSON says of it."""

FAILED = "failed"


def streamed(events: Generator[Event, None, None]) -> StreamingResponse:
    """The events as they come; an error of ours on the way is the last of them, called 'failed'."""
    return StreamingResponse(_sent(events), headers={"cache-control": "no-store"}, media_type="text/event-stream")


async def _sent(events: Generator[Event, None, None]) -> AsyncIterator[str]:
    try:
        while (event := await run_in_threadpool(next, events, None)) is not None:
            yield written(*event)
    except MonosemaError as error:
        yield written(FAILED, {"error": str(error)})
    finally:
        events.close()


def written(name: str, data: Any) -> str:
    """One event as it is sent."""
    text = json.dumps(plain(data), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return f"event: {name}\ndata: {text}\n\n"
