"""The authentication service that nginx mail asks at each LOGIN; it lets everybody in."""

import os
import socketserver
import threading
from contextlib import contextmanager


@contextmanager
def auth_http(server_port: int, cpu: int):
    """Yields its port. The answers name the server at `server_port`."""
    answer = ("HTTP/1.0 200 OK\r\nAuth-Status: OK\r\nAuth-Server: 127.0.0.1\r\n"
              f"Auth-Port: {server_port}\r\n\r\n").encode()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            request = b""
            while b"\r\n\r\n" not in request:
                octets = self.request.recv(4096)
                if not octets:
                    return
                request += octets
            self.request.sendall(answer)

    class Service(socketserver.TCPServer):
        request_queue_size = 1024

    def serve():
        os.sched_setaffinity(0, {cpu})  # of this thread alone
        service.serve_forever(poll_interval=0.05)

    with Service(("127.0.0.1", 0), Handler) as service:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield service.server_address[1]
        finally:
            service.shutdown()
            thread.join()
