"""The gateways' adapters: one module each, pure, with its code table in `codes/`.

`worker.gateways.registry` finds them by looking into this folder.
"""
