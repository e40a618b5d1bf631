"""What manifests/ promises a cluster and Mixer. That the API server knows every field is checked with Kubernetes' own types
(tests/manifests)."""

import base64
import os
import re
import shutil
import subprocess

import pytest
from google.protobuf import descriptor_pb2

import metrics  # noqa: F401  (puts the generated messages on the path)
import extensions_pb2
from adapter import REPOSITORY, run_program
from pod import MANIFESTS, WORKLOADS, container_of, find_object, read_manifest, workload_of

MIXER_FILES = ("attributes.yaml", "metrictemplate.yaml", "mygrpcadapter.yaml", "sample_operator_config.yaml")
SERVING = "metric.HandleMetricService"
MERGE_SECONDS = 30  # beyond the drain's time (etc/mygrpcadapter.cfg)
HANDLERS = {"sample_operator_config.yaml": WORKLOADS[0], "scale/handler.yaml": WORKLOADS[1]}


@pytest.fixture(name="workload", params=WORKLOADS)
def workload_fixture(request):
    """Each of the two ways to run it."""
    return workload_of(request.param)


def service_of(name):
    """The Service of a file."""
    return find_object("Service", name)


def settings_in_effect(directory):
    """What the program makes of the ConfigMap: its text, every setting in it."""
    path = directory / "mygrpcadapter.cfg"
    path.write_text(find_object("ConfigMap", WORKLOADS[0])["data"][path.name], encoding="utf-8")
    result = run_program("-c", path, "-t")
    assert result.returncode == 0, result.stderr
    return result.stdout


# ---- the files


def test_the_descriptors_are_those_of_proto(stage):
    """`make manifests` has been run since proto/ changed."""
    copy = stage.home / "manifests"
    shutil.copytree(MANIFESTS, copy)
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    subprocess.run(["make", "-s", "manifests", f"BUILD={stage.home}/build", f"MANIFESTS={copy}"], check=True, cwd=REPOSITORY,
                   env=environment)
    for name in MIXER_FILES:
        assert (copy / name).read_text() == (MANIFESTS / name).read_text(), f"{name} is stale: make manifests"


def test_the_descriptors_hold_what_mixer_looks_for():
    """A set with all imports; one file with the template's options, and the service; one with the message Params."""
    template = descriptor_pb2.FileDescriptorSet.FromString(
        base64.b64decode(find_object("template", "metrictemplate.yaml")["spec"]["descriptor"], validate=True))
    names = [file.name for file in template.file]
    assert all(needed in names[:place] for place, file in enumerate(template.file) for needed in file.dependency)
    chosen = [file for file in template.file if file.options.HasExtension(extensions_pb2.template_variety)]
    assert [file.package for file in chosen] == ["metric"]
    assert chosen[0].options.Extensions[extensions_pb2.template_variety] == extensions_pb2.TEMPLATE_VARIETY_REPORT
    assert chosen[0].options.Extensions[extensions_pb2.template_name] == "metric"
    assert [service.name for service in chosen[0].service] == ["HandleMetricService"]
    assert {"InstanceMsg", "HandleMetricRequest"} <= {message.name for message in chosen[0].message_type}

    config = descriptor_pb2.FileDescriptorSet.FromString(
        base64.b64decode(find_object("adapter", "mygrpcadapter.yaml")["spec"]["config"], validate=True))
    params = [message for file in config.file for message in file.message_type if message.name == "Params"]
    assert [field.name for field in params[0].field] == ["file_path"]


def test_mixer_can_read_the_folder_too():
    """Its file-system store complains twice a second of an object without a namespace, or of a document that is none."""
    for path in MANIFESTS.glob("*.yaml"):
        for each in read_manifest(path.name):
            assert each["metadata"]["namespace"] == "istio-system", path
        assert not path.read_text(encoding="utf-8").startswith("---"), path


def test_kubectl_applies_nothing_but_these():
    """`kubectl apply -f manifests/` takes what ends in these, of this folder only."""
    found = sorted(path.name for path in MANIFESTS.iterdir() if path.suffix in (".yaml", ".yml", ".json"))
    assert found == sorted((*MIXER_FILES, "mygrpcadapter-k8s.yaml"))


# ---- what belongs together


def test_expressions_use_declared_attributes():
    """Else Mixer drops the instance or the rule."""
    declared = find_object("attributemanifest", "attributes.yaml")["spec"]["attributes"]
    params = find_object("instance", "sample_operator_config.yaml")["spec"]["params"]
    rule = find_object("rule", "sample_operator_config.yaml")["spec"]
    used = set()
    for expression in (params["value"], *params["dimensions"].values(), rule["match"]):
        used |= set(re.findall(r"[a-z]+(?:\.[a-z_]+)+", re.sub(r'"[^"]*"', "", expression)))
    assert {"request.size", "response.code"} <= used <= set(declared)


def test_the_rule_leads_to_the_adapter():
    """rule -> handler and instance; handler -> adapter; instance and adapter -> template."""
    sample = "sample_operator_config.yaml"
    handler, instance = find_object("handler", sample), find_object("instance", sample)
    adapter, template = find_object("adapter", "mygrpcadapter.yaml"), find_object("template", "metrictemplate.yaml")
    action = find_object("rule", sample)["spec"]["actions"]
    assert action == [{"handler": "h1.istio-system", "instances": ["i1metric"]}]
    assert (handler["metadata"]["name"], instance["metadata"]["name"]) == ("h1", "i1metric")
    assert handler["spec"]["adapter"] == adapter["metadata"]["name"] == "mygrpcadapter"
    assert adapter["spec"]["templates"] == [template["metadata"]["name"]] == [instance["spec"]["template"]]
    assert handler["spec"]["params"] == {"file_path": "/volume/out.txt"}


def test_the_scaled_handler_replaces_the_other():
    """They differ in the address alone."""
    one, other = (find_object("handler", name) for name in HANDLERS)
    assert one["spec"].pop("connection") == {"address": "mygrpcadapter:8000"}
    assert other["spec"].pop("connection") == {"address": "dns:///mygrpcadapter-replicas:8000"}
    assert one == other


@pytest.mark.parametrize("handler, manifest", HANDLERS.items())
def test_the_address_leads_to_the_container(handler, manifest):
    """handler -> Service -> pods -> port."""
    address = find_object("handler", handler)["spec"]["connection"]["address"]
    service, workload = service_of(manifest), workload_of(manifest)
    name, _, port = address.removeprefix("dns:///").partition(":")
    assert name == service["metadata"]["name"] == workload["metadata"]["name"]
    assert service["spec"]["ports"] == [{"name": "grpc", "port": int(port), "targetPort": "grpc", "protocol": "TCP"}]
    assert service["spec"].get("clusterIP") == ("None" if address.startswith("dns:///") else None)
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert workload["spec"]["selector"]["matchLabels"].items() <= labels.items()
    container = container_of(workload)
    assert {"name": "grpc", "containerPort": int(port), "protocol": "TCP"} in container["ports"]
    assert container["args"][-1] == port


def test_the_two_ways_share_no_pod():
    """Both can be there at once, while one replaces the other."""
    one, other = (workload_of(name)["spec"]["template"]["metadata"]["labels"] for name in WORKLOADS)
    for name, labels in zip(WORKLOADS, (other, one)):
        assert not service_of(name)["spec"]["selector"].items() <= labels.items()


def test_replicas_have_volumes_and_a_budget():
    """Each its own volume; not all go at once."""
    workload = workload_of(WORKLOADS[1])
    budget = find_object("PodDisruptionBudget", WORKLOADS[1])
    assert workload["spec"]["replicas"] > budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["selector"] == workload["spec"]["selector"]
    assert workload["spec"]["serviceName"] == service_of(WORKLOADS[1])["metadata"]["name"]
    claims = [each["metadata"]["name"] for each in workload["spec"]["volumeClaimTemplates"]]
    mounts = {each["mountPath"]: each["name"] for each in container_of(workload)["volumeMounts"]}
    assert [mounts["/volume"]] == claims


def test_transient_storage_is_the_volume():
    """As in the walkthrough."""
    workload = workload_of(WORKLOADS[0])
    volumes = {each["name"]: each for each in workload["spec"]["template"]["spec"]["volumes"]}
    assert "emptyDir" in volumes["transient-storage"]
    mounts = {each["mountPath"]: each["name"] for each in container_of(workload)["volumeMounts"]}
    assert mounts["/volume"] == "transient-storage"


def test_rotation_keeps_the_volume_from_filling(stage):
    """A pod that fills its emptyDir is evicted, and its records with it."""
    text = settings_in_effect(stage.home)
    setting = {name: int(re.search(rf"\b{name} = (\d+)", text).group(1))
               for name in ("rotate_bytes", "rotate_keep", "limit_bytes", "count")}
    volumes = {each["name"]: each for each in workload_of(WORKLOADS[0])["spec"]["template"]["spec"]["volumes"]}
    limit = volumes["transient-storage"]["emptyDir"]["sizeLimit"]
    assert limit.endswith("Gi")
    needed = setting["rotate_bytes"] * (setting["rotate_keep"] + 1) + setting["limit_bytes"] * setting["count"]
    assert needed * 1.25 < int(limit[:-2]) << 30


# ---- the pod


def test_the_containers_are_alike():
    """Whatever is mended in one is mended in the other."""
    one, other = (dict(container_of(workload_of(name))) for name in WORKLOADS)
    for container in (one, other):
        del container["volumeMounts"]
        container["resources"]["requests"].pop("ephemeral-storage", None)
    assert one == other


def test_it_has_no_rights(workload):
    """What Kubernetes calls "restricted", and a root that cannot be written."""
    pod = workload["spec"]["template"]["spec"]
    identity = pod["securityContext"]
    assert identity["runAsNonRoot"] is True and identity["runAsUser"] > 0
    assert identity["fsGroup"] == identity["runAsGroup"] > 0
    assert identity["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    security = container_of(workload)["securityContext"]
    assert security == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def test_no_sidecar_is_injected(workload):
    """By label for newer injectors, by annotation for older ones."""
    metadata = workload["spec"]["template"]["metadata"]
    assert metadata["labels"]["sidecar.istio.io/inject"] == "false"
    assert metadata["annotations"]["sidecar.istio.io/inject"] == "false"


def test_the_quota_admits_its_priority(workload):
    """Clusters that want one for this priority have one."""
    values = find_object("ResourceQuota", WORKLOADS[0])["spec"]["scopeSelector"]["matchExpressions"][0]["values"]
    assert [workload["spec"]["template"]["spec"]["priorityClassName"]] == values


def test_the_probes_ask_what_they_mean(workload):
    """Ready is who takes metrics; a full volume is no reason to be restarted."""
    container = container_of(workload)
    assert container["readinessProbe"]["grpc"] == {"port": 8000, "service": SERVING}
    for probe in ("livenessProbe", "startupProbe"):
        assert container[probe]["grpc"] == {"port": 8000, "service": "liveness"}


def test_prometheus_is_told_where(workload, stage):
    """Annotation, port and configuration name one port."""
    annotations = workload["spec"]["template"]["metadata"]["annotations"]
    port = annotations["prometheus.io/port"]
    assert (annotations["prometheus.io/scrape"], annotations["prometheus.io/path"]) == ("true", "/metrics")
    assert {"name": "metrics", "containerPort": int(port), "protocol": "TCP"} in container_of(workload)["ports"]
    assert f'address = "[::]:{port}"' in settings_in_effect(stage.home)


def test_resources_are_asked_for(workload):
    """So that it is placed where it has room."""
    assert {"cpu", "memory"} <= container_of(workload)["resources"]["requests"].keys()


def test_the_configuration_is_mounted_and_good(workload, stage):
    """The argument names the mounted ConfigMap's file, and the program takes it."""
    mounts = {each["name"]: each["mountPath"] for each in container_of(workload)["volumeMounts"]}
    assert container_of(workload)["args"][:2] == ["--config", f"{mounts['configuration']}/mygrpcadapter.cfg"]
    text = settings_in_effect(stage.home)
    assert 'root = "/volume"' in text


def test_the_grace_period_outlasts_the_drain(workload, stage):
    """preStop, calls in flight, and the merge after them."""
    drain = int(re.search(r"drain_timeout_ms = (\d+)", settings_in_effect(stage.home)).group(1)) / 1000
    sleep = container_of(workload)["lifecycle"]["preStop"]["exec"]["command"]
    assert sleep[0] == "sleep"
    needed = int(sleep[1]) + drain + (drain + MERGE_SECONDS)
    assert workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > needed


@pytest.mark.parametrize("manifest", WORKLOADS)
def test_it_works_as_that_pod(stage, manifest):
    """No right, no file system but the volume: it answers its probes, serves, writes, and drains."""
    pod = stage.pod(manifest)
    pod.start()
    assert pod.port == 8000
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = container_of(workload_of(manifest))[name]["grpc"]
        asked = pod.inside("health", "--service", probe["service"], f"127.0.0.1:{probe['port']}")
        assert asked.returncode == 0, f"{name}: {asked.stdout} {asked.stderr}"
    assert "\nmygrpcadapter_ready 1\n" in pod.fetch("http://127.0.0.1:9100/metrics")
    arguments = ["--address", "127.0.0.1:8000", "--file-path", "/volume/out.txt", "--value", 1235,
                 "--name", "i1metric.instance.istio-system", "--dimension", "response_code=int:200"]
    sent = pod.inside("send", *arguments)
    assert sent.returncode == 0, sent.stderr
    pod.wait_output("out.txt", (REPOSITORY / "tests/golden/0000-post.txt").read_bytes())
    with open(f"/proc/{pid_of_worker(pod)}/status", encoding="ascii") as file:
        status = file.read()
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE) and re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    pod.drain()


def pid_of_worker(pod):
    """One of them."""
    return next(iter(pod.wait_workers(2).values()))
