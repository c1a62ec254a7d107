from datetime import UTC, datetime

from router.client.bodies import summary
from router.client.inboxes import Received
from router.client.printable import printable, printable_body
from router.client.recv import shown
from router.client.samples import RC_EDA, sample

NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


def received(body: bytes, marked: bool = False, redelivered: bool = False) -> Received:
    return Received("q.in.message", "message", body, summary(body), marked, redelivered, 1)


def test_a_line_has_the_ids_and_no_payload() -> None:
    line = shown(received(sample(RC_EDA)), NOW, body=False)
    assert line == (
        "04:05:06  q.in.message  RC-EDA  Report"
        "  fr.fire.nexsis.sdis-50_5d1c7c0e-6a1f-4a57-9c55-1f1d3b6f4b10  from fr.fire.nexsis.sdis-50"
    )


def test_marks_are_shown() -> None:
    line = shown(received(b"{}", marked=True, redelivered=True), NOW, body=False)
    assert line.endswith("?  ?  distributionID_could_not_be_extracted  POSSIBLE DUPLICATE  redelivered")


def test_the_body_on_request() -> None:
    assert shown(received(b'{"a":"b"}'), NOW, body=True).endswith('\n{"a":"b"}')


def test_others_cannot_forge_a_line_or_move_the_cursor() -> None:
    line = shown(received(b'{"senderID":"a\\n04:05:07  forged\\u001b[2J\\u202e"}'), NOW, body=False)
    assert "\n" not in line and "\x1b" not in line and "\u202e" not in line
    assert printable_body(b"a\r\nb\tc\x1b[0m\xff") == "a\nb\tc\ufffd[0m\ufffd"
    assert printable("a\ud800\tb") == "a? b"
