"""The command line: `main` finds the command, each command is one file, `render` draws what happens.

stdout is the result, stderr is the story.
"""
