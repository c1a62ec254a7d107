"""Other ways of moving the same messages, each in processes of its own: `python -m bench.rivals.<name>`.

Law: a rival does what its library's own documentation shows, with confirms on and the input acknowledged last, on
uvloop and with as many processes as the router. It is spared what the router promises beyond: no report, no mark.
"""
