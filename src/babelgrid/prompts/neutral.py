"""Prompts in which no control token comes from a post.

The card of a released model holds the source of `control_spans` and of all that follows it, which therefore uses
nothing but builtins, `Any` and a tokenizer of transformers.
"""

from typing import Any

from babelgrid.posts.control_tokens import CONTROL_TOKEN


def control_ids(tokenizer: Any) -> frozenset[int]:
    """Return the ids that may not come from a post.

    They are the named roles (BOS, EOS, padding and others), every added token that is marked as special, and every
    other added token that is spelled as chat models spell control tokens (DeepSeek does not mark its token for the
    user's turn). The token for unknown characters is one of them only where it has another role too.
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
    """Return where in a prompt a control token holds characters of the post, which is `prompt[start:end]`.

    spaces: whether spaces alone count. A control token of the frame may take those beside it, but one that itself
    begins or ends with a space may be made of the frame's last character and a space of the post.
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
    """Return the post, which is `prompt[start:end]`, with `mark` behind the first character of each span."""
    pieces: list[str] = []
    place = start
    for first, last in sorted(set(spans)):
        # A token of one character is replaced; where the first character is the frame's, the mark begins the post.
        cut = first if last - first == 1 else max(first + 1, start)
        pieces += [prompt[place:cut], mark]
        place = max(place, last if last - first == 1 else cut)
    return "".join([*pieces, prompt[place:end]])


def neutral_posts(
    posts: list[str], before: str, after: str, tokenizer: Any, controls: Any, special: bool
) -> tuple[list[str], list[list[int]], list[list[tuple[int, int]]]]:
    """Return the posts with each control token in them opened (`< |eot_id|>`), and their prompts' ids and offsets.

    before, after: the words around a post. controls: the ids that may not come from a post, not even in part.
    special: whether the tokenizer adds its BOS. Raises `ValueError` where a control token cannot be opened.
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
    for mark in [" ", " ", ".", ".", "."]:  # a full stop where the tokenizer drops spaces
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
        raise ValueError("the tokenizer makes a control token of a post whatever stands between its characters")
    return posts, ids, offsets


def shorten(posts: list[str], tokenizer: Any, controls: Any, most: int) -> list[str]:
    """Return each post, control tokens opened, cut after its first `most` tokens.

    Only the beginning of a long post is tokenised: as much as has more than twice the tokens that are kept, so that
    what follows cannot change them.
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
    """Return the ids of each post's prompt; a post is cut after `most` tokens, what stands around it never is.

    A prompt is tokenised as one string, so the ids are those that any other program gets for it.
    """
    cut = shorten(posts, tokenizer, controls, most)
    return neutral_posts(cut, before, after, tokenizer, controls, special)[1]
