"""Deadlines. Nothing here sleeps for a guessed time: a test waits for a condition, up to a scaled deadline."""

import os
import time

FACTOR = float(os.environ.get("IMAPMETER_TIMEOUT_FACTOR", "1"))
# Preloaded into a program, it gives that another clock (libfaketime).
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


def scaled(seconds: float) -> float:
    """`seconds` for this machine: the one place where IMAPMETER_TIMEOUT_FACTOR acts."""
    return seconds * FACTOR


def wait_until(condition, timeout: float = 10.0, what: str = ""):
    """Returns condition()'s first true value; raises AssertionError after `timeout` scaled seconds."""
    deadline = time.monotonic() + scaled(timeout)
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {scaled(timeout):g} s: {what or condition.__name__}")
        time.sleep(pause)
        pause = min(pause * 2, 0.05)
