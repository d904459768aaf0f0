"""The configuration with which Xinshi works beside the sandbox: an account for each class."""

#: Where `xinshi up --sandbox` has the sandbox listen.
PORT = 8025
#: One account for each class, of gateways that tell what became of a text; as `xinshi sandbox`
#: opens them.
CONFIGURATION = f"""\
# Written by `xinshi up --sandbox`: nothing leaves this machine.
database_url = "sqlite:///xinshi.db"
broker_url = "embedded"

[accounts.codes]
gateway = "apiv1"
base_url = "http://127.0.0.1:{PORT}/apiv1"
account = "demo"
password = "demo"
classes = ["otp"]
collect_reports_every = "2s"
collect_inbound_every = "2s"

[accounts.notices]
gateway = "jzyyun"
base_url = "http://127.0.0.1:{PORT}/jzyyun"
username = "test"
password = "test"
classes = ["notice"]
collect_reports_every = "2s"
collect_inbound_every = "2s"

[accounts.adverts]
gateway = "c123"
base_url = "http://127.0.0.1:{PORT}/c123"
uid = "9999"
password = "9999"
classes = ["marketing"]
sending_hours = "any"
rx_spacing = "2s"
"""
