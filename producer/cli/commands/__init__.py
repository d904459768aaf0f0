"""The commands of `xinshi`: one module for each noun, one function for each verb.

Each module has a function `register` that adds its own to the application.
"""
