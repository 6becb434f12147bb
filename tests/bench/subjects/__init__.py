"""The proxies: how each is configured, started and named. All use one worker and one thread where they can."""

from pathlib import Path

from subjects.haproxy import Haproxy
from subjects.hitch import Hitch
from subjects.imapmeter import Again, Asio, Imapmeter, Unread
from subjects.nginx import NginxMail, NginxStream
from subjects.stunnel import Stunnel

# As packaged, and tuned where there is something to tune.
PEERS = {
    "haproxy": lambda: Haproxy(tuned=False),
    "haproxy-tuned": lambda: Haproxy(tuned=True),
    "nginx-stream": lambda: NginxStream(tuned=False),
    "nginx-stream-tuned": lambda: NginxStream(tuned=True),
    "nginx-mail": lambda: NginxMail(tuned=False),
    "nginx-mail-tuned": lambda: NginxMail(tuned=True),
    "stunnel": lambda: Stunnel(tuned=False),
    "stunnel-tuned": lambda: Stunnel(tuned=True),
    "hitch": Hitch,
}


def make(peers: list[str], imapmeter: Path | None, asio: Path | None) -> list:
    ours = [Imapmeter(imapmeter), Again(imapmeter), Unread(imapmeter)] if imapmeter else []
    return ours + ([Asio(asio)] if asio else []) + [PEERS[peer]() for peer in peers]
