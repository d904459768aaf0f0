"""The variables that Kubernetes puts into every pod for the Services of our own manifests."""

from typing import Any

import pytest

from tests.support import documents

MANIFESTS = documents.ROOT / "deploy" / "kubernetes"


def services() -> list[dict[str, Any]]:
    """Return the Services of the manifests."""
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the deployment files")
    parts = [
        part
        for path in sorted(MANIFESTS.glob("*.yaml"))
        for part in yaml.safe_load_all(path.read_text("utf-8"))
    ]
    return [part for part in parts if part["kind"] == "Service"]


def of_manifests() -> dict[str, str]:
    """Return the variables for all Services of the manifests."""
    variables: dict[str, str] = {}
    for service in services():
        ports = {port["name"]: port["port"] for port in service["spec"]["ports"]}
        variables |= of_service(service["metadata"]["name"], **ports)
    return variables


def of_service(name: str, **ports: int) -> dict[str, str]:
    """Return the variables for a Service with ports by name, as kubelet makes them."""
    prefix, address = name.upper().replace("-", "_"), "10.96.0.7"
    first = next(iter(ports.values()))
    variables = {
        f"{prefix}_SERVICE_HOST": address,
        f"{prefix}_SERVICE_PORT": str(first),
        f"{prefix}_PORT": f"tcp://{address}:{first}",
    }
    for port_name, port in ports.items():
        variables[f"{prefix}_SERVICE_PORT_{port_name.upper().replace('-', '_')}"] = str(port)
        link = f"{prefix}_PORT_{port}_TCP"
        variables |= {
            link: f"tcp://{address}:{port}",
            f"{link}_PROTO": "tcp",
            f"{link}_PORT": str(port),
            f"{link}_ADDR": address,
        }
    return variables
