"""SIGTERM and SIGHUP end a command as Ctrl-C does, and its last line says which it was.

Slurm, systemd and timeout send them to whoever runs too long, a terminal that is closed as well.
"""

import signal
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP)


def interrupt_on_signals() -> None:
    """From now on the first of them raises KeyboardInterrupt in the main thread.

    Those that follow are ignored: timeout sends its signal twice, and what is tidied up after the
    first is not to be cut. A signal that is ignored already stays so (nohup).
    """
    for each in _ENDING:
        if signal.getsignal(each) == signal.SIG_DFL:
            signal.signal(each, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt(signal.Signals(number).name)


def describe_interrupt(interrupt: KeyboardInterrupt) -> str:
    """In a word or three: interrupted, by Ctrl-C, or ended by SIGTERM."""
    return f"ended by {interrupt}" if interrupt.args else "interrupted"
