"""Define the settings of metrics, which stand outside of any table of the configuration."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class MetricsSettings(BaseModel):
    """Where each process shows its metrics to Prometheus; whoever reaches the port may read them.

    Processes of one machine need a port each; with 0 a process keeps no metrics.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
