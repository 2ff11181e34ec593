"""The command ``hammingway``: parse, call the library, print. One file a command."""
