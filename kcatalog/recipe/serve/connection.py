"""One connection: uvicorn's, with a clock, a limit to how many, and JSON for broken HTTP.

uvicorn takes a protocol class by its public option `http`, but documents none to derive from.
What is overridden here it has no option for: it waits for headers for ever, answers broken HTTP in
plain text, and drops a client that has ended its own side of the connection. This is the
engine's only use of uvicorn's inside; the tests on raw sockets tell when it changes.
"""

from __future__ import annotations

import json
import sys

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from kcatalog.recipe.serve.limits import Limits

_BROKEN = "The request must be valid HTTP/1.1, whole and well-formed."
_LONG = "The headers must be shorter."
_SLOW = "The request's headers took too long to arrive."
_FULL = "Too many connections are open. Try again in a second."


def protocol(limits: Limits) -> type[H11Protocol]:
    """The class of connections with these limits, as uvicorn wants one."""

    class Connection(H11Protocol):
        clock, refused, ended = None, False, False

        def connection_made(self, transport):
            super().connection_made(transport)
            if len(self.connections) > limits.connections:
                self.refuse(503, _FULL, retry_after="1")
                self.transport.close()
            else:
                self._wind(limits.head_seconds, self._no_headers)

        def data_received(self, data):
            if self.refused or self.transport.is_closing():
                return
            super().data_received(data)
            waits = self.conn.their_state is h11.IDLE
            if waits and self.clock is None and self.timeout_keep_alive_task is None:
                self._wind(limits.head_seconds, self._no_headers)

        def handle_events(self):
            before = self.cycle
            super().handle_events()
            if self.cycle is not before and not self.cycle.response_complete:
                self._wind(limits.exchange_seconds, self.transport.abort)

        def eof_received(self):
            """The client has ended its side: what it asked for in full is still answered."""
            self.ended = True
            theirs, (rest, _) = self.conn.their_state, self.conn.trailing_data
            if self.refused:
                return False
            if theirs is h11.SEND_BODY or (theirs is h11.IDLE and rest):
                self.conn.receive_data(b"")
                self.handle_events()  # which finds the request torn
            waits = self.cycle is not None and not self.cycle.response_complete
            return waits and not self.refused

        def connection_lost(self, exc):
            self._stop()
            super().connection_lost(exc)

        def on_response_complete(self):
            self._stop()
            super().on_response_complete()
            if self.ended and self.cycle.response_complete:
                self.transport.close()

        def timeout_keep_alive_handler(self):
            if self.transport.get_write_buffer_size():  # a client that does not read
                self.transport.abort()
            super().timeout_keep_alive_handler()

        def send_400_response(self, msg):
            hint = getattr(sys.exception(), "error_status_hint", 400)
            self.refuse(431, _LONG) if hint == 431 else self.refuse(400, _BROKEN)

        def refuse(self, status, sentence, **further):
            """Answer, if nothing has been said yet, and hang up when the client has."""
            self.refused = True
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                body = json.dumps({"error": sentence}).encode()
                headers = {"content-type": "application/json", "connection": "close"}
                headers |= {"content-length": str(len(body))}
                headers |= {k.replace("_", "-"): v for k, v in further.items()}
                response = h11.Response(status_code=status, headers=list(headers.items()))
                for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                    self.transport.write(self.conn.send(event))
            if self.cycle is not None:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            # Closing while the client still sends would take the answer away from it.
            try:
                self.transport.write_eof()
            except OSError:  # it has gone without a word
                self.transport.abort()
            else:
                self._wind(limits.linger_seconds, self.transport.abort)

        def _wind(self, seconds, then):
            self._stop()
            self.clock = self.loop.call_later(seconds, then)

        def _stop(self):
            if self.clock is not None:
                self.clock.cancel()
                self.clock = None

        def _no_headers(self):
            self.clock = None
            if self.conn.trailing_data[0]:
                self.refuse(408, _SLOW)
            else:
                self.transport.close()

    return Connection
