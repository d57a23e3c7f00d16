"""Images made, edited and varied: what their spans say."""

from __future__ import annotations

from functools import partial
from io import BytesIO

import litellm
import pytest

from support.expected import cost_attributes
from support.images import GENERATED_IMAGE, PICTURE, PROMPT, image_reply
from support.media import (
    BOTH_STYLES,
    CANARY,
    EACH_ERROR_REPLY,
    assert_error_is_recorded,
    call_type,
    connection,
    identity,
    invoke,
)
from support.recorder import Attributes, Recorder
from support.servers.wire import Reply, WireProvider

# OpenAI's client deprecates variations of images.
pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")

COUNTED = {
    "input_tokens": 50,
    "output_tokens": 400,
    "total_tokens": 450,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
}
TOKENS: Attributes = {
    "gen_ai.usage.input_tokens": 50,
    "gen_ai.usage.output_tokens": 400,
    "gen_ai.usage.text.input_tokens": 10,
    "gen_ai.usage.image.input_tokens": 40,
    "llm.usage.prompt_tokens": 50,
    "llm.usage.completion_tokens": 400,
    "llm.usage.total_tokens": 450,
}


def named_file() -> BytesIO:
    """A picture in a file whose name says what it shows."""
    file = BytesIO(PICTURE)
    file.name = f"{CANARY}.png"
    return file


OPERATIONS: dict[str, dict[str, object]] = {
    "image_generation": {"model": "openai/gpt-image-1", "prompt": PROMPT},
    "image_edit": {"model": "openai/gpt-image-1", "prompt": PROMPT, "image": PICTURE},
    "image_variation": {"model": "openai/dall-e-2", "image": PICTURE},
}
"""What each is called with where the test does not say."""
PATHS = {
    "image_generation": "/images/generations",
    "image_edit": "/images/edits",
    "image_variation": "/images/variations",
}


@BOTH_STYLES
def test_an_image_generation_is_described_in_full(style: str, wire: WireProvider, telemetry: Recorder) -> None:
    """It says what was asked for, how many images came, what was counted and what LiteLLM prices it at."""
    wire.reply(
        "/images/generations",
        image_reply(
            GENERATED_IMAGE, GENERATED_IMAGE, usage=COUNTED, size="1024x1024", quality="high", output_format="webp"
        ),
    )
    result = invoke(
        style,
        "image_generation",
        model="openai/gpt-image-1",
        prompt=PROMPT,
        n=2,
        size="auto",
        quality="high",
        output_format="webp",
        **connection(wire),
    )
    assert type(result) is litellm.ImageResponse
    assert [image.b64_json for image in result.data or ()] == [GENERATED_IMAGE["b64_json"]] * 2
    (exchange,) = wire.ledger
    assert exchange.body["output_format"] == "webp"
    assert telemetry.attributes() == {
        **identity("image_generation", call_type(style, "image_generation"), "openai/gpt-image-1", wire),
        "gen_ai.output.type": "image",
        "gen_ai.request.choice.count": 2,
        "llm.request.content_length": len(PROMPT),
        "llm.request.resolution": "auto",
        "llm.request.quality": "high",
        "llm.request.output_format": "webp",
        "llm.response.images_count": 2,
        **TOKENS,
        **cost_attributes(result._hidden_params["response_cost"]),
    }


@BOTH_STYLES
def test_an_edit_is_described_in_full(style: str, wire: WireProvider, telemetry: Recorder) -> None:
    """It also says how many images were sent, of which a mask is none."""
    wire.reply("/images/edits", image_reply(GENERATED_IMAGE, usage=COUNTED))
    result = invoke(
        style,
        "image_edit",
        model="openai/gpt-image-1",
        prompt=PROMPT,
        image=[named_file(), PICTURE],
        mask=PICTURE,
        size="1024x1536",
        **connection(wire),
    )
    assert type(result) is litellm.ImageResponse
    (exchange,) = wire.ledger
    assert exchange.data.count(PICTURE) == 3
    assert telemetry.attributes() == {
        **identity("image_edit", call_type(style, "image_edit"), "openai/gpt-image-1", wire),
        "gen_ai.output.type": "image",
        "llm.request.content_length": len(PROMPT),
        "llm.request.images_count": 2,
        "llm.request.resolution": "1024x1536",
        "llm.response.images_count": 1,
        **TOKENS,
        **cost_attributes(result._hidden_params["response_cost"]),
    }


@BOTH_STYLES
def test_a_variation_is_described_in_full(style: str, wire: WireProvider, telemetry: Recorder) -> None:
    """Nobody counts tokens for it, and LiteLLM has no price."""
    wire.reply("/images/variations", image_reply({"url": f"http://localhost/{CANARY}"}))
    result = invoke(
        style,
        "image_variation",
        model="openai/dall-e-2",
        image=PICTURE,
        n=2,
        size="256x256",
        response_format="url",
        **connection(wire),
    )
    assert type(result) is litellm.ImageResponse
    assert len(wire.ledger) == 1
    assert telemetry.attributes() == {
        **identity("image_variation", call_type(style, "image_variation"), "openai/dall-e-2", wire),
        "gen_ai.output.type": "image",
        "gen_ai.request.choice.count": 2,
        "llm.request.images_count": 1,
        "llm.request.resolution": "256x256",
        "llm.request.response_format": "url",
        "llm.response.images_count": 1,
    }


@BOTH_STYLES
def test_images_of_azure_have_a_price_of_their_own(style: str, wire: WireProvider, telemetry: Recorder) -> None:
    """Images are sold by the piece: LiteLLM's price of them is told although nobody counted tokens."""
    wire.reply("/images/generations", image_reply({"url": f"http://localhost/{CANARY}", "revised_prompt": PROMPT}))
    result = invoke(
        style,
        "image_generation",
        model="azure/dall-e-3",
        prompt=PROMPT,
        size="1024x1024",
        quality="standard",
        api_version="2024-02-01",
        **connection(wire, version=""),
    )
    assert type(result) is litellm.ImageResponse
    (exchange,) = wire.ledger
    assert exchange.path == "/openai/deployments/dall-e-3/images/generations"
    cost = result._hidden_params["response_cost"]
    assert cost > 0
    assert telemetry.attributes() == {
        **identity("image_generation", call_type(style, "image_generation"), "azure/dall-e-3", wire),
        "gen_ai.output.type": "image",
        "llm.request.content_length": len(PROMPT),
        "llm.request.resolution": "1024x1024",
        "llm.request.quality": "standard",
        "llm.response.images_count": 1,
        **cost_attributes(cost),
    }


def test_a_style_is_told(wire: WireProvider, telemetry: Recorder) -> None:
    """Where a model has styles, the one asked for is told."""
    wire.reply("/images/generations", image_reply(GENERATED_IMAGE))
    invoke("sync", "image_generation", model="recraft/recraftv3", prompt=PROMPT, style="vector", **connection(wire))
    (exchange,) = wire.ledger
    assert telemetry.attributes()["llm.request.style"] == exchange.body["style"] == "vector"


@BOTH_STYLES
def test_images_of_google_are_described_in_full(style: str, wire: WireProvider, telemetry: Recorder) -> None:
    """Another wire format gives the same facts, as far as that provider tells them."""
    made = {"bytesBase64Encoded": GENERATED_IMAGE["b64_json"], "mimeType": "image/png"}
    wire.reply(":predict", Reply(body={"predictions": [made, made]}))
    result = invoke(
        style,
        "image_generation",
        model="gemini/imagen-4.0-generate-001",
        prompt=PROMPT,
        n=2,
        **connection(wire),
    )
    assert [image.b64_json for image in result.data] == [GENERATED_IMAGE["b64_json"]] * 2
    cost = result._hidden_params["response_cost"]
    assert len(wire.ledger) == 1
    assert telemetry.attributes() == {
        **identity("image_generation", call_type(style, "image_generation"), "gemini/imagen-4.0-generate-001", wire),
        "gen_ai.output.type": "image",
        "gen_ai.request.choice.count": 2,
        "llm.request.content_length": len(PROMPT),
        "llm.response.images_count": 2,
        **(cost_attributes(cost) if cost else {}),
    }


@pytest.mark.parametrize("operation", OPERATIONS)
@BOTH_STYLES
def test_what_the_provider_did_not_count_is_unknown(
    style: str, operation: str, wire: WireProvider, telemetry: Recorder
) -> None:
    """Where the provider sends no usage there is no number of tokens and no price of them: LiteLLM's zeros are none."""
    wire.reply(PATHS[operation], image_reply(GENERATED_IMAGE))
    result = invoke(style, operation, **OPERATIONS[operation], **connection(wire))
    assert result.usage.input_tokens == 0
    assert [name for name in telemetry.attributes() if "usage" in name or "cost" in name] == []


def test_details_that_were_not_sent_are_unknown(wire: WireProvider, telemetry: Recorder) -> None:
    """Of a usage without its details only the sums are told."""
    wire.reply("/images/generations", image_reply(GENERATED_IMAGE, usage={**COUNTED, "input_tokens_details": None}))
    invoke("sync", "image_generation", **OPERATIONS["image_generation"], **connection(wire))
    attributes = telemetry.attributes()
    assert attributes["gen_ai.usage.input_tokens"] == 50
    assert [name for name in attributes if ".text.input_tokens" in name or ".image.input_tokens" in name] == []


def test_a_prompt_in_the_wrong_place_is_not_told(wire: WireProvider, telemetry: Recorder) -> None:
    """A choice that is not one word is none of those known."""
    wire.reply("/images/generations", image_reply(GENERATED_IMAGE))
    invoke(
        "sync",
        "image_generation",
        **OPERATIONS["image_generation"],
        size=PROMPT,
        quality=PROMPT,
        **connection(wire),
    )
    attributes = telemetry.attributes()
    assert not {"llm.request.resolution", "llm.request.quality"} & attributes.keys()
    assert CANARY not in telemetry.everything()


@EACH_ERROR_REPLY
@pytest.mark.parametrize("operation", OPERATIONS)
@BOTH_STYLES
def test_a_refusal_is_told_once(
    style: str, operation: str, refusal: tuple[Reply, Attributes], wire: WireProvider, telemetry: Recorder
) -> None:
    """An error of the provider's ends the one span with its kind, and quotes nobody."""
    called = partial(invoke, style, operation, **OPERATIONS[operation], **connection(wire))
    attributes = assert_error_is_recorded(called, refusal, PATHS[operation], wire, telemetry)
    assert attributes["gen_ai.operation.name"] == operation
    assert "llm.response.images_count" not in attributes


@pytest.mark.parametrize("operation", OPERATIONS)
@BOTH_STYLES
def test_pictures_and_prompts_stay_where_they_are(
    style: str, operation: str, wire: WireProvider, telemetry: Recorder
) -> None:
    """Neither prompts nor file names, images or their URLs are in the one span, the metrics or the events."""
    wire.reply(
        PATHS[operation],
        image_reply(GENERATED_IMAGE, {"url": f"http://localhost/{CANARY}?key={CANARY}"}, usage=COUNTED),
    )
    image = {"image": named_file()} if "image" in OPERATIONS[operation] else {}
    invoke(style, operation, **{**OPERATIONS[operation], **image}, metadata={"note": CANARY}, **connection(wire))
    assert len(telemetry.spans()) == 1
    everything = telemetry.everything()
    assert CANARY not in everything
    assert str(GENERATED_IMAGE["b64_json"]) not in everything
