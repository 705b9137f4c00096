"""Serve a small OpenAI-compatible endpoint on this machine whose behaviour is scripted call by call."""

import json
import math
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def said(content, *, tokens=(10, 1), top=None, **others):
    """Return the body of a chat completion. top: tokens of the first position with their probabilities."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    if top is not None:
        tops = [{"token": token, "logprob": math.log(share), "bytes": None} for token, share in top.items()]
        choice["logprobs"] = {"content": [{**tops[0], "top_logprobs": tops}]}
    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
    body = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    return json.dumps({**body, **others})


@contextmanager
def endpoint(behave):
    """Serve chat completions; `behave(call, request)` returns (status, headers, body), seconds to hang, or drops.

    call: number of the call, from 0. Drops: a list of bytes, sent one every tenth of a second before an answer. Yields
    an object with `url`, `requests` (messages of each call, in order of arrival) and `most_at_once`.
    """
    state = State()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with state.lock:
                call = len(state.requests)
                state.requests.append(request)
                state.keys.add(self.headers.get("Authorization"))
                state.at_once += 1
                state.most_at_once = max(state.most_at_once, state.at_once)
            answer = behave(call, request)
            if isinstance(answer, float):
                time.sleep(answer)
                answer = (200, {}, said("pro"))
            drops = answer if isinstance(answer, list) else []
            if drops:
                answer = (200, {"Content-Length": str(len(drops) + len(said("pro")))}, said("pro"))
            with state.lock:
                state.at_once -= 1
            status, headers, body = answer
            content = body if isinstance(body, bytes) else body.encode()
            self.send_response(status)
            own = {"Content-Type": "application/json", "Content-Length": str(len(content))}
            for name, value in {**own, **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            for drop in drops:
                self.wfile.write(drop)
                time.sleep(0.1)
            self.wfile.write(content)
            self.close_connection = True

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # callers that disconnect are expected
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


class State:
    def __init__(self):
        self.lock, self.requests, self.keys = threading.Lock(), [], set()
        self.at_once = self.most_at_once = 0
        self.url = ""
