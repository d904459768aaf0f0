"""The gateways: their protocol, its values, the adapters, and the transport of their requests.

Adapters are pure; only `worker.gateways.transport` reaches the network.
"""
