"""Build prompts in which no control token comes from a post.

The card of a released model contains the source of `control_spans` and all functions after it. They therefore use
only builtins, `Any` and a transformers tokenizer.
"""

from typing import Any

from babelgrid.posts.control_tokens import CONTROL_TOKEN


def control_ids(tokenizer: Any) -> frozenset[int]:
    """Return the ids that may not come from a post.

    These are the tokens with a named role (BOS, EOS, padding and others), every added token marked as special, and
    every other added token spelled like a control token of a chat model (DeepSeek does not mark its token for the
    user's turn). The token for unknown characters is included only if it has another role too.
    """
    added = tokenizer.added_tokens_decoder.items()
    ids = {number for number, token in added if token.special or CONTROL_TOKEN.fullmatch(token.content)}
    roles = {name: spelling for name, spelling in tokenizer.special_tokens_map.items() if isinstance(spelling, str)}
    others = {spelling for name, spelling in roles.items() if name != "unk_token"}
    unknown = set() if tokenizer.unk_token in others else {tokenizer.unk_token_id}
    return frozenset((ids | set(tokenizer.all_special_ids)) - unknown)


def control_spans(
    prompt: str, start: int, end: int, ids: list[int], offsets: list[tuple[int, int]], controls: Any, spaces: bool
) -> list[tuple[int, int]]:
    """Return the spans of control tokens that contain characters of the post, which is `prompt[start:end]`.

    spaces: whether to include tokens that take only spaces from the post. A control token of the frame may absorb
    adjacent spaces, but one that itself begins or ends with a space may be formed by the frame's last character and a
    space of the post.
    """
    spans = []
    for number, (first, last) in zip(ids, offsets, strict=True):
        if number in controls:
            token = prompt[first:last]
            begin, stop = first, last
            if token.strip() and not spaces:
                begin, stop = last - len(token.lstrip()), first + len(token.rstrip())
            shared = prompt[max(begin, start) : min(stop, end)]
            if shared.strip() or (shared and (spaces or (start <= begin and stop <= end))):
                spans.append((begin, stop))
    return spans


def open_spans(prompt: str, start: int, end: int, spans: list[tuple[int, int]], mark: str) -> str:
    """Return the post, which is `prompt[start:end]`, with `mark` after the first character of each span."""
    pieces: list[str] = []
    place = start
    for first, last in sorted(set(spans)):
        # A one-character token is replaced; if the first character belongs to the frame, the mark begins the post.
        cut = first if last - first == 1 else max(first + 1, start)
        pieces += [prompt[place:cut], mark]
        place = max(place, last if last - first == 1 else cut)
    return "".join([*pieces, prompt[place:end]])


def neutral_posts(
    posts: list[str], before: str, after: str, tokenizer: Any, controls: Any, special: bool
) -> tuple[list[str], list[list[int]], list[list[tuple[int, int]]]]:
    """Return the posts with each control token broken up (`< |eot_id|>`), and their prompts' ids and offsets.

    before, after: the text around a post. controls: the ids that may not come from a post, not even in part.
    special: whether the tokenizer adds its BOS. Raises `ValueError` if a control token cannot be broken up.
    """
    unknown = tokenizer.unk_token or ""
    if len(unknown) > 1:
        posts = [post.replace(unknown, unknown[0] + " " + unknown[1:]) for post in posts]
    posts = list(posts)
    ids: list[list[int]] = [[] for _ in posts]
    offsets: list[list[tuple[int, int]]] = [[] for _ in posts]
    waiting = list(range(len(posts)))
    plain = tokenizer(before + "word" + after, add_special_tokens=special)["input_ids"]
    frame = [number for number in plain if number in controls]
    for mark in [" ", " ", ".", ".", "."]:  # a full stop in case the tokenizer drops spaces
        if not waiting:
            return posts, ids, offsets
        prompts = [before + posts[place] + after for place in waiting]
        encoded = tokenizer(prompts, add_special_tokens=special, return_offsets_mapping=True)
        again = []
        for place, prompt, own, spans in zip(
            waiting, prompts, encoded["input_ids"], encoded["offset_mapping"], strict=True
        ):
            ids[place], offsets[place] = own, spans
            place_of_post = len(before), len(prompt) - len(after)
            found = control_spans(prompt, *place_of_post, own, spans, controls, False)
            is_same = [number for number in own if number in controls] == frame
            if found or not is_same:
                found = found or control_spans(prompt, *place_of_post, own, spans, controls, True)
                posts[place] = open_spans(prompt, *place_of_post, found, mark)
                again.append(place)
        waiting = again
    if waiting:
        raise ValueError("the tokenizer makes a control token of a post even with marks between its characters")
    return posts, ids, offsets


def shorten(posts: list[str], tokenizer: Any, controls: Any, most: int) -> list[str]:
    """Return each post with control tokens broken up, truncated after its first `most` tokens.

    Only the beginning of a long post is tokenised. It has more than twice the number of kept tokens, so the rest of
    the post cannot change them.
    """
    cut = list(posts)
    size = 16 * most
    waiting = list(range(len(posts)))
    while waiting:
        beginnings = [posts[place][:size] for place in waiting]
        opened, _, offsets = neutral_posts(beginnings, "", "", tokenizer, controls, False)
        again = []
        for place, post, spans in zip(waiting, opened, offsets, strict=True):
            cut[place] = post[: spans[most - 1][1]] if len(spans) > most else post
            if len(posts[place]) > size and len(spans) < 2 * most + 16:
                again.append(place)
        waiting, size = again, 4 * size
    return cut


def prompt_ids(
    posts: list[str], before: str, after: str, tokenizer: Any, controls: Any, special: bool, most: int
) -> list[list[int]]:
    """Return the ids of each post's prompt; only the post is truncated, after `most` tokens.

    A prompt is tokenised as one string, so any other program gets the same ids for it.
    """
    cut = shorten(posts, tokenizer, controls, most)
    return neutral_posts(cut, before, after, tokenizer, controls, special)[1]
