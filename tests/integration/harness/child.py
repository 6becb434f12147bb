"""Child: a part of the test in a process of its own, so that neither waits for the other's interpreter lock, and one
can be killed."""

import os
import pickle
import signal
import traceback


class Child:
    """Runs function(stop) in a fork that keeps no descriptor of this process but those in `keep`; `stop` becomes
    readable when the child shall end. A socket that both hold is closed only when both have closed it."""

    def __init__(self, function, keep: tuple[int, ...]):
        self._result, result = os.pipe()
        stop, self._stop = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _be_the_child(function, stop, result, {0, 1, 2, stop, result, *keep})
        os.close(result)
        os.close(stop)
        if os.read(self._result, 1) != b"r":
            raise AssertionError("the child did not start")

    def stop(self):
        """What the function returns once told to end; AssertionError with its traceback if it raised."""
        os.close(self._stop)
        with open(self._result, "rb") as result:
            outcome = result.read()
        os.waitpid(self.pid, 0)
        failed, value = pickle.loads(outcome) if outcome else (True, "it was killed")
        if failed:
            raise AssertionError(f"the test's child failed: {value}")
        return value

    def kill(self) -> None:
        """SIGKILL: whatever it had open, the kernel closes."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._stop)
        os.close(self._result)


def _be_the_child(function, stop: int, result: int, keep: set[int]) -> None:
    status = 1
    try:
        for fd in [int(name) for name in os.listdir("/proc/self/fd")]:
            if fd not in keep:
                _close(fd)
        os.write(result, b"r")
        try:
            outcome = (False, function(stop))
            status = 0
        except BaseException:
            outcome = (True, traceback.format_exc())
        with open(result, "wb") as pipe:
            pickle.dump(outcome, pipe)
    finally:
        os._exit(status)  # no handler or buffer of the parent's runs twice


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        pass  # the one that listed the directory
