"""The sandbox, judged from outside: by plain HTTP, raw sockets and its ledger."""
