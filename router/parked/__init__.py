"""The parking queue, for people: list, show, replay, drop (DELIVERY.md 7)."""
