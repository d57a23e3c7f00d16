"""Texts spoken and sound transcribed: what their spans say."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import SpooledTemporaryFile

import litellm
import pytest
from litellm.types.llms.openai import HttpxBinaryResponseContent
from litellm.types.utils import TranscriptionResponse

from agentops_otel_litellm import readers
from support.expected import cost_attributes, cost_shares
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

TEXT = f"A {CANARY} sings."
SOUND = b"ID3" + CANARY.encode() * 40
SPOKEN = Reply(body=SOUND, headers={"content-type": "audio/mpeg"})
RECORDING = b"RIFF" + CANARY.encode()
FILE = (f"{CANARY}.wav", RECORDING)

OPERATIONS: dict[str, dict[str, object]] = {
    "speech": {"model": "openai/tts-1", "input": TEXT, "voice": "alloy"},
    "transcription": {"model": "openai/whisper-1", "file": FILE},
}
PATHS = {"speech": "/audio/speech", "transcription": "/audio/transcriptions"}
REPLIES = {"speech": SPOKEN, "transcription": Reply(body={"text": TEXT})}


@BOTH_STYLES
def test_a_speech_is_described_in_full(style: str, wire: WireProvider, telemetry: Recorder) -> None:
    """It says how much was to be spoken and how, how much sound came, and what its characters cost."""
    wire.reply("/audio/speech", SPOKEN)
    result = invoke(
        style,
        "speech",
        model="openai/tts-1",
        input=TEXT,
        voice="alloy",
        response_format="mp3",
        speed=1.25,
        instructions=f"Like a {CANARY}.",
        **connection(wire),
    )
    assert type(result) is HttpxBinaryResponseContent
    assert b"".join(result.iter_bytes()) == SOUND
    assert len(wire.ledger) == 1
    cost = result._hidden_params["response_cost"]
    assert cost > 0
    assert telemetry.attributes() == {
        **identity("speech", call_type(style, "speech"), "openai/tts-1", wire),
        "gen_ai.output.type": "speech",
        "llm.request.content_length": len(TEXT),
        "llm.request.voice": "alloy",
        "llm.request.response_format": "mp3",
        "llm.request.speed": 1.25,
        "llm.response.size": len(SOUND),
        **cost_attributes(cost),
    }


@pytest.mark.parametrize(
    ("model", "path", "asked"),
    [
        (
            "azure/tts-1",
            "/openai/deployments/tts-1/audio/speech",
            {"api_version": "2024-02-01"},
        ),
        ("elevenlabs/eleven_multilingual_v2", "/v1/text-to-speech/21m00Tcm4TlvDq8ikWAM", {}),
    ],
)
@BOTH_STYLES
def test_speech_of_other_providers(  # noqa: PLR0913, PLR0917 - fixtures and parameters
    style: str, model: str, path: str, asked: dict[str, object], wire: WireProvider, telemetry: Recorder
) -> None:
    """Other providers' speech gives the same facts."""
    wire.reply(path, SPOKEN)
    result = invoke(style, "speech", model=model, input=TEXT, voice="alloy", **asked, **connection(wire, version=""))
    assert type(result) is HttpxBinaryResponseContent
    assert result.content == SOUND
    (exchange,) = wire.ledger
    assert exchange.path == path
    cost = result._hidden_params["response_cost"]
    assert telemetry.attributes() == {
        **identity("speech", call_type(style, "speech"), model, wire),
        "gen_ai.output.type": "speech",
        "llm.request.content_length": len(TEXT),
        "llm.request.voice": "alloy",
        "llm.response.size": len(SOUND),
        **(cost_attributes(cost) if cost else {}),
    }


def test_an_estimate_is_no_price(wire: WireProvider, telemetry: Recorder) -> None:
    """Speech that is sold by tokens, which the provider does not count, has no price: LiteLLM's is of its own count."""
    wire.reply("/audio/speech", SPOKEN)
    result = invoke("sync", "speech", model="openai/gpt-4o-mini-tts", input=TEXT, voice="alloy", **connection(wire))
    assert result._hidden_params["response_cost"] > 0
    assert [name for name in telemetry.attributes() if "usage" in name or "cost" in name] == []


def test_a_voice_of_several_words_is_not_told(wire: WireProvider, telemetry: Recorder) -> None:
    """A voice that is described instead of named is content."""
    wire.reply("/audio/speech", SPOKEN)
    invoke("sync", "speech", model="openai/tts-1", input=TEXT, voice=f"like a {CANARY}", **connection(wire))
    assert "llm.request.voice" not in telemetry.attributes()


@BOTH_STYLES
def test_a_transcription_is_described_in_full(style: str, wire: WireProvider, telemetry: Recorder) -> None:
    """It says how much sound was sent, how long it lasts, and how much text, of which parts, came of it."""
    wire.reply(
        "/audio/transcriptions",
        Reply(
            body={
                "task": "transcribe",
                "language": "english",
                "duration": 3.5,
                "text": TEXT,
                "words": [{"word": word, "start": 0.0, "end": 1.0} for word in TEXT.split()],
                "segments": [{"id": 0, "start": 0.0, "end": 3.5, "text": TEXT}],
                "usage": {"type": "duration", "seconds": 4},
            }
        ),
    )
    result = invoke(
        style,
        "transcription",
        model="openai/whisper-1",
        file=FILE,
        prompt=TEXT,
        language="en",
        temperature=0,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        **connection(wire),
    )
    assert type(result) is TranscriptionResponse
    assert result.text == TEXT
    (exchange,) = wire.ledger
    assert RECORDING in exchange.data
    cost = result._hidden_params["response_cost"]
    assert cost > 0
    assert telemetry.attributes() == {
        **identity("transcription", call_type(style, "transcription"), "openai/whisper-1", wire),
        "gen_ai.request.temperature": 0.0,
        "llm.request.temperature": 0.0,
        "llm.request.content_length": len(TEXT),
        "llm.request.file_size": len(RECORDING),
        "llm.request.language": "en",
        "llm.request.response_format": "verbose_json",
        "llm.response.content_length": len(TEXT),
        "llm.response.media_duration": 3.5,
        "llm.response.language": "english",
        "llm.response.words_count": 3,
        "llm.response.segments_count": 1,
        "llm.usage.audio_seconds": 4.0,
        **cost_attributes(cost),
    }


@BOTH_STYLES
def test_tokens_of_sound_are_told(style: str, wire: WireProvider, telemetry: Recorder) -> None:
    """Where the provider counts tokens it has those of sound and of text, and the price of them."""
    usage = {
        "type": "tokens",
        "input_tokens": 14,
        "input_token_details": {"audio_tokens": 12, "text_tokens": 2},
        "output_tokens": 45,
        "total_tokens": 59,
    }
    wire.reply("/audio/transcriptions", Reply(body={"text": TEXT, "usage": usage}))
    rates = litellm.model_cost["gpt-4o-transcribe"]
    result = invoke(style, "transcription", model="openai/gpt-4o-transcribe", file=FILE, **connection(wire))
    assert len(wire.ledger) == 1
    assert telemetry.attributes() == {
        **identity("transcription", call_type(style, "transcription"), "openai/gpt-4o-transcribe", wire),
        "llm.request.file_size": len(RECORDING),
        "llm.response.content_length": len(TEXT),
        "gen_ai.usage.input_tokens": 14,
        "gen_ai.usage.output_tokens": 45,
        "gen_ai.usage.text.input_tokens": 2,
        "gen_ai.usage.audio.input_tokens": 12,
        "llm.usage.prompt_tokens": 14,
        "llm.usage.completion_tokens": 45,
        "llm.usage.total_tokens": 59,
        **cost_attributes(result._hidden_params["response_cost"]),
        **cost_shares(
            input=2 * rates["input_cost_per_token"] + 12 * rates["input_cost_per_audio_token"],
            output=45 * rates["output_cost_per_token"],
        ),
    }


@BOTH_STYLES
def test_a_provider_with_a_wire_format_of_its_own(style: str, wire: WireProvider, telemetry: Recorder) -> None:
    """Deepgram tells how long the sound lasts, which LiteLLM prices, and not the language, which LiteLLM makes up."""
    wire.reply(
        "/listen",
        Reply(
            body={
                "metadata": {"request_id": "r1", "duration": 3.5},
                "results": {"channels": [{"alternatives": [{"transcript": TEXT, "confidence": 0.9, "words": []}]}]},
            }
        ),
    )
    result = invoke(style, "transcription", model="deepgram/nova-2", file=FILE, **connection(wire))
    assert (result.text, result.language) == (TEXT, "en")
    cost = result._hidden_params["response_cost"]
    assert cost > 0
    assert len(wire.ledger) == 1
    attributes = telemetry.attributes()
    assert attributes == {
        **identity("transcription", call_type(style, "transcription"), "deepgram/nova-2", wire),
        "llm.request.file_size": len(RECORDING),
        "llm.response.content_length": len(TEXT),
        "llm.response.media_duration": 3.5,
        "llm.response.words_count": 0,
        **cost_attributes(cost),
    }


@BOTH_STYLES
def test_a_server_of_the_apps_own(style: str, wire: WireProvider, telemetry: Recorder) -> None:
    """A server that speaks as OpenAI's does tells of its text, and neither usage nor price is made up."""
    wire.reply("/audio/transcriptions", Reply(body={"text": TEXT}))
    result = invoke(
        style, "transcription", model="hosted_vllm/whisper", file=FILE, response_format="json", **connection(wire)
    )
    assert result.text == TEXT
    assert telemetry.attributes() == {
        **identity("transcription", call_type(style, "transcription"), "hosted_vllm/whisper", wire),
        "llm.request.file_size": len(RECORDING),
        "llm.request.response_format": "json",
        "llm.response.content_length": len(TEXT),
    }


@pytest.mark.parametrize("response_format", ["text", "srt", "vtt"])
def test_a_transcript_that_is_no_json(response_format: str, wire: WireProvider, telemetry: Recorder) -> None:
    """Of a plain text its characters are told."""
    wire.reply("/audio/transcriptions", Reply(body=TEXT.encode(), headers={"content-type": "text/plain"}))
    invoke(
        "sync",
        "transcription",
        model="openai/whisper-1",
        file=FILE,
        response_format=response_format,
        **connection(wire),
    )
    attributes = telemetry.attributes()
    assert attributes["llm.response.content_length"] == len(TEXT)
    assert attributes["llm.request.response_format"] == response_format


def test_the_size_of_a_file_is_told_where_it_need_not_be_sought(tmp_path: Path) -> None:
    """Bytes, tuples, files in memory and open files have a size. What is only a path, goes to the disk when asked, or
    is no file of the disk's has none, and stays as it is.
    """
    path = tmp_path / f"{CANARY}.wav"
    path.write_bytes(RECORDING)
    in_memory = BytesIO(RECORDING)
    in_memory.seek(3)

    class Reader:
        def read(self) -> bytes:
            raise AssertionError("it was read")

    def size(file: object) -> int | None:
        return readers.API_FORMATS["transcription"].request({"file": file}).file_size

    with path.open("rb") as opened:
        known = [RECORDING, bytearray(RECORDING), FILE, (*FILE, "audio/wav"), in_memory, opened, ("a", opened)]
        assert [size(file) for file in known] == [len(RECORDING)] * len(known)
        assert opened.tell() == 0
    assert in_memory.tell() == 3
    with SpooledTemporaryFile() as spooled, Path("/dev/null").open("rb") as device:
        spooled.write(RECORDING)
        unknown = [None, "a string", Reader(), path, opened, ("a",), 5, spooled, device]
        assert [size(file) for file in unknown] == [None] * len(unknown)
        assert spooled._rolled is False  # type: ignore[attr-defined]  # nobody else knows


@EACH_ERROR_REPLY
@pytest.mark.parametrize("operation", OPERATIONS)
@BOTH_STYLES
def test_a_refusal_is_told_once(
    style: str, operation: str, refusal: tuple[Reply, Attributes], wire: WireProvider, telemetry: Recorder
) -> None:
    """An error of the provider's ends the one span with its kind, and quotes nobody."""
    called = partial(invoke, style, operation, **OPERATIONS[operation], **connection(wire))
    assert_error_is_recorded(called, refusal, PATHS[operation], wire, telemetry)


@pytest.mark.parametrize("operation", OPERATIONS)
@BOTH_STYLES
def test_sound_and_texts_stay_where_they_are(
    style: str, operation: str, wire: WireProvider, telemetry: Recorder
) -> None:
    """Neither what is spoken nor files and their names are in the one span, the metrics or the events."""
    wire.reply(PATHS[operation], REPLIES[operation])
    invoke(style, operation, **OPERATIONS[operation], metadata={"note": CANARY}, **connection(wire))
    assert len(telemetry.spans()) == 1
    assert CANARY not in telemetry.everything()
