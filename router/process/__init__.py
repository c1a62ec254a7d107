"""The processes of a hub: a supervisor without an event loop, and the workers that it starts and watches."""
