"""SIGTERM and SIGHUP end a command as Ctrl-C does, and its last line names the signal.

Slurm, systemd and timeout send them to processes that run too long; a closed terminal sends one
too. And what a command does whose output is cut off, as with `| head`.
"""

import os
import signal
import sys
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP)


def interrupt_on_signals() -> None:
    """From now on, the first such signal raises KeyboardInterrupt in the main thread.

    Later ones are ignored: timeout sends its signal twice, and the clean-up after the first must
    not be cut short. A signal that is ignored already stays ignored (nohup).
    """
    for each in _ENDING:
        if signal.getsignal(each) == signal.SIG_DFL:
            signal.signal(each, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt(signal.Signals(number).name)


def describe_interrupt(interrupt: KeyboardInterrupt) -> str:
    """A few words for a message: interrupted (Ctrl-C), or ended by SIGTERM.

    Example:
        >>> describe_interrupt(KeyboardInterrupt("SIGTERM"))
        'ended by SIGTERM'
    """
    return f"ended by {interrupt}" if interrupt.args else "interrupted"


def discard_output() -> None:
    """Leads standard output nowhere: for a BrokenPipeError, so that no later print raises one."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
