"""gpt-oss: text only, in the harmony format, where thoughts and answers go to channels of their own."""

from __future__ import annotations

from tandem.agent.planner.family import Family

_ANSWER = "<|channel|>final<|message|>"

# The chat template stops after the word "assistant", so the channel is ours to open. The instructions of a system text
# become harmony's "developer" turn; its "system" turn is the template's own.
GPT_OSS = Family(
    name="gpt-oss", maker="OpenAI", model_types=("gpt_oss",), sees=False,
    think=("<|channel|>analysis<|message|>", "<|end|><|start|>assistant" + _ANSWER), plain_opening=_ANSWER,
)
