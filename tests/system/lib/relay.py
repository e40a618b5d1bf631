"""A relay for one TCP connection: a client that comes through it cannot reconnect without the test knowing."""

import select
import socket
import threading


class Relay:
    """Takes one connection, passes it on to a port of this machine, and ends when either side does."""

    def __init__(self, port):
        self.port = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.target = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        """The life of the connection."""
        with self.listener:
            self.listener.settimeout(60)
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
        with client, socket.socket() as server:
            try:
                server.connect(("127.0.0.1", self.port))
                self.pass_on(client, server)
            except OSError:
                pass  # either side is gone; both are closed

    @staticmethod
    def pass_on(client, server):
        """Copies both ways until one side ends."""
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        other = {client: server, server: client}
        while True:
            for one in select.select([client, server], [], [])[0]:
                data = one.recv(65536)
                if not data:
                    return
                other[one].sendall(data)
