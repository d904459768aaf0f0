"""What a gateway is: the protocol, its values, its adapters, and the transport that carries it.

Adapters are pure; only `worker.gateways.transport` reaches the network.
"""
