"""The commands of `xinshi`: one module for each noun, one function for each verb.

Each module has a function `register` that adds its commands to the app. Command modules do not
import each other; what they share is in `producer.cli`.
"""
