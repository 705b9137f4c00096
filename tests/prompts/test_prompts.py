"""Test prompts: one BOS, complete instructions, distinguishable answers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babelgrid.config.prompt import Label, Prompt
from babelgrid.errors import UserError
from babelgrid.prompts.answers import distinguishing_paths, label_paths
from babelgrid.prompts.template import Frame, encode_prompts, frame_of
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.runtime.files import read_json

CHAT = "{{ bos_token }}{% for m in messages %}<|user|>{{ m['content'] }}\n{% endfor %}<|assistant|>"


@pytest.fixture(scope="module")
def tokenizer(random_base):
    return load_tokenizer(read_json(random_base())["folder"])


def encode(prompt, text, tokenizer):
    return encode_prompts(frame_of(prompt, "en", tokenizer), [text], tokenizer, prompt.max_post_tokens)[0]


def test_plain_prompt_equals_tokenised_string(tokenizer):
    prompt = Prompt(template="Post: {text}\nAnswer:")
    assert encode(prompt, "new families", tokenizer) == tokenizer("Post: new families\nAnswer:")["input_ids"]


def test_chat_prompt_has_one_bos_and_ends_at_assistant(tokenizer):
    tokenizer.chat_template = CHAT
    ids = encode(Prompt(template="Post: {text}", chat_template=True), "new families", tokenizer)
    tokenizer.chat_template = None
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(ids).endswith("<|user|>Post: new families\n<|assistant|>")


def test_base_without_chat_template_is_an_error(tokenizer):
    with pytest.raises(UserError, match="no chat template"):
        frame_of(Prompt(chat_template=True), "en", tokenizer)


CHATML = (
    "{% for m in messages %}{% if loop.first %}<|begin|>system\nYou help.<|end|>\n{% endif %}"
    "<|begin|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}<|begin|>assistant\n"
)


@pytest.fixture
def chat(tokenizer):
    """Return a function that sets the tokenizer's chat template during a test and returns the resulting frame."""

    def frame(template, prompt="Post: {text}\nA:"):
        tokenizer.chat_template = template
        return frame_of(Prompt(template=prompt, chat_template=True), "en", tokenizer)

    yield frame
    tokenizer.chat_template = None


def test_chat_template_may_begin_each_turn_with_bos(chat, tokenizer):
    frame = chat(CHATML)
    ids = encode_prompts(frame, ["new families <|begin|>system"], tokenizer, 64)[0]
    assert ids.count(tokenizer.bos_token_id) == 3
    assert ids[0] == tokenizer.bos_token_id
    assert ids.count(tokenizer.eos_token_id) == 2


def test_chat_template_may_write_bos_before_a_turn_that_begins_with_it(chat, tokenizer):
    frame = chat("{{ bos_token }}" + CHATML)
    message = [{"role": "user", "content": "Post: new families\nA:"}]
    own = tokenizer.apply_chat_template(message, add_generation_prompt=True)["input_ids"]
    ids = encode_prompts(frame, ["new families"], tokenizer, 64)[0]
    assert ids == own
    assert ids[:2] == [tokenizer.bos_token_id] * 2


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ raise_exception('Roles must\n alternate') }}", "Roles must alternate"),
        ("{{ messages[1]['content'] }}", "has no element 1"),
        ("{% if messages", "unexpected|expected"),
        ("{{ 1 / 0 }}", "division by zero"),
        ({"tool_use": CHAT}, "no default"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
    ],
)
def test_failing_chat_template_is_a_user_error(chat, template, said):
    with pytest.raises(UserError, match=rf"prompt\.chat_template: .* \(.*({said}).*\)\. Set it to false"):
        chat(template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[0].content | upper }}",
        "{{ messages[0].content }}{{ messages[0].content }}",
        "{{ messages[0].content | e }}",
        "{{ messages | tojson }}",
        "{{ messages[0].content[:2000] }}",
        "{{ messages[0].content | replace('@', '') }}",
        "{{ 'long' if messages[0].content | length > 99 }}{{ messages[0].content }}",
        "{{ range(10**6) | random }}{{ messages[0].content }}",
        "",
    ],
)
def test_chat_template_that_changes_post_is_refused(chat, template):
    with pytest.raises(UserError, match=r"prompt\.chat_template"):
        chat(template or "{{ bos_token }}")


def test_chat_template_that_trims_message_is_accepted(chat):
    assert chat("<{{ messages[0].content | trim }}>", " {text}\n") == Frame("<", ">", add_special_tokens=False)


def test_chat_template_writes_fixed_date(chat):
    frame = chat("{{ strftime_now('%Y-%m-%d, %d %b %Y, %B %-d') }}; {{ date_string }}: {{ messages[0].content }}")
    assert frame.before == "2024-07-26, 26 Jul 2024, July 26; 26 Jul 2024: Post: "


def test_template_may_end_with_end_token(tokenizer):
    ids = encode(Prompt(template="{text} <|end|>"), "x <|end|>", tokenizer)
    assert ids.count(tokenizer.eos_token_id) == 1


def test_bos_in_template_is_refused(tokenizer):
    with pytest.raises(UserError, match="two BOS"):
        encode(Prompt(template="<|begin|>{text}\n="), "x", tokenizer)


def test_long_post_is_truncated_but_not_instruction(tokenizer):
    prompt = Prompt(template="Post: {text}\nAnswer:", max_post_tokens=3)
    ids = encode(prompt, "everyone is welcome here at the border this morning", tokenizer)
    assert tokenizer.decode(ids).endswith("\nAnswer:")
    assert len(ids) <= len(tokenizer("Post: \nAnswer:")["input_ids"]) + 3


@settings(max_examples=50)
@given(text=st.text(max_size=40), token=st.sampled_from(["<|begin|>", "<|end|>", "<|pad|>"]))
def test_post_cannot_write_control_tokens(tokenizer, text, token):
    ids = encode(Prompt(template="Post: {text}\n="), f"{text}{token}{text}", tokenizer)
    assert ids.count(tokenizer.bos_token_id) == 1
    assert tokenizer.eos_token_id not in ids
    assert tokenizer.pad_token_id not in ids


def test_native_template_is_chosen_by_language(tokenizer):
    prompt = Prompt(template={"en": "{text} Answer:", "hu": "{text} Válasz:"}, language="native")
    assert frame_of(prompt, "hu", tokenizer).after == " Válasz:"
    assert frame_of(prompt.model_copy(update={"language": "en"}), "hu", tokenizer).after == " Answer:"


def test_label_path_ends_at_first_distinguishing_token():
    answers = {"a": (5, 6, 7), "b": (5, 8), "c": (9, 9)}
    assert distinguishing_paths(answers, end=1) == {"a": (5, 6), "b": (5, 8), "c": (9,)}


def test_answer_that_is_prefix_is_ended_by_end_token():
    assert distinguishing_paths({"1": (5,), "10": (5, 6), "2": (7,)}, end=1) == {"1": (5, 1), "10": (5, 6), "2": (7,)}


def test_labels_with_same_tokens_are_refused():
    with pytest.raises(UserError, match="same answer tokens"):
        distinguishing_paths({"a": (5,), "b": (5,)}, end=1)


@given(
    st.dictionaries(
        st.sampled_from("abcdef"), st.lists(st.integers(2, 4), min_size=1, max_size=4).map(tuple), min_size=2
    )
)
def test_no_path_is_prefix_of_another(answers):
    if len(set(answers.values())) < len(answers):
        return
    paths = distinguishing_paths(answers, end=1)
    for label, path in paths.items():
        for other, its_path in paths.items():
            assert label == other or its_path[: len(path)] != path


def test_answer_that_merges_with_prompt_is_refused(tokenizer):
    labels = {"a": Label(answer="swer"), "b": Label(answer=" b")}
    with pytest.raises(UserError, match="merges with the end of the prompt"):
        label_paths(Prompt(template="{text} An"), labels, "en", tokenizer)


def test_study_answers_are_one_token_each_with_llama_3(shared_file):
    from transformers import PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import TikTokenConverter

    path = shared_file("models/llama3-tokenizer/tokenizer.model")
    converted = TikTokenConverter(
        vocab_file=str(path), extra_special_tokens=["<|begin_of_text|>", "<|eot_id|>"]
    ).converted()
    llama = PreTrainedTokenizerFast(tokenizer_object=converted, bos_token="<|begin_of_text|>", eos_token="<|eot_id|>")
    labels = {number: Label(answer=number) for number in ("1", "2", "3", "4")}
    paths = label_paths(Prompt(template="{text}\nAnswer:\n"), labels, "en", llama)
    assert [llama.decode(list(path)) for path in paths.values()] == ["1", "2", "3", "4"]
    assert {len(path) for path in paths.values()} == {1}
