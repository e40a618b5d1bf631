"""Server reflection, by its bytes and, where grpcurl is, by grpcurl."""

import json
import shutil
import subprocess

import grpc
import pytest
from google.protobuf import descriptor_pb2

from metrics import Metric, PARAMS_TYPE

import reflection_v1_pb2 as pb

SERVICES = ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection", "metric.HandleMetricService"]
VERSIONS = ["v1", "v1alpha"]


@pytest.fixture(name="adapter", scope="module")
def shared_adapter(shared_stage):
    """One that serves."""
    return shared_stage.start()


@pytest.fixture(name="client")
def client_of_it(stage, adapter):
    """A connection to it."""
    return stage.client(adapter)


def reflect(client, requests, version="v1"):
    """The answers to requests of one stream."""
    method = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
    call = client.channel.stream_stream(method)(iter(request.SerializeToString() for request in requests), timeout=30)
    return [pb.ServerReflectionResponse.FromString(raw) for raw in call]


def ask(client, **fields):
    """The answer to one request, whose own bytes come back with it."""
    request = pb.ServerReflectionRequest(host="here", **fields)
    answers = reflect(client, [request])
    assert len(answers) == 1 and answers[0].original_request == request and answers[0].valid_host == "here"
    return answers[0]


def files_in(answer):
    """The names of the files of an answer, in their order."""
    return [descriptor_pb2.FileDescriptorProto.FromString(raw).name
            for raw in answer.file_descriptor_response.file_descriptor_proto]


@pytest.mark.parametrize("version", VERSIONS)
def test_list(client, version):
    """Every service that is served, in both versions."""
    answers = reflect(client, [pb.ServerReflectionRequest(list_services="*")], version)
    assert sorted(service.name for service in answers[0].list_services_response.service) == SERVICES


def test_many_requests_of_one_stream(client):
    """Answered one by one, in their order."""
    names = ["metric.proto", "config.proto", "nobody.proto", "health.proto"] * 20
    answers = reflect(client, [pb.ServerReflectionRequest(file_by_filename=name) for name in names])
    assert [answer.original_request.file_by_filename for answer in answers] == names
    assert [files_in(answer)[:1] for answer in answers[:4]] == [["metric.proto"], ["config.proto"], [], ["health.proto"]]


def test_files(client):
    """By name and by symbol, with all that they import."""
    by_name = ask(client, file_by_filename="metric.proto")
    assert files_in(by_name)[0] == "metric.proto" and "value.proto" in files_in(by_name)
    by_symbol = ask(client, file_containing_symbol="metric.HandleMetricService.HandleMetric")
    assert by_symbol.file_descriptor_response == by_name.file_descriptor_response
    assert files_in(ask(client, file_containing_symbol=PARAMS_TYPE.partition("/")[2])) == ["config.proto"]


def test_extensions(client):
    """Of a message's, their file and their numbers."""
    options = "google.protobuf.FileOptions"
    request = pb.ExtensionRequest(containing_type=options, extension_number=72295727)
    assert files_in(ask(client, file_containing_extension=request))[0] == "extensions.proto"
    numbers = ask(client, all_extension_numbers_of_type=options).all_extension_numbers_response
    assert numbers.base_type_name == options and sorted(numbers.extension_number) == [72295727, 72295888]


@pytest.mark.parametrize("fields", [
    {"file_by_filename": "nobody.proto"},
    {"file_containing_symbol": "metric.Nobody"},
    {"file_containing_extension": pb.ExtensionRequest(containing_type="metric.InstanceMsg", extension_number=9)},
    {"all_extension_numbers_of_type": "metric.Nobody"},
])
def test_unknown(client, fields):
    """NOT_FOUND, in an answer: the stream goes on."""
    assert ask(client, **fields).error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


def test_nothing_asked(client):
    """A request without a question is answered so."""
    assert ask(client).error_response.error_code == grpc.StatusCode.INVALID_ARGUMENT.value[0]


@pytest.mark.parametrize("raw", [b"\x0a\x7f", pb.ServerReflectionRequest(host="x" * 20000).SerializeToString()])
def test_garbage(client, raw):
    """What is no request, or too large for one, ends the stream."""
    call = client.channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")(iter([raw]))
    with pytest.raises(grpc.RpcError) as error:
        list(call)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT


# ---- grpcurl


def grpcurl(adapter, *arguments, data=None):
    """What grpcurl prints."""
    program = shutil.which("grpcurl")
    if program is None:
        pytest.skip("no grpcurl here")
    flags = ["-plaintext"] + (["-d", json.dumps(data)] if data is not None else [])
    done = subprocess.run([program, *flags, adapter.target, *arguments], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_grpcurl_list_and_describe(adapter):
    """It finds the services and describes what they take."""
    assert grpcurl(adapter, "list").split() == SERVICES
    assert grpcurl(adapter, "list", "metric.HandleMetricService").split() == ["metric.HandleMetricService.HandleMetric"]
    assert "string name = 72295727;" in grpcurl(adapter, "describe", "metric.InstanceMsg")
    for service in SERVICES:
        assert "is a service" in grpcurl(adapter, "describe", service)


def test_grpcurl_call(adapter):
    """A call made from JSON, its params in an Any, stands in the output as any other."""
    metric = Metric("grpcurl.txt", "g-0")
    data = {
        "instances": [{"name": "g-0.instance.istio-system", "value": {"int64_value": 0},
                       "dimensions": {"id": {"string_value": "g-0"}}}],
        "adapter_config": {"@type": PARAMS_TYPE, "file_path": "grpcurl.txt"},
    }
    assert json.loads(grpcurl(adapter, "metric.HandleMetricService/HandleMetric", data=data)) == {}
    adapter.wait_output("grpcurl.txt", metric.text())
    assert json.loads(grpcurl(adapter, "grpc.health.v1.Health/Check")) == {"status": "SERVING"}
