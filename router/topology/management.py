"""A thin client of RabbitMQ's management API: one request, one answer, errors by whose fault they are.

It keeps no state and tries nothing twice. Environment proxies are not used: the API is the hub's own
network, and a redirect never carries the password on. No message names a secret.
"""

import base64
import http.client
import json
import socket
import urllib.error
import urllib.request
from typing import Any, Final
from urllib.parse import quote

TIMEOUT_SECONDS: Final = 10.0


class ManagementError(Exception):
    """The management API did not do what was asked. The message is one line."""


class Unreachable(ManagementError):
    """Nobody answers there, or not in time, or not as a management API does: the network's or the broker's
    fault."""


class Unauthorized(ManagementError):
    """The user or its password is wrong, or it may not do this: the configuration's fault."""


class NotFound(ManagementError):
    """What the path names is not there."""


class Refused(ManagementError):
    """The broker does not want it; `reason` is its own, in its words."""

    def __init__(self, what: str, status: int, reason: str) -> None:
        super().__init__(f"the broker refuses {what}: {reason} ({status})")
        self.status = status
        self.reason = reason


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_more: Any) -> None:
        return None


class Management:
    """The API at `url` (http://host:15672, without /api), as `user`. Safe to use from several threads."""

    def __init__(self, url: str, user: str, password: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.url = url.rstrip("/")
        self.user = user
        self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._timeout_seconds = timeout_seconds
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())

    def __repr__(self) -> str:
        return f"Management({self.url!r}, {self.user!r})"

    def get(self, *path: str) -> Any:
        """The decoded answer. Each part of the path is one segment, encoded here. Raises ManagementError."""
        return self._request("GET", path, None)

    def put(self, *path: str, body: object) -> None:
        self._request("PUT", path, body)

    def post(self, *path: str, body: object) -> Any:
        return self._request("POST", path, body)

    def delete(self, *path: str) -> None:
        """Raises NotFound when there is nothing to delete; the caller knows whether that is good."""
        self._request("DELETE", path, None)

    def _request(self, method: str, path: tuple[str, ...], body: object) -> Any:
        what = f"{method} {'/'.join(path)}"
        request = urllib.request.Request(
            f"{self.url}/api/{'/'.join(quote(part, safe='') for part in path)}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        request.add_unredirected_header("Authorization", self._authorization)
        request.add_header("Content-Type", "application/json")
        try:
            with self._opener.open(request, timeout=self._timeout_seconds) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise self._blamed(what, error.code, _reason(error)) from None
        except urllib.error.URLError as error:
            raise Unreachable(f"the management API at {self.url} cannot be reached: {_plain(error.reason)}") from None
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"the management API at {self.url} broke off {what}: {_plain(error)}") from None
        try:
            return json.loads(content) if content else None
        except ValueError:
            raise Unreachable(f"{self.url} does not answer as a management API ({what} gave no JSON)") from None

    def _blamed(self, what: str, status: int, reason: str) -> ManagementError:
        if status in (401, 403):
            return Unauthorized(f"the management API refuses user {self.user!r}: {reason} ({what})")
        if status == 404:
            return NotFound(f"not there: {what}")
        if status >= 500:
            return Unreachable(f"the management API at {self.url} failed at {what}: {reason} ({status})")
        return Refused(what, status, reason)


def _reason(error: urllib.error.HTTPError) -> str:
    """The broker's own words, in one line."""
    try:
        answer = json.loads(error.read())
        words = answer["reason"] if isinstance(answer, dict) else answer
    except (ValueError, KeyError, OSError, http.client.HTTPException):
        words = error.reason
    return " ".join((words if isinstance(words, str) else json.dumps(words)).split())


def _plain(error: object) -> str:
    if isinstance(error, TimeoutError | socket.timeout):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
