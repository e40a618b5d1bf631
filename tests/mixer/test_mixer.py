"""A real Mixer, on the manifests as they are, in front of the adapter as the manifests run it."""

import re
import signal
import time
from collections import Counter

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from adapter import REPOSITORY
from mixer import Proxy, Traffic, mixc
from pod import MANIFESTS, WORKLOADS
from processes import send
from waiting import until

CONFIG = REPOSITORY / "tests" / "mixer" / "config"
HEAD = "HandleMetric invoked with:\n  Adapter config: &Params{FilePath:%s,}\n  Instances: "
SAMPLE = "sample_operator_config.yaml"


def text_of(sizes, path="/volume/out.txt"):
    """What the sample becomes when requests of these sizes are reported in one call."""
    instances = "".join(f"'i1metric.instance.istio-system':\n  {{\n\t\tValue = {size}\n\t\tDimensions = map[response_code:200]\n  }}"
                        for size in sizes)
    return (HEAD % path + instances + "\n").encode()


def sizes_in(raw):
    """The sizes that stand in an output, each record of which must be as it should."""
    found = [int(size) for size in re.findall(rb"Value = (\d+)", raw)]
    assert raw == b"".join(text_of([size], path) for size, path in zip(found, paths_in(raw)))
    return found


def paths_in(raw):
    """The file_path of each record."""
    return re.findall(r"FilePath:(.*?),}", raw.decode())


def check_exactly_once(found, traffic):
    """Acknowledged is there once; refused once at most; nothing else."""
    counts = Counter(found)
    acknowledged = {size for each in traffic for size in each.acknowledged}
    refused = {size for each in traffic for size, _ in each.refused}
    assert not acknowledged - counts.keys(), "acknowledged, and not there"
    assert not counts.keys() - acknowledged - refused, "never sent"
    assert set(counts.values()) <= {1}, "twice"


@pytest.fixture(name="pod")
def pod_fixture(stage):
    """The adapter as the Deployment runs it."""
    return stage.pod(WORKLOADS[0], network="this").start()


# ---- what arrives


def test_a_request_of_1235_bytes(pod, mixer):
    """The walkthrough, to the letter."""
    mixer.start()
    assert mixc("-s", "destination.service=svc.cluster.local", "-t", "request.time=2017-07-04T00:01:10Z",
                "-i", "request.size=1235") == ["OK"]
    pod.wait_output("out.txt", (REPOSITORY / "tests/golden/0000-post.txt").read_bytes())


def test_mixer_has_no_complaint(pod, mixer):
    """Of any of the manifests, in the second it takes it to read them again."""
    mixer.start()
    time.sleep(1.5)
    assert mixc("-i", "request.size=1") == ["OK"]
    complaints = [line for line in mixer.log().splitlines() if re.search(r"\t(error|warn)\t", line)]
    assert complaints == []
    pod.wait_output("out.txt", text_of([1]))


def test_the_rule_takes_each_request_once(pod, mixer):
    """Both proxies report a request; TCP connections have no size."""
    mixer.start()
    assert mixc("-s", "context.reporter.kind=outbound,context.protocol=http", "-i", "request.size=1") == ["OK"]
    assert mixc("-s", "context.reporter.kind=inbound,context.protocol=tcp", "-i", "request.size=2") == ["OK"]
    assert mixc("-s", "context.reporter.kind=inbound,context.protocol=http", "-i", "request.size=3") == ["OK"]
    assert mixc("-s", "context.reporter.kind=inbound,context.protocol=grpc", "-i", "request.size=4") == ["OK"]
    pod.wait_output("out.txt", text_of([3]) + text_of([4]))


def test_a_batch_is_one_call(pod, mixer):
    """What Envoy reports in one call comes in one call, in its order."""
    mixer.start()
    sizes = range(1000, 1100)
    assert Proxy().report(*({"request.size": size} for size in sizes)) == ""
    assert mixc("-i", "request.size=7", "-r", 10, "--report_batch_size", 5) == ["OK", "OK"]
    pod.wait_output("out.txt", text_of(sizes) + 2 * text_of([7] * 5))


def test_every_kind_of_value(pod, mixer):
    """As Mixer encodes it, from attributes and from expressions."""
    mixer.add(CONFIG / "kinds.yaml")
    mixer.start()
    attributes = {
        "destination.service": "kinds", "connection.mtls": True, "kinds.dns": "example.com", "kinds.double": 5e-324,
        "response.duration": Duration(seconds=1, nanos=500000000), "kinds.email": "a@b.c",
        "request.headers": {"x-kind": "h\tx"}, "request.size": 2**63 - 1, "source.ip": bytes(range(16)),
        "request.path": "/é\n]", "request.time": Timestamp(seconds=1552698123, nanos=4), "kinds.uri": "http://x/y",
    }
    assert Proxy().report(attributes) == ""
    kinds = {
        "bool": "&Value_BoolValue{BoolValue:true,}",
        "bool_said": "&Value_BoolValue{BoolValue:false,}",
        "dns": "&Value_DnsNameValue{DnsNameValue:&DNSName{Value:example.com,},}",
        "dns_said": "&Value_DnsNameValue{DnsNameValue:&DNSName{Value:reviews.default.svc.cluster.local,},}",
        "double": "5e-324",
        "double_said": "0.1",
        "duration": "&Value_DurationValue{DurationValue:&Duration{Value:1.5s,},}",
        "duration_said": "&Value_DurationValue{DurationValue:&Duration{Value:12ms,},}",
        "email": "&Value_EmailAddressValue{EmailAddressValue:&EmailAddress{Value:a@b.c,},}",
        "email_said": "&Value_EmailAddressValue{EmailAddressValue:&EmailAddress{Value:istio@example.com,},}",
        "header": "h\tx",
        "header_missing": "none",
        "int": "9223372036854775807",
        "int_said": "5",
        "ip": "&Value_IpAddressValue{IpAddressValue:&IPAddress{Value:[0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15],},}",
        "ip_said": "&Value_IpAddressValue{IpAddressValue:&IPAddress{Value:[0 0 0 0 0 0 0 0 0 0 255 255 10 1 2 3],},}",
        "string": "/é\n]",
        "string_said": "said",
        "timestamp": "&Value_TimestampValue{TimestampValue:&TimeStamp{Value:2019-03-16T01:02:03.000000004Z,},}",
        "timestamp_said": "&Value_TimestampValue{TimestampValue:&TimeStamp{Value:2017-01-01T00:00:00Z,},}",
        "uri": "&Value_UriValue{UriValue:&Uri{Value:http://x/y,},}",
        "uri_said": "&Value_UriValue{UriValue:&Uri{Value:http://example.com/a?b=c,},}",
    }
    expected = HEAD % "kinds/out.txt" + (
        "'kinds.instance.istio-system':\n  {\n\t\tValue = 5e-324\n\t\tDimensions = map["
        + " ".join(f"{key}:{value}" for key, value in kinds.items()) + "]\n  }"
        "'text.instance.istio-system':\n  {\n\t\tValue = /é\n]\n\t\tDimensions = map[]\n  }\n")
    pod.wait_output("kinds/out.txt", expected.encode())


def test_many_at_once(pod, mixer):
    """All of them, none in part, whoever reports at the same time."""
    mixer.start()
    assert mixc("-i", "request.size=8", "-c", 16, "-r", 250, "--print_response=false") == []
    expected = text_of([8]) * 4000
    pod.wait_output("out.txt", expected)


def test_a_refusal_reaches_mixer(pod, mixer):
    """With its reason, in Mixer's log and in its answer; the next handler is none the worse."""
    mixer.write(SAMPLE, mixer.read(SAMPLE).replace("/volume/out.txt", "/elsewhere/out.txt"))
    mixer.start()
    complaint = Proxy().report({"request.size": 1})
    assert 'file_path "/elsewhere/out.txt" is not beneath output.root' in complaint
    assert complaint.split("\n", maxsplit=1)[1].strip() in mixer.log()
    assert pod.output("out.txt") == b""


# What docs/deploy.md has Mixer say, and what brings it about.
MISTAKES = {
    "Handler not found: handler='h9.istio-system'": ("handler: h1.istio-system", "handler: h9.istio-system"),
    "Instance not found: instance='i9metric'": ("- i1metric", "- i9metric"),
    "field 'file_paths' not found in message 'Params'": ('file_path: "', 'file_paths: "'),
    "unknown attribute request.seize": ("request.size |", "request.seize |"),
    "unknown function: SUB": ("request.size | 0", '"-5"'),
    "adapter 'other' not found": ("adapter: mygrpcadapter", "adapter: other"),
    "template 'other' not found": ("template: metric", "template: other"),
}


@pytest.mark.parametrize("complaint", MISTAKES)
def test_a_mistake_is_in_the_log_alone(mixer, complaint):
    """Mixer answers OK all the same."""
    old, new = MISTAKES[complaint]
    assert mixer.read(SAMPLE).count(old) == 1
    mixer.write(SAMPLE, mixer.read(SAMPLE).replace(old, new))
    mixer.start(complaint)
    assert mixc("-i", "request.size=1") == ["OK"]


def test_an_adapter_that_is_not_there(mixer):
    """Mixer tells whoever reports."""
    mixer.start()
    assert "connection refused" in Proxy().report({"request.size": 1})
    mixer.wait_log("unable to connect to:")
    mixer.wait_log("Report failed")


# ---- what happens meanwhile


def test_workers_and_collector_are_killed(pod, mixer):
    """Again and again: what Mixer has been answered stands there once, and Mixer goes on."""
    mixer.start()
    traffic = [Traffic(first) for first in (10**6, 2 * 10**6, 3 * 10**6, 4 * 10**6)]
    for killed in range(1, 6):
        for each in traffic:
            each.wait_more(20)
        for pid in (*pod.workers().values(), pod.collector()):
            send(pid)
        pod.wait_log("worker ready", 2 + 2 * killed)
        pod.wait_log("collector ready", 1 + killed)
    for each in traffic:
        each.wait_more(20)
        each.stop()
    pod.drain()
    check_exactly_once(sizes_in(pod.output("out.txt")), traffic)


def test_the_adapter_is_killed_and_comes_back(pod, mixer):
    """Mixer refuses reports meanwhile, and connects again by itself."""
    mixer.start()
    traffic = [Traffic(first) for first in (10**6, 2 * 10**6)]
    for _ in range(2):
        for each in traffic:
            each.wait_more(50)
        pod.kill_all()
        until(lambda: all(each.refused for each in traffic), "reports to be refused")
        pod.start()
    for each in traffic:
        each.wait_more(50)
        each.stop()
    pod.drain()
    check_exactly_once(sizes_in(pod.output("out.txt")), traffic)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR2], ids=["HUP", "USR2"])
def test_the_adapter_is_changed_in_place(pod, mixer, number):
    """A new ConfigMap or a new program: not one report fails, and Mixer's connection comes back at once."""
    mixer.start()
    traffic = [Traffic(first) for first in (10**6, 2 * 10**6, 3 * 10**6)]
    for count in (3, 1, 2):
        for each in traffic:
            each.wait_more(50)
        changes, old = len(pod.log.find("taken over")), set(pod.workers().values())
        pod.configuration.write_text(re.sub(r"count = \d+", f"count = {count}", pod.configuration.read_text()))
        pod.tell(number)
        pod.wait_log("taken over", changes + 1)
        pod.wait_gone(old)
    for each in traffic:
        each.wait_more(50)
        each.stop()
    pod.drain()
    assert [each.refused for each in traffic] == [[], [], []]
    check_exactly_once(sizes_in(pod.output("out.txt")), traffic)


def test_mixer_is_given_another_configuration(pod, mixer):
    """A new handler takes the place of the old one: two connections for a while, and not one report lost."""
    mixer.start()
    traffic = [Traffic(first) for first in (10**6, 2 * 10**6)]
    for old, new in (("/volume/out.txt", "/volume/new/out.txt"), ("/volume/new/out.txt", "third.txt")):
        for each in traffic:
            each.wait_more(50)
        # In the parameter alone; the comment at the top has the name too.
        mixer.change(SAMPLE, f'file_path: "{old}"', f'file_path: "{new}"')
    until(lambda: pod.output("third.txt"), "a record in the third file")
    for each in traffic:
        each.wait_more(50)
        each.stop()
    pod.drain()
    assert [each.refused for each in traffic] == [[], []]
    outputs = {name: pod.output(name) for name in ("out.txt", "new/out.txt", "third.txt")}
    for path, raw in zip(("/volume/out.txt", "/volume/new/out.txt", "third.txt"), outputs.values()):
        assert set(paths_in(raw)) == {path}
    check_exactly_once([size for raw in outputs.values() for size in sizes_in(raw)], traffic)


def test_mixer_itself_is_killed(pod, mixer):
    """The adapter does not mind, and the next Mixer finds it as it was."""
    mixer.start()
    traffic = Traffic(10**6)
    traffic.wait_more(50)
    mixer.stop()
    mixer.start()
    traffic.wait_more(50)
    traffic.stop()
    pod.drain()
    check_exactly_once(sizes_in(pod.output("out.txt")), [traffic])


# ---- several replicas


@pytest.fixture(name="replicas")
def replicas_fixture(stage):
    """The adapter as the StatefulSet runs it, three times, each on an address of the headless Service's name."""
    return [stage.pod(WORKLOADS[1], network="this", extra=addresses(f"127.0.0.{number}")).start() for number in (2, 3, 4)]


def addresses(address):
    """What has a pod listen on its own address, and no other."""
    return ("--set", f"listen.address={address}", "--set", f"admin.address={address}:9100")


def test_every_replica_gets_its_share(replicas, mixer):
    """dns:/// and a headless Service: calls go to them in turns. One that drains is left out, and no report fails for that."""
    mixer.write(SAMPLE, without_handler(mixer.read(SAMPLE)))
    mixer.add(MANIFESTS / "scale" / "handler.yaml")
    mixer.start()
    until(lambda: all_connected(replicas), "a connection to each")
    traffic = [Traffic(first) for first in (10**6, 2 * 10**6)]
    for each in traffic:
        each.wait_more(150)
    replicas[0].drain()
    counts = [len(paths_in(each.output("out.txt"))) for each in replicas]
    assert min(counts) * 2 > max(counts), f"in turns? {counts}"
    for each in traffic:
        each.wait_more(150)
        each.stop()
    for each in replicas[1:]:
        each.drain()
    assert [each.refused for each in traffic] == [[], []]
    check_exactly_once([size for each in replicas for size in sizes_in(each.output("out.txt"))], traffic)


def without_handler(text):
    """The sample without its handler."""
    return "\n---\n".join(part for part in text.split("\n---\n") if "kind: handler" not in part)


def all_connected(replicas):
    """Whether each replica has a client."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    addresses = {row[1] for row in rows if row[3] == "01"}
    return all(f"0{number}00007F:1F40" in addresses for number in range(2, 2 + len(replicas)))
