"""Test that a busy, failing, hanging or malformed endpoint never leaks a post or a key, nor exceeds the budget."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from endpoint import endpoint, said

from babelgrid.api import ask as asking
from babelgrid.api.ask import Endpoint, ask
from babelgrid.api.ledger import Ledger
from babelgrid.config.api import Api
from babelgrid.config.prompt import Label
from babelgrid.cost.prices import Price
from babelgrid.errors import UserError
from babelgrid.runtime.progress import progress_bar

LABELS = {"pro": Label(answer=" pro"), "anti": Label(answer=" anti")}
FREE = Price(0.0, 0.0, "free")


def questions(count):
    return [[{"role": "user", "content": f"a secret post, number {number}"}] for number in range(count)]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "planted-key-5f2c9e")
    plain = asking._pause
    monkeypatch.setattr(asking, "_pause", lambda state: min(plain(state), 0.3))


@contextmanager
def asked(behave, tmp_path, price=FREE, **settings):
    with endpoint(behave) as server:
        api = Api(model="m", base_url=server.url, **{"budget": 0, "timeout": 5, "attempts": 3, **settings})
        yield server, lambda: Endpoint(api, price, LABELS, Ledger(tmp_path / "ledger.sqlite", api.budget), 1)


def labels(made, count):
    with progress_bar(count, 0, "") as bar:
        return [answer.label for answer in ask(made, questions(count), bar)]


def first_then_pro(*first):
    """Return a behaviour that gives `first` at the first calls and answers "pro" afterwards."""
    return lambda call, _: first[call] if call < len(first) else (200, {}, said("pro"))


@pytest.mark.slow
def test_answers_keep_post_order_and_rerun_makes_no_call(tmp_path):
    def behave(_, request):
        number = int(request["messages"][-1]["content"].split()[-1])
        time.sleep(0.05)
        return 200, {}, said(["pro", "anti", "hm"][number % 3], top={"pro": 0.7, "anti": 0.3})

    with asked(behave, tmp_path, concurrency=4) as (server, make):
        first = make()
        assert labels(first, 30) == ["pro", "anti", None] * 10
        assert (first.calls, len(server.requests), server.most_at_once) == (30, 30, 4)
        again = make()
        assert labels(again, 31)[:30] == ["pro", "anti", None] * 10
        assert (again.calls, len(server.requests)) == (1, 31)


@pytest.mark.slow
@pytest.mark.parametrize(
    "trouble",
    [
        (429, {"Retry-After": "0.2"}, '{"error": {"message": "busy"}}'),
        (500, {}, "oh no"),
        (503, {}, ""),
        (200, {"Content-Length": "5000"}, said("pro")),
        (200, {}, said("pro")[:40]),
        (200, {"Content-Type": "text/html"}, "<html>hello</html>"),
        (200, {}, "[]"),
        (200, {}, "{}"),
        (200, {}, b"\xff\xfe"),
    ],
    ids=["429", "500", "503", "truncated", "half JSON", "HTML", "a list", "an empty object", "no UTF-8"],
)
def test_transient_error_is_retried(tmp_path, trouble):
    with asked(first_then_pro(trouble, trouble), tmp_path) as (server, make):
        assert labels(make(), 1) == ["pro"]
        assert len(server.requests) == 3


def test_retry_after_header_is_respected(tmp_path):
    with asked(first_then_pro((429, {"Retry-After": "0.25"}, "{}")), tmp_path) as (_, make):
        start = time.monotonic()
        labels(make(), 1)
        assert time.monotonic() - start >= 0.25


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        said("pro", tokens=(10, 1)).replace('"prompt_tokens": 10', f'"prompt_tokens": {"9" * 401}'),
        said("pro", tokens=(10, 1)).replace('"prompt_tokens": 10', f'"prompt_tokens": {"9" * 5001}'),
        "[" * 100_000,
    ],
    ids=["a huge number", "more digits than Python reads", "endless depth"],
)
def test_absurd_reply_is_retried_or_charged_at_maximum(tmp_path, body):
    with asked(first_then_pro((200, {}, body)), tmp_path) as (server, make):
        assert labels(make(), 1) == ["pro"]
        assert len(server.requests) <= 2


@pytest.mark.slow
@pytest.mark.parametrize("status", [408, 409])
def test_transient_refusal_is_retried(tmp_path, status):
    with asked(first_then_pro((status, {}, "{}")), tmp_path) as (server, make):
        assert labels(make(), 1) == ["pro"]
        assert len(server.requests) == 2


@pytest.mark.slow
def test_slow_reply_is_limited_by_timeout(tmp_path):
    with asked(first_then_pro([b"\n"] * 40), tmp_path, timeout=0.5) as (server, make):
        assert labels(make(), 1) == ["pro"]
        assert len(server.requests) == 2


@pytest.mark.slow
def test_hanging_endpoint_is_retried(tmp_path):
    with asked(first_then_pro(2.0), tmp_path, timeout=0.3) as (server, make):
        assert labels(make(), 1) == ["pro"]
        assert len(server.requests) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ((429, {"Retry-After": "0"}, "{}"), "the endpoint is busy, in 3 attempts"),
        ((500, {}, "secret post"), r"the endpoint fails, in 3 attempts \(status 500\)"),
        ((401, {}, '{"error": {"message": "planted-key"}}'), "the endpoint rejects the key in OPENAI_API_KEY"),
        ((404, {}, "{}"), "there is no model 'm'"),
        ((400, {}, '{"error": {"message": "secret post"}}'), "top_logprobs: 0"),
        ((200, {}, "{"), "no readable answer, in 3 attempts"),
        (2.0, "no answer within 0.3 s, in 3 attempts"),
        ((402, {}, "{}"), r"the endpoint fails, another attempt would not help \(status 402\)"),
    ],
)
def test_permanent_error_is_one_message_and_keeps_answers(tmp_path, trouble, words):
    def behave(call, _):
        return (200, {}, said("pro")) if call < 2 else trouble

    with asked(behave, tmp_path, timeout=0.3, concurrency=1) as (server, make):
        with pytest.raises(UserError, match=words) as error:
            labels(make(), 5)
        assert "2 of 5 posts are answered" in str(error.value)
        assert "secret" not in str(error.value)
        assert "planted" not in str(error.value)
        assert len(server.requests) >= 3


def test_content_filtered_post_has_no_label(tmp_path):
    refused = (400, {}, '{"error": {"code": "content_filter", "message": "no"}}')
    with asked(first_then_pro(refused), tmp_path, concurrency=1) as (server, make):
        assert labels(make(), 3) == [None, "pro", "pro"]
        assert len(server.requests) == 3


def reply(content="pro", usage=None, logprobs=None):
    """Return a completion with malformed parts."""
    body = json.loads(said("x"))
    body["choices"][0] |= {"message": {"role": "assistant", "content": content}, "logprobs": logprobs}
    return json.dumps({**body, "usage": body["usage"] if usage is None else usage})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("odd", "label"),
    [
        ({"content": [{"type": "text", "text": "an"}, {"type": "text", "text": "ti"}, 3]}, "anti"),
        ({"content": 7}, None),
        ({"content": {"text": "pro"}}, None),
        ({"logprobs": {"content": "pro"}}, "pro"),
        ({"logprobs": {"content": [{"token": None, "logprob": -1, "top_logprobs": []}]}}, "pro"),
        ({"logprobs": {"content": [{"logprob": -1}]}}, "pro"),
        ({"logprobs": {"content": [{"token": "pro", "logprob": None, "top_logprobs": []}]}}, "pro"),
        ({"usage": {"prompt_tokens": "many", "completion_tokens": 1}}, "pro"),
        ({"usage": {"prompt_tokens": [], "completion_tokens": {}}}, "pro"),
    ],
)
def test_malformed_parts_of_a_reply_do_not_crash(tmp_path, odd, label):
    with asked(lambda *_: (200, {}, reply(**odd)), tmp_path) as (server, make):
        assert labels(make(), 2) == [label, label]
        assert len(server.requests) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "usage",
    [
        {},
        {"prompt_tokens": -100_000, "completion_tokens": 1},
        {"prompt_tokens": 10},
        {"prompt_tokens": 10, "completion_tokens": None},
    ],
)
def test_reply_without_token_counts_is_charged_at_maximum(tmp_path, usage):
    price = Price(prompt=1e4, completion=1e4, source="a list")
    with asked(lambda *_: (200, {}, reply(usage=usage)), tmp_path, price, budget=100.0) as (_, make):
        made = make()
        labels(made, 3)
        most = sum(map(made.most_dollars, questions(3)))
        assert made.ledger.spent() == pytest.approx(most)


def test_reply_above_maximum_cost_stops_the_run(tmp_path):
    price = Price(prompt=1e4, completion=1e4, source="a list")
    long = (200, {}, said("pro", tokens=(10, 5000)))
    with asked(lambda *_: long, tmp_path, price, budget=100.0, concurrency=1) as (server, make):
        with pytest.raises(UserError, match=r"api\.budget: a reply reports a higher cost than api\.max_tokens"):
            labels(make(), 5)
        assert len(server.requests) == 1


@pytest.mark.slow
def test_server_error_is_charged(tmp_path):
    price = Price(prompt=1e4, completion=1e4, source="a list")
    with asked(first_then_pro((504, {}, ""), (429, {}, "")), tmp_path, price, budget=100.0) as (_, make):
        made = make()
        labels(made, 1)
        assert made.ledger.spent() == pytest.approx(made.most_dollars(questions(1)[0]) + price.of(10, 1))


def test_identical_posts_are_sent_once(tmp_path):
    with asked(lambda call, _: (200, {}, said(["pro", "anti"][call % 2])), tmp_path) as (server, make):
        with progress_bar(6, 0, "") as bar:
            found = [answer.label for answer in ask(make(), questions(1) * 6, bar)]
        assert found == ["pro"] * 6
        assert len(server.requests) == 1


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [1, 8])
def test_budget_is_never_exceeded_and_can_be_raised(tmp_path, concurrency):
    price = Price(prompt=1e4, completion=1e4, source="a list")  # one cent per token

    def behave(call, _):
        return (429, {}, "") if call % 7 == 3 else (200, {}, said("pro", tokens=(10, 1)))

    with asked(behave, tmp_path, price, budget=5.0, concurrency=concurrency) as (server, make):
        made = make()
        with pytest.raises(UserError, match=r"api\.budget: .* exceed 5 dollars"):
            labels(made, 200)
        paid = 0.11 * sum(call % 7 != 3 for call in range(len(server.requests)))
        assert made.ledger.spent() == pytest.approx(paid)
        assert 5.0 - concurrency * made.most_dollars(questions(200)[-1]) < paid <= 5.0
        before = len(server.requests)
        with pytest.raises(UserError, match=r"api\.budget"):
            labels(make(), 200)
        assert 0.11 * sum(call % 7 != 3 for call in range(len(server.requests))) <= 5.0
        assert len(server.requests) - before <= 20


@pytest.mark.slow
def test_missing_answer_counts_against_the_budget(tmp_path):
    price = Price(prompt=1e4, completion=0.0, source="a list")
    with asked(lambda *_: 2.0, tmp_path, price, budget=2.0, timeout=0.2, concurrency=1) as (server, make):
        with pytest.raises(UserError, match=r"api\.budget|no answer within"):
            labels(make(), 50)
        made = make()
        assert 0 < made.ledger.spent() <= 2.0
        assert made.ledger.spent() == pytest.approx(len(server.requests) * made.most_dollars(questions(1)[0]))


def test_remote_endpoint_without_key_is_not_called(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    api = Api(model="m", base_url="https://example.invalid/v1", budget=1)
    made = Endpoint(api, FREE, LABELS, Ledger(tmp_path / "ledger.sqlite", 1), 1)
    with pytest.raises(UserError, match="the environment variable OPENAI_API_KEY is not set"):
        labels(made, 1)


def test_no_post_reply_or_key_is_stored(tmp_path):
    with asked(lambda *_: (200, {}, said("you said: a secret post, pro")), tmp_path) as (server, make):
        made = make()
        assert labels(made, 3) == ["pro"] * 3
        made.ledger.close()
        assert server.keys == {"Bearer planted-key-5f2c9e"}
    for path in tmp_path.rglob("*"):
        content = path.read_bytes()
        assert b"secret" not in content
        assert b"you said" not in content
        assert b"planted" not in content


@pytest.mark.slow
@pytest.mark.grid
def test_killed_job_resumes_from_stored_answers(tmp_path):
    script = (
        "import sys, json; from test_api_ask import *; "
        "api = Api(model='m', base_url=sys.argv[1], budget=0, concurrency=2); "
        "labels(Endpoint(api, FREE, LABELS, Ledger(Path(sys.argv[2]), 0), 1), 40)"
    )

    def behave(call, _):
        time.sleep(0.02)
        return 200, {}, said("pro")

    with asked(behave, tmp_path, concurrency=2) as (server, make):
        root = Path(__file__).parents[2]
        command = [sys.executable, "-c", script, server.url, str(tmp_path / "ledger.sqlite")]
        paths = [str(root / "src"), str(root / "tests/api"), str(root / "tests")]
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)})
        while len(server.requests) < 15:
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        killed_after = len(server.requests)
        made = make()
        assert labels(made, 40) == ["pro"] * 40
        assert made.calls <= 40 - (killed_after - 2)
        assert len({json.dumps(request["messages"]) for request in server.requests}) == 40


def test_non_ascii_key_is_an_error_before_any_call(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-…")
    with asked(first_then_pro(), tmp_path) as (server, make):
        with pytest.raises(UserError, match="OPENAI_API_KEY has non-ASCII characters"):
            labels(make(), 1)
        assert server.requests == []
