"""The laws of Xinshi, and the servers and stages on which they are shown."""
