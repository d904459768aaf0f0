"""A RabbitMQ of the suite's own."""

import os
import socket
import subprocess

from tests.support.faults.servers import Server, free_port, program


class RabbitMQ(Server):
    """A RabbitMQ of one node, with a name, ports and a folder of its own."""

    def prepare(self) -> None:
        """Start the port mapper that it needs, and it."""
        self._mapper_port = free_port()
        self._mapper = subprocess.Popen(
            [program("epmd"), "-port", str(self._mapper_port), "-address", "127.0.0.1"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self.start()
        except BaseException:
            self._mapper.kill()
            raise

    def command(self) -> list[str]:
        """Not by the wrapper, which wants a user of its own."""
        return [program("rabbitmq-server", "/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin")]

    def environment(self) -> dict[str, str]:
        """Nothing of a node that this machine may have."""
        (self.folder / "plugins").write_text("[].\n")
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nloopback_users = none\n"
        )
        return {
            **os.environ,
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(self._mapper_port),
            "RABBITMQ_NODENAME": f"faults{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self.port + 1 if self.port < 65000 else self.port - 1),
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }

    def ready(self) -> bool:
        """Tell whether it speaks."""
        with socket.create_connection(("127.0.0.1", self.port), 2.0) as line:
            line.sendall(b"AMQP\x00\x00\x09\x01")
            return bool(line.recv(1))

    def url(self, port: int | None = None) -> str:
        """Return its address, by a proxy's port if one is given."""
        return f"amqp://guest:guest@127.0.0.1:{port or self.port}//"

    def end(self) -> None:
        """Kill it, and the port mapper."""
        self.kill()
        self._mapper.kill()
        self._mapper.wait()
