"""The command line: one module per noun. A command parses, makes one core call and one render call.

Nothing heavy is imported before a command runs, so that `--help` and `--version` start like a small program.
"""
