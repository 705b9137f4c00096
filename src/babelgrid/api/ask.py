"""Send many questions to an endpoint: several at once, with retries, and within the budget."""

import asyncio
import logging
import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import openai
import tenacity
from tqdm import tqdm

from babelgrid.api.ledger import Answer, Ledger, OverBudgetError, question_key
from babelgrid.api.messages import Message, log_probabilities, parse_label
from babelgrid.config.api import Api
from babelgrid.config.prompt import Label
from babelgrid.cost.prices import Price
from babelgrid.errors import UserError

log = logging.getLogger(__name__)


class UnreadableError(Exception):
    """A reply is not a chat completion."""


class DearerError(Exception):
    """A reply cost more than the call's upper bound, so the budget can no longer be guaranteed."""


MAX_PAUSE = 60.0
SERVERS_FAULT = 500
# A token has at least one byte; a chat format adds a few tokens around each message.
TOKENS_AROUND_A_MESSAGE = 16
# No call has this many tokens; a larger count is an error of the endpoint.
MAX_TOKENS = 10**12
# A later attempt may succeed after these errors: too many requests, a conflict, a server error, no connection, a
# time-out, and a reply that is truncated or is not JSON.
TRANSIENT = (
    openai.RateLimitError,
    openai.InternalServerError,
    openai.APIConnectionError,
    openai.APIResponseValidationError,
    openai.ConflictError,
    httpx2.HTTPError,
    TimeoutError,
    UnreadableError,
)
REQUEST_TIMEOUT = 408


@dataclass
class Endpoint:
    """An endpoint with its price, its labels and its ledger."""

    settings: Api
    price: Price
    labels: Mapping[str, Label]
    ledger: Ledger
    seed: int
    calls: int = 0
    """Calls answered in this run, not taken from the ledger."""

    @property
    def parameters(self) -> dict[str, Any]:
        """Request parameters that are sent with the messages."""
        asked = self.settings.top_logprobs
        logprobs = {"logprobs": True, "top_logprobs": asked} if asked else {}
        return {
            "model": self.settings.model,
            "max_tokens": self.settings.max_tokens,
            "temperature": 0,
            "seed": self.seed,
            **logprobs,
        }

    def key_of(self, question: Sequence[Message]) -> str:
        """Return the key of a question in the ledger."""
        labels = {name: label.model_dump(mode="json") for name, label in self.labels.items()}
        return question_key(question, {**self.parameters, "base_url": self.settings.base_url, "labels": labels})

    def most_dollars(self, question: Sequence[Message]) -> float:
        """Return the maximum cost of a call in dollars."""
        size = sum(len(message["content"].encode()) + TOKENS_AROUND_A_MESSAGE for message in question)
        return self.price.of(size, self.settings.max_tokens)


def ask(endpoint: Endpoint, questions: Sequence[Sequence[Message]], bar: "tqdm[None]") -> list[Answer]:
    """Return the answer to each question, from the ledger if it is there.

    Raises `UserError` if the budget would be exceeded, the endpoint refuses, or every attempt fails. Answers received
    until then are in the ledger and are not requested again.
    """
    return asyncio.run(_ask_all(endpoint, questions, bar))


async def _ask_all(endpoint: Endpoint, questions: Sequence[Sequence[Message]], bar: "tqdm[None]") -> list[Answer]:
    settings = endpoint.settings
    key = os.environ.get(settings.key)
    if not key and not _is_here(settings.base_url):
        raise UserError(f"api.key: the environment variable {settings.key} is not set; set it to the endpoint's key")
    if key and not key.isascii():
        raise UserError(f"api.key: the environment variable {settings.key} has non-ASCII characters; copy it again")
    turns = asyncio.Semaphore(settings.concurrency)
    # `_call` enforces the time-out and `_ask_once` retries.
    client = openai.AsyncOpenAI(api_key=key or "none", base_url=settings.base_url, timeout=None, max_retries=0)

    failures: list[BaseException] = []

    # Posts with the same text are one question: each waits for the previous one and finds its answer in the ledger.
    one_by_one: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def answer(question: Sequence[Message]) -> Answer | None:
        async with one_by_one[endpoint.key_of(question)], turns:
            if failures:  # calls in progress are completed, because they are paid for; no new call starts
                return None
            try:
                found = endpoint.ledger.find(endpoint.key_of(question))
                if found is None:
                    found = await _ask_once(client, endpoint, question)
                    endpoint.calls += 1
            except (openai.OpenAIError, OverBudgetError, DearerError, UserError, *TRANSIENT) as error:
                failures.append(error)
                return None
            bar.update(1)
            return found

    async with client:
        answers = await asyncio.gather(*map(answer, questions))
    answered = [found for found in answers if found is not None]
    if failures:
        raise UserError(_describe_error(failures[0], endpoint, len(answered), len(questions))) from failures[0]
    return answered


async def _ask_once(client: openai.AsyncOpenAI, endpoint: Endpoint, question: Sequence[Message]) -> Answer:
    """Send a question that has no answer yet, with retries; every attempt counts towards the budget."""
    settings, most = endpoint.settings, endpoint.most_dollars(question)
    attempts = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(_may_pass),
        stop=tenacity.stop_after_attempt(settings.attempts),
        wait=_pause,
        reraise=True,
    )
    async for attempt in attempts:
        with attempt:
            number = endpoint.ledger.reserve(most)
            start = time.monotonic()
            try:
                reply = await _call(client, endpoint, question)
                answer = _read(reply, endpoint, time.monotonic() - start, most)
            except openai.APIStatusError as error:
                if error.status_code < SERVERS_FAULT and error.status_code != REQUEST_TIMEOUT:
                    endpoint.ledger.settle(number, 0.0)  # a refused request costs nothing
                if not _is_filtered(error):
                    raise
                answer = Answer(None, log_probabilities(None, None, endpoint.labels), 0, 0, time.monotonic() - start, 0)
            endpoint.ledger.settle(number, answer.dollars)
            endpoint.ledger.keep(endpoint.key_of(question), answer)
            if answer.dollars > most * (1 + 1e-9):
                raise DearerError
            return answer
    raise AssertionError("tenacity ends with an answer or an exception")


async def _call(client: openai.AsyncOpenAI, endpoint: Endpoint, question: Sequence[Message]) -> Any:
    """Return the complete reply within `api.timeout`; the client's own time-out would only limit each read."""
    messages: Any = list(question)
    try:
        async with asyncio.timeout(endpoint.settings.timeout):
            return await client.chat.completions.create(messages=messages, **endpoint.parameters)
    except (ValueError, OverflowError, RecursionError) as error:  # not JSON, or JSON with absurd numbers or depth
        raise UnreadableError from error


def _may_pass(error: BaseException) -> bool:
    """Return whether a later attempt may succeed."""
    return isinstance(error, TRANSIENT) or getattr(error, "status_code", None) == REQUEST_TIMEOUT


def _pause(state: tenacity.RetryCallState) -> float:
    """Return the seconds to wait: as the endpoint requests, else with random exponential back-off."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.response.headers.get("retry-after", "") if isinstance(error, openai.APIStatusError) else ""
    if asked.replace(".", "", 1).isdigit():
        return min(float(asked), MAX_PAUSE)
    return float(tenacity.wait_random_exponential(multiplier=0.5, max=MAX_PAUSE)(state))


def _read(reply: Any, endpoint: Endpoint, seconds: float, most: float) -> Answer:
    """Return the answer in a reply; a reply without token counts is charged at the maximum."""
    choices = getattr(reply, "choices", None)
    if not isinstance(choices, list):
        raise UnreadableError
    choice = choices[0] if choices else None
    said = parse_label(_content(choice), endpoint.labels)
    logp = log_probabilities(said, _first_tokens(choice), endpoint.labels)
    used = getattr(reply, "usage", None)
    prompt, completion = _tokens(used, "prompt_tokens"), _tokens(used, "completion_tokens")
    dollars = endpoint.price.of(prompt, completion) if prompt is not None and completion is not None else most
    return Answer(said, logp, prompt or 0, completion or 0, seconds, dollars)


def _content(choice: Any) -> str | None:
    """Return the text of a reply, or None if it is neither a text nor a list of parts."""
    content = getattr(getattr(choice, "message", None), "content", None)
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else None for part in content]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else None


def _tokens(used: Any, name: str) -> int | None:
    count = getattr(used, name, None)
    return count if type(count) is int and 0 <= count <= MAX_TOKENS else None


def _first_tokens(choice: Any) -> list[tuple[str, float]] | None:
    """Return the most likely first non-blank tokens with their log-probabilities, or None if any is malformed."""
    content = getattr(getattr(choice, "logprobs", None), "content", None)
    try:
        for position in content or []:
            if position.token.strip():
                return [(str(top.token), float(top.logprob)) for top in position.top_logprobs or [position]]
    except (AttributeError, TypeError, ValueError):
        return None
    return None


def _is_filtered(error: openai.APIStatusError) -> bool:
    """Return whether the endpoint's content filter rejects this post, which counts as an answer."""
    return isinstance(error, openai.BadRequestError) and error.code == "content_filter"


def _is_here(url: str) -> bool:
    return httpx2.URL(url).host in {"127.0.0.1", "localhost", "::1"}


def _describe_error(error: BaseException, endpoint: Endpoint, answered: int, asked: int) -> str:
    """Return the message with what happened and what to do, without any content that was sent or received."""
    if isinstance(error, UserError):  # raised by the ledger
        return str(error)
    settings = endpoint.settings
    state = f"{answered} of {asked} posts are answered and saved"
    if isinstance(error, OverBudgetError):
        spent = f"{settings.budget:g} dollars (spent: {endpoint.ledger.spent():.4f})"
        return f"api.budget: the next call might exceed {spent}. {state}; raise the budget and run again to continue"
    if isinstance(error, DearerError):
        return (
            "api.budget: a reply reports a higher cost than api.max_tokens and the price allow, so the budget cannot "
            f"be kept (spent: {endpoint.ledger.spent():.4f} dollars). {state}. Check what the endpoint charges"
        )
    times = f"in {settings.attempts} attempts" if _may_pass(error) else "another attempt would not help"
    words: dict[type[BaseException], str] = {
        openai.AuthenticationError: f"the endpoint rejects the key in {settings.key}",
        openai.PermissionDeniedError: f"the key in {settings.key} has no permission for this request",
        openai.NotFoundError: f"there is no model {settings.model!r}, or no chat completions at this address",
        openai.BadRequestError: "the endpoint refuses the request; try api.top_logprobs: 0, or another api.max_tokens",
        TimeoutError: f"no answer within {settings.timeout:g} s, {times}",
        openai.RateLimitError: f"the endpoint is busy, {times}; lower api.concurrency",
        openai.APIConnectionError: f"no connection, {times}",
        openai.APIStatusError: f"the endpoint fails, {times}",
    }
    said = next((text for kind, text in words.items() if isinstance(error, kind)), f"no readable answer, {times}")
    status = f" (status {error.status_code})" if isinstance(error, openai.APIStatusError) else ""
    return f"api: {settings.base_url}: {said}{status}. {state}; run again to continue"
