"""Ctrl-C and SIGTERM while a command runs: it is left by an exception, and one that gets lost on its way is sent again.

A signal becomes an exception wherever Python happens to be, and not all code lets it pass: it is dropped where it
arises in what C or Rust calls back, in `__del__` or under a bare `except`. A signal is sent once, so a command that
lost it would go on for good, which a server does.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from imi.language import local
from imi.progress import EndedEarly, until

_USUAL = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
"""What the signals do in a process in which nobody has decided otherwise."""
_PAUSE = 0.02
"""Seconds until a signal that got lost is sent again: what has dropped it should be left by then."""


class Stop(KeyboardInterrupt):
    """The command is to end."""


class Stopping:
    """A block that Ctrl-C and SIGTERM end alike, so that what it began is put in order.

    Where whoever called has decided what a signal does, that stays as it is.
    """

    def __init__(self) -> None:
        """Change nothing yet."""
        self.asked: int | None = None
        """The signal that came, if one did."""
        self._before: dict[int, Any] = {}
        self._left = self._again = False
        self._sent: weakref.ref[Stop] | None = None
        self._complain: Callable[[sys.UnraisableHookArgs], Any] = sys.unraisablehook

    def __enter__(self) -> Stopping:
        self._complain, sys.unraisablehook = sys.unraisablehook, self._dropped
        if threading.current_thread() is threading.main_thread():
            for number, usual in _USUAL.items():
                if signal.getsignal(number) == usual:
                    self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left, sys.unraisablehook = True, self._complain
        for number, before in self._before.items():
            signal.signal(number, before)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGTERM and self.asked == number and not self._again:
            return  # once is enough, and putting in order is not to be cut off
        self.asked, self._again = number, False
        stop = Stop()
        self._sent = weakref.ref(stop, self._lost)
        try:
            raise stop
        finally:
            del stop  # or this frame would keep it, whoever drops it

    def _dropped(self, what: sys.UnraisableHookArgs) -> None:
        """Say nothing of a signal that got lost where nothing can be raised: it comes again."""
        if not isinstance(what.exc_value, Stop):
            self._complain(what)

    def _lost(self, sent: weakref.ref[Stop]) -> None:
        """Take note that nobody holds the exception any more: it was dropped before it left the block."""
        if not self._left and sent is self._sent:
            # Raised here it would be dropped as well.
            _thread.start_new_thread(self._send_again, ())

    def _send_again(self) -> None:
        time.sleep(_PAUSE)
        if not self._left and self.asked is not None:
            self._again = True
            _send(self.asked)


@contextmanager
def ending_early(*, quiet: bool = False) -> Iterator[None]:
    """Let Ctrl-C end a task in the block early, so that what is done is shown; the second one ends the command at once.

    The command ends with 130 all the same, after what the block does with the rest.
    """
    from imi.cli.output import note

    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    asked = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        asked.set()
        note("ending with what is done; Ctrl-C again ends at once", quiet=quiet)

    signal.signal(signal.SIGINT, ask)
    try:
        with until(asked):
            yield
    except EndedEarly:
        raise KeyboardInterrupt from None  # nothing is done yet
    finally:
        if signal.getsignal(signal.SIGINT) is ask:
            signal.signal(signal.SIGINT, before)
    if asked.is_set():
        stop = KeyboardInterrupt()
        stop.add_note(local("what was done until then is shown"))
        raise stop


def _send(number: int) -> None:
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, number)  # which also ends what the thread waits for
    else:
        _thread.interrupt_main(signal.Signals(number))
