"""Judges deploy/kubernetes: by the schemas of Kubernetes, and by what no schema knows.

usage: validate.py DIRECTORY [BINARY]

Schemas: every resource, strictly, by the oldest version that is supported and by the newest one that is known. Beside
them: every file is listed, every name that is referred to is there, selectors select, pods are as restricted as they are
said to be, and every option that a pod is started with is one that the binary has.
"""

import re
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import yaml

OLDEST = "1.30"  # `preStop: sleep` is there from then on
# Not Kubernetes' own: their schemas are those of their operators.
FOREIGN = {"cert-manager.io/v1", "kustomize.config.k8s.io/v1beta1"}
# Made by whoever installs, or by an operator or chart that is not part of this.
GIVEN = {
    "clearmosaic-tokens", "clearmosaic-worker-token", "clearmosaic-submit-token",
    "clearmosaic-coordinator-profiles", "clearmosaic-worker-profiles",
}


def documents(directory):
    """(file, resource) of all manifests; Helm's values are none."""
    for path in sorted(directory.rglob("*.yaml")):
        if path.name != "values.yaml":
            for resource in yaml.safe_load_all(path.read_text()):
                yield path, resource


def by_schemas(resources):
    judged = 0
    for path, resource in resources:
        if resource["apiVersion"] in FOREIGN:
            continue
        for version in (OLDEST, kubernetes_validate.latest_version()):
            try:
                kubernetes_validate.validate(resource, version, strict=True)
            except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as fault:
                yield f"{path}: {resource['kind']} {resource['metadata']['name']}, Kubernetes {version}: {fault}"
        judged += 1
    if judged < 15:
        yield f"only {judged} resources were judged"


def listed(directory):
    """Every kustomization lists the files beside it, no more and no less."""
    for kustomization in directory.rglob("kustomization.yaml"):
        said = set(yaml.safe_load(kustomization.read_text())["resources"])
        there = {path.name for path in kustomization.parent.glob("*.yaml")} - {kustomization.name}
        if said != there:
            yield f"{kustomization}: lists {sorted(said - there)} that are not there, misses {sorted(there - said)}"


def pods(resources):
    """(where, labels, pod) of whatever starts pods."""
    for path, resource in resources:
        if template := resource.get("spec", {}).get("template"):
            yield f"{path}: {resource['kind']}", template["metadata"]["labels"], template["spec"]


def names(resources, kind):
    return {resource["metadata"]["name"] for _, resource in resources if resource["kind"] == kind}


def references(resources):
    """Secrets, ConfigMaps, accounts and ports that are referred to are there."""
    secrets = GIVEN | {r["spec"]["secretName"] for _, r in resources if r["kind"] == "Certificate"}
    maps, accounts = names(resources, "ConfigMap"), names(resources, "ServiceAccount")
    keys = set().union(*(r["data"] for _, r in resources if r["kind"] == "ConfigMap"))
    for where, _, pod in pods(resources):
        asked = [(v["secret"]["secretName"], secrets) for v in pod["volumes"] if "secret" in v]
        asked += [(v["configMap"]["name"], maps) for v in pod["volumes"] if "configMap" in v]
        asked += [(pod["serviceAccountName"], accounts)] if "serviceAccountName" in pod else []
        for container in pod["containers"]:
            volumes = {volume["name"] for volume in pod["volumes"]}
            asked += [(mount["name"], volumes) for mount in container["volumeMounts"]]
            known = keys | {variable["name"] for variable in container["env"]}
            asked += [(name, known) for name in re.findall(r"\$\((\w+)\)", " ".join(container["args"]))]
        yield from (f"{where}: there is no {name}" for name, there in asked if name not in there)


def selected(resources):
    """Whatever selects pods of ours selects some."""
    labels = [labels for _, labels, _ in pods(resources)]
    for path, resource in resources:
        spec = resource.get("spec", {})
        selector = spec.get("podSelector", spec.get("selector", {}))
        wanted = selector.get("matchLabels", {} if "matchExpressions" in selector else selector)
        if wanted and not any(wanted.items() <= there.items() for there in labels):
            yield f"{path}: {resource['kind']} {resource['metadata']['name']} selects no pod"


def restricted(resources):
    """Pods and containers ask for no privilege, as the namespace demands."""
    for where, _, pod in pods(resources):
        asked = pod["securityContext"]
        if not (asked["runAsNonRoot"] and asked["runAsUser"] and asked["seccompProfile"]["type"] == "RuntimeDefault"):
            yield f"{where}: its pods are not restricted"
        for container in pod["containers"]:
            asked = container["securityContext"]
            if asked != {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}:
                yield f"{where}: container {container['name']} is not restricted: {asked}"
            if "memory" not in container["resources"].get("limits", {}):
                yield f"{where}: container {container['name']} has no limit of memory"


def options(resources, binary):
    """Every option that a container is started with is one of the command's."""
    for where, _, pod in pods(resources):
        for container in pod["containers"]:
            command, *rest = container["args"]
            told = subprocess.run([binary, command, "--help"], capture_output=True, text=True, check=True).stdout
            known = set(re.findall(r"--[a-z-]+", told))
            used = {argument.split("=")[0] for argument in rest if argument.startswith("--")}
            yield from (f"{where}: `{command}` has no {option}" for option in sorted(used - known))


def main(directory, binary=None):
    resources = list(documents(Path(directory)))
    faults = [*by_schemas(resources), *listed(Path(directory)), *references(resources), *selected(resources)]
    faults += restricted(resources)
    if binary and Path(binary).exists():
        faults += options(resources, binary)
    else:
        print(f"SKIPPED: the options of the pods are not compared with those of the binary: {binary} is not built")
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"Kubernetes: {len(resources)} resources, {len(faults)} faults")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
