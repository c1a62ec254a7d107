"""Suspect inboxes: one trial at a time, and only an answer of the broker ends the suspicion."""

from router.core.suspects import SuspectInboxes


def test_an_inbox_is_suspect_from_its_silence_until_a_trial_is_answered() -> None:
    suspects = SuspectInboxes()
    assert not suspects and "a" not in suspects
    suspects.silent("a")
    suspects.silent("a")
    assert len(suspects) == 1 and "a" in suspects and "b" not in suspects
    assert suspects.may_try("a")
    suspects.tried("a", answered=False)
    assert "a" in suspects
    assert suspects.may_try("a")
    suspects.tried("a", answered=True)
    assert "a" not in suspects and not suspects


def test_one_trial_at_a_time_over_all_suspect_inboxes() -> None:
    suspects = SuspectInboxes()
    suspects.silent("a")
    suspects.silent("b")
    assert suspects.may_try("a")
    assert not suspects.may_try("b")
    assert not suspects.may_try("a")
    suspects.tried("a", answered=True)
    assert suspects.may_try("b")
    assert "b" in suspects


def test_silence_during_a_trial_keeps_the_trial() -> None:
    suspects = SuspectInboxes()
    suspects.silent("a")
    assert suspects.may_try("a")
    suspects.silent("b")
    assert not suspects.may_try("b")
    assert "a" in suspects and "b" in suspects
