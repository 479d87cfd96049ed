"""Starts the page's server, and says where it is."""

import asyncio
import signal
import socket
import sys

from experiments.shared import command_line
from experiments.web import access, server
from experiments.web.board import Board
from experiments.web.door import LOOPBACK, Tools
from experiments.web.places import Place


def run(name: str, place: Place, tools: Tools, host: str, port: int | None) -> int | None:
    """Serves the page until it is stopped.

    Args:
      name: The command's.
      place: What it may read and write.
      tools: What it tracks with.
      host: The address to listen on.
      port: The port; None for 8765, or any where that is taken.

    Returns:
      The exit code: None, or that of a stopped run where the end has cut one short.

    Raises:
      InputError: The clip cannot be opened, or nothing listen there.
    """
    listening, token = server.bind(host, port), access.new_token()
    with listening:
        number = listening.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        print(f"{name}: open http://{shown}:{number}/{token}/  (Ctrl-C ends)")
        if host == LOOPBACK:
            tunnel = f"ssh -L {number}:{LOOPBACK}:{number} {socket.gethostname()}"
            print(f"  from another machine: {tunnel}, then the same address")
        sys.stdout.flush()
        cut = asyncio.run(_serve(place, tools, listening, token, host))
    if not cut:
        return None
    print(f"{name}: stopped; what was tracked is kept", file=sys.stderr)
    return command_line.STOPPED


async def _serve(place: Place, tools: Tools, listening: socket.socket, token: str, host: str) -> bool:
    """Serves a session until a signal ends it; returns whether that has cut a run short, which keeps what it has."""
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if signal.getsignal(getattr(signal, name)) != signal.SIG_IGN:  # As nohup has it.
            loop.add_signal_handler(getattr(signal, name), end.set)
    board = Board(place, tools)
    try:
        async with server.serving(board, listening, token, [host]):
            await end.wait()
    finally:
        cut = await board.close()
    return cut
