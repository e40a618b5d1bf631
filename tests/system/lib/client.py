"""A real gRPC client of the adapter, with raw bytes for messages, as Mixer is one."""

import os
from dataclasses import dataclass

os.environ.setdefault("GRPC_VERBOSITY", "NONE")
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# A connection on which no call waits is looked at only so often: by default it sees a GOAWAY after up to 5 seconds.
os.environ.setdefault("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "100")

import grpc  # noqa: E402

METHOD = "/metric.HandleMetricService/HandleMetric"
TIMEOUT = 30.0

OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own for each channel
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
)


@dataclass(frozen=True)
class Answer:
    """How a call ended: the name of its status, its message, and the response if it was OK."""

    status: str
    details: str = ""
    response: object = None

    @property
    def ok(self):
        """Whether the adapter acknowledged it."""
        return self.status == "OK"


class PendingCall:
    """A call that has been made and perhaps not been answered."""

    def __init__(self, future):
        self.future = future

    def done(self):
        """Whether it has ended, in whatever way."""
        return self.future.done()

    def answer(self):
        """Waits for its end."""
        try:
            return Answer("OK", response=self.future.result())
        except grpc.RpcError as error:
            return Answer(error.code().name, error.details() or "")


class Client:
    """One connection, which reconnects when it breaks."""

    def __init__(self, target):
        self.channel = grpc.insecure_channel(target, options=OPTIONS)

    def begin(self, request, timeout=TIMEOUT, method=METHOD, wait_for_ready=False):
        """Makes a call and does not wait for its end."""
        call = self.channel.unary_unary(method)
        return PendingCall(call.future(request, timeout=timeout, wait_for_ready=wait_for_ready))

    def call(self, request, timeout=TIMEOUT, method=METHOD, wait_for_ready=False):
        """Makes a call; returns its Answer."""
        return self.begin(request, timeout, method, wait_for_ready).answer()

    def send(self, metric, **options):
        """Calls with a Metric, which must be acknowledged."""
        answer = self.call(metric.wire(), **options)
        assert answer.ok, f"{metric.ident}: {answer}"
        return metric

    def close(self):
        """Ends the connection."""
        self.channel.close()
