"""The name server of a cluster: names of Services and their addresses, in the test's own network. Every other question is
answered with "no such name", as a cluster does; Mixer 1.5 and later does not connect while its questions fail otherwise."""

import socket
import struct
import threading

PLACE = ("127.0.0.53", 53)
DOMAIN = "istio-system.svc.cluster.local"
TYPE_A, CLASS_IN, NO_SUCH_NAME, SECONDS = 1, 1, 3, 5


class NameServer:
    """Answers over UDP until closed. `services` may be changed at any time."""

    def __init__(self, services):
        self.services = services
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(PLACE)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        """The thread."""
        while True:
            question, asker = self.socket.recvfrom(4096)
            if not question:
                return
            self.socket.sendto(self.answer(question), asker)

    def answer(self, message):
        """The answer to one message with one question."""
        labels, place = [], 12
        while message[place]:
            labels.append(message[place + 1:place + 1 + message[place]].decode().lower())
            place += 1 + message[place]
        kind = struct.unpack("!H", message[place + 1:place + 3])[0]
        name, _, domain = ".".join(labels).partition(".")
        known = self.services.get(name) if domain == DOMAIN else None
        addresses = known if known and kind == TYPE_A else []
        flags = 0x8580 | (0 if known is not None else NO_SUCH_NAME)
        head = message[:2] + struct.pack("!HHHHH", flags, 1, len(addresses), 0, 0)
        records = b"".join(struct.pack("!HHHIH", 0xC00C, TYPE_A, CLASS_IN, SECONDS, 4) + socket.inet_aton(address)
                           for address in addresses)
        return head + message[12:place + 5] + records

    def close(self):
        """Ends it: an empty message is the sign."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.sendto(b"", PLACE)
        self.thread.join()
        self.socket.close()
