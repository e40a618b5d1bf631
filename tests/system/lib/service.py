"""What a service manager is to the adapter: a socket that is told things."""

import socket

from waiting import until


class NotifySocket:
    """What a service manager listens on: keeps each message as a dict."""

    def __init__(self, home):
        self.path = str(home / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(self.path)
        self.messages = []

    def read(self):
        """All messages so far."""
        while True:
            try:
                text = self.socket.recv(65536).decode()
            except BlockingIOError:
                return self.messages
            self.messages.append(dict(line.split("=", 1) for line in text.splitlines()))

    def find(self, key):
        """The values of one key, in the order they came."""
        return [message[key] for message in self.read() if key in message]

    def wait(self, key, value, count=1):
        """Waits until a key has had that value so often."""
        until(lambda: self.find(key).count(value) >= count, lambda: f"{key}={value}; told: {self.messages}")
