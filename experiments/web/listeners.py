"""The open tabs: each hears what happens, as server-sent events, and one that falls behind starts anew."""

import asyncio
import json
from typing import Any

from aiohttp import web

_PATIENCE = 500  # Events that a tab may be behind.
_ALIVE_EVERY = 10.0  # Seconds.


class Listeners:
    """All tabs' queues. For the event loop's thread alone.

    Attributes:
      told: How many events there have been, which is the last one's number.
    """

    def __init__(self):
        """Has no tab yet."""
        self._queues: set[asyncio.Queue] = set()
        self.told = 0

    def __len__(self):
        return len(self._queues)

    def tell(self, kind: str, value: Any) -> None:
        """Sends an event to every tab."""
        self.told += 1
        text = message(kind, value, self.told)
        for queue in list(self._queues):
            if queue.qsize() >= _PATIENCE:  # Its connection ends; the browser opens another, which begins whole.
                self._queues.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(text)

    def close(self) -> None:
        """Ends every tab's connection."""
        for queue in self._queues:
            queue.put_nowait(None)
        self._queues.clear()

    async def serve(self, request: web.Request, snapshot: Any) -> web.StreamResponse:
        """Answers a tab with what there is, and then with what comes, until either side ends it."""
        queue = asyncio.Queue()
        queue.put_nowait(message("snapshot", snapshot, self.told))
        self._queues.add(queue)  # In one step with the snapshot: nothing is missed between.
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        try:
            await response.prepare(request)
            while True:
                try:
                    text = await asyncio.wait_for(queue.get(), _ALIVE_EVERY)
                except TimeoutError:
                    text = ": alive\n\n"
                if text is None:
                    return response
                await response.write(text.encode())
        except ConnectionError:
            return response
        finally:
            self._queues.discard(queue)


def message(kind: str, value: Any, number: int) -> str:
    """Returns an event as it goes over the wire."""
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(value, allow_nan=False, separators=(',', ':'))}\n\n"
