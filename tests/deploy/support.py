"""What the tests of deploy/ share: where things are, tools that must be there."""
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
sys.path[:0] = [str(DEPLOY / "demo"), str(ROOT / "tests" / "integration")]

MEMBERS = ("NOT_DEFINED OK NO BAD PREAUTH BYE ALERT BAD_CHARSET CAPABILITY PARSE PERMANENT_FLAGS READ_ONLY READ_WRITE "
           "TRY_CREATE UID_NEXT UID_VALIDITY UNSEEN UNSOLICITED").split()
MEMBERS_QUERY = "sum by (status_code) (imapmeter_status_codes_total)"

FACTOR = float(os.environ.get("IMAPMETER_TIMEOUT_FACTOR", "1"))


def binary():
    return os.environ["IMAPMETER_BIN"]


def tool(name):
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if not path:
        raise AssertionError(f"{name} is not installed")
    return path


def output_of(*command, **options):
    """What the command says on both streams; AssertionError with it where the command fails."""
    done = subprocess.run([tool(command[0]), *map(str, command[1:])], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=50 * FACTOR, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout
