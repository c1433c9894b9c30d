"""The shipped formats as chat templates, so that they travel with a tokenizer. Each says what `prompts.pieces` says."""

from __future__ import annotations

from templates.training import alpaca

IM_START, IM_END = "<|im_start|>", "<|im_end|>"
# FastChat's for Vicuna 1.1 and later.
VICUNA_SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)

_ALPACA = r"""{%- set ns = namespace(opening=none, first=true) -%}
{%- for message in messages -%}
{%- if message['role'] == 'system' -%}
{%- set ns.opening = message['content'] + '\n\n' -%}
{%- elif message['role'] == 'user' -%}
{%- if not ns.first -%}{{ '\n\n' }}
{%- elif ns.opening is not none -%}{{ ns.opening }}
{%- elif message['input'] -%}{{ WITH_INPUT }}
{%- else -%}{{ WITHOUT_INPUT }}
{%- endif -%}
{%- set ns.first = false -%}
{{ '### Instruction:\n' + message['content'] }}
{%- if message['input'] -%}{{ '\n\n### Input:\n' + message['input'] }}{%- endif -%}
{{ '\n\n### Response:' }}
{%- else -%}{{ message['content'] + eos_token }}
{%- endif -%}
{%- endfor -%}"""
_VICUNA = r"""{%- if messages[0]['role'] == 'system' -%}{{ messages[0]['content'] + ' ' }}
{%- else -%}{{ SYSTEM + ' ' }}
{%- endif -%}
{%- for message in messages -%}
{%- if message['role'] == 'user' -%}{{ 'USER: ' + message['content'] + ' ASSISTANT:' }}
{%- elif message['role'] == 'assistant' -%}{{ ' ' + message['content'] + eos_token }}
{%- endif -%}
{%- endfor -%}"""
_CHATML = r"""{%- for message in messages -%}
{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"""


def template_of(name: str, *, adds_bos: bool) -> str:
    """Give a shipped format as a chat template.

    Args:
        name: The format.
        adds_bos: The tokenizer puts a token at the beginning of each text; a template must write it itself.
    """
    template = {"alpaca": _with_openings(_ALPACA), "vicuna": _VICUNA, "chatml": _CHATML}[name]
    return ("{{ bos_token }}" if adds_bos else "") + template.replace("SYSTEM", _quoted(VICUNA_SYSTEM))


def _with_openings(template: str) -> str:
    for name, prompt in (("WITH_INPUT", alpaca.WITH_INPUT), ("WITHOUT_INPUT", alpaca.WITHOUT_INPUT)):
        template = template.replace(f"{{{{ {name} }}}}", f"{{{{ {_quoted(prompt.partition('###')[0])} }}}}")
    return template


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return f'"{escaped}"'
