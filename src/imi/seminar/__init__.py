"""The seminar that imi grew out of, as steps to run: what a slide says, a command, what to look at."""
