"""Tests/JinjaTests/Fixtures/templates.json: what Python's jinja2 makes of chat templates, as `transformers` sets it up.

    pip install jinja2==3.1.6
    python make_jinja_fixtures.py Tests/JinjaTests/Fixtures

The templates are written here from each model's documented prompt format; none is a copy of a published file. `syntax` are
small templates, one for each construct. `generations` are the byte ranges of {% generation %} blocks. A case without `text`
is one that jinja2 refuses.
"""
import datetime
import json
import pathlib
import sys

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2026, 3, 9, 12, 0, 0)
SYSTEM = {"role": "system", "content": "You are brief.  "}
TALK = [{"role": "user", "content": " Hi <b>\"x\"</b> é 日本 "}, {"role": "assistant", "content": "Hello!\n"}, {"role": "user", "content": "Bye"}]
PICTURE = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is this?"}]},
           {"role": "assistant", "content": [{"type": "text", "text": "A dog."}]},
           {"role": "user", "content": [{"type": "text", "text": "And"}, {"type": "image"}, {"type": "text", "text": "this?"}]}]
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "The \"weather\" at a place", "parameters": {
    "type": "object", "properties": {"place": {"type": "string"}, "days": {"type": "integer", "enum": [1, 2.5]}}, "required": ["place"]}}}]
CALL = [{"role": "user", "content": "Weather in Bern?"},
        {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": {"place": "Bern", "days": 2}}}]},
        {"role": "tool", "name": "weather", "content": "{\"sky\": \"blue\"}"}, {"role": "assistant", "content": "<think>\nblue sky\n</think>\n\nBlue."},
        {"role": "user", "content": "Thanks"}]

CHATML = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}{% if message.role == 'assistant' %}{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\\n' }}{% else %}{{ message['content'] + '<|im_end|>\\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
TEMPLATES = {
    "chatml": CHATML,
    "smollm2": "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou are a helpful AI assistant<|im_end|>\\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    "llama-2": """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}
{%- for message in loop_messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Roles must alternate user/assistant/...') }}
    {%- endif %}
    {%- if loop.index0 == 0 and system_message != false %}
        {%- set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}
    {%- else %}
        {%- set content = message['content'] %}
    {%- endif %}
    {%- if message['role'] == 'user' %}
        {{- bos_token + '[INST] ' + content.strip() + ' [/INST]' }}
    {%- elif message['role'] == 'assistant' %}
        {{- ' ' + content.strip() + ' ' + eos_token }}
    {%- endif %}
{%- endfor %}""",
    "llama-3": "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
    "llama-3.2": """{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}{%- set tools = none %}{%- endif %}

{#- the system turn, if any, is taken out #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content'] if messages[0]['content'] is string else messages[0]['content'][0]['text'] %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none %}
    {{- "You have access to the following functions.\\n\\n" }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message | trim }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
        {%- if message['content'] is string %}
            {{- message['content'] | trim }}
        {%- else %}
            {%- for content in message['content'] %}
                {%- if content['type'] == 'image' %}{{- '<|image|>' }}{%- elif content['type'] == 'text' %}{{- content['text'] | trim }}{%- endif %}
            {%- endfor %}
        {%- endif %}
        {{- '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}{{- raise_exception("This model only supports single tool-calls at once!") }}{%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
        {{- '{"name": "' + tool_call.name + '", ' }}{{- '"parameters": ' }}{{- tool_call.arguments | tojson }}{{- "}" }}
        {{- "<|eot_id|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}{{- message.content | tojson }}{%- else %}{{- message.content }}{%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
    "qwen2.5": """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0]['role'] == 'system' %}{{- messages[0]['content'] }}{%- else %}{{- 'You are Qwen, created by Alibaba Cloud. You are a helpful assistant.' }}{%- endif %}
    {{- "\\n\\n# Tools\\n\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}{{- '\\n' + message.content }}{%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}{%- set tool_call = tool_call.function %}{%- endif %}
            {{- '\\n<tool_call>\\n{"name": "' }}{{- tool_call.name }}{{- '", "arguments": ' }}{{- tool_call.arguments | tojson }}{{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\\n<tool_response>\\n' }}{{- message.content }}{{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}{{- '<|im_end|>\\n' }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
""",
    "qwen3": """{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}{%- set content = message.content %}{%- else %}{%- set content = '' %}{%- endif %}
    {%- if message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index and (loop.last or (not loop.last and reasoning_content)) %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}""",
    "smolvlm": "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}",
    "mistral": """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}{{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}{%- else %}{{- "[INST] " + message["content"] + "[/INST]" }}{%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"] + eos_token }}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported, with the exception of an initial optional system message!") }}
    {%- endif %}
{%- endfor %}
""",
    "gemma": "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\\n'}}{% endif %}",
    "gemma-3": """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- set first_user_prefix = messages[0]['content'] + '\\n\\n' -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- set role = "model" if message['role'] == 'assistant' else message['role'] -%}
    {{ '<start_of_turn>' + role + '\\n' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}{{ '<start_of_image>' }}{%- elif item['type'] == 'text' -%}{{ item['text'] | trim }}{%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{'<start_of_turn>model\\n'}}{%- endif -%}
""",
    "phi-3": "{% for message in messages %}{% if message['role'] == 'system' and message['content'] %}{{'<|system|>\\n' + message['content'] + '<|end|>\\n'}}{% elif message['role'] == 'user' %}{{'<|user|>\\n' + message['content'] + '<|end|>\\n'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>\\n' + message['content'] + '<|end|>\\n'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}",
    "phi-4": "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '<|im_sep|>' ~ m.content ~ '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}",
    "zephyr": "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n{{ '<|system|>\\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\\n'  + message['content'] + eos_token }}\n{% endif %}\n{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}",
    "vicuna": "{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] }}{% set messages = messages[1:] %}{% else %}A chat between a curious user and an artificial intelligence assistant.{% endif %} {% for m in messages %}{% if m['role'] == 'user' %}USER: {{ m['content'] }} {% else %}ASSISTANT: {{ m['content'] }}</s>{% endif %}{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}",
    "llava-1.5": "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}{# Render all images first #}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\\n' }}{% endfor %}{# Render all text next #}{% if message['role'] != 'assistant' %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' '}}{% endfor %}{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}",
    "deepseek": "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(is_first=false, system_prompt='') %}{%- for message in messages %}{%- if message['role'] == 'system' %}{% set ns.system_prompt = message['content'] %}{%- endif %}{%- endfor %}{{bos_token}}{{ns.system_prompt}}{%- for message in messages %}{%- if message['role'] == 'user' %}{{'<|User|>' + message['content']}}{%- endif %}{%- if message['role'] == 'assistant' and message['content'] is not none %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{'<|Assistant|>' + content + eos_token}}{%- endif %}{%- endfor %}{% if add_generation_prompt %}{{'<|Assistant|>'}}{% endif %}",
    "granite": "{%- if messages[0]['role'] == 'system' %}{%- set system_message = messages[0]['content'] %}{%- set loop_messages = messages[1:] %}{%- else %}{%- set system_message = \"Knowledge Cutoff Date: April 2024.\\nToday's Date: \" + strftime_now('%B %d, %Y') + '.' %}{%- set loop_messages = messages %}{%- endif %}{{- '<|start_of_role|>system<|end_of_role|>' + system_message + '<|end_of_text|>\\n' }}{%- for message in loop_messages %}{{- '<|start_of_role|>' + message['role'] + '<|end_of_role|>' + message['content'] + '<|end_of_text|>\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|start_of_role|>assistant<|end_of_role|>' }}{%- endif %}",
    "command-r": "{{ bos_token }}{% macro turn(role, text) %}<|START_OF_TURN_TOKEN|>{{ {'user': '<|USER_TOKEN|>', 'assistant': '<|CHATBOT_TOKEN|>', 'system': '<|SYSTEM_TOKEN|>', 'tool': '<|SYSTEM_TOKEN|>'}[role] }}{{ text | trim }}<|END_OF_TURN_TOKEN|>{% endmacro %}{% for m in messages %}{{ turn(m.role, m.content) }}{% endfor %}{% if add_generation_prompt %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}",
    "falcon": "{% for message in messages %}{% if not loop.first %}{{ '\\n' }}{% endif %}{% if message['role'] == 'system' %}{{ 'System: ' }}{% elif message['role'] == 'user' %}{{ 'User: ' }}{% elif message['role'] == 'assistant' %}{{ 'Falcon: ' }}{% endif %}{{ message['content'].replace('\\r\\n', '\\n').replace('\\n\\n', '\\n') | trim }}{% endfor %}{% if add_generation_prompt %}{{ '\\nFalcon:' }}{% endif %}",
    "olmo": "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}{{ '<|system|>\n' + message['content'] + '\n' }}{% elif message['role'] == 'user' %}{{ '<|user|>\n' + message['content'] + '\n' }}{% elif message['role'] == 'assistant' %}{% if not loop.last %}{{ '<|assistant|>\n'  + message['content'] + eos_token + '\n' }}{% else %}{{ '<|assistant|>\n'  + message['content'] + eos_token }}{% endif %}{% endif %}{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}{% endfor %}",
    "hermes-tools": """{%- macro json_to_python_type(json_spec) %}
{%- set basic_type_map = {"string": "str", "number": "float", "integer": "int", "boolean": "bool"} %}
{%- if basic_type_map[json_spec.type] is defined %}
    {{- basic_type_map[json_spec.type] }}
{%- elif json_spec.type == "array" %}
    {{- "list[" + json_to_python_type(json_spec|items) + "]" }}
{%- else %}
    {{- "Any" }}
{%- endif %}
{%- endmacro %}
{{- bos_token }}
{%- for tool in tools or [] %}
    {%- if tool.function is defined %}{%- set tool = tool.function %}{%- endif %}
    {{- tool.name + "(" }}
    {%- for param_name, param_fields in tool.parameters.properties|items %}
        {{- param_name + ": " + json_to_python_type(param_fields) }}
        {%- if not loop.last %}{{- ", " }}{%- endif %}
    {%- endfor %}
    {{- ") # " + tool.description + "\\n" }}
{%- endfor %}
{%- for message in messages %}
    {{- "<|" ~ message.role ~ "|>" }}
    {%- if message.tool_calls is defined %}
        {%- for call in message.tool_calls %}{{- call.function.name ~ ":" ~ call.function.arguments | tojson(sort_keys=true) }}{%- endfor %}
    {%- endif %}
    {{- message.content }}
{%- endfor %}""",
}
SYNTAX = [
    "{{ 1 + 2 * 3 ** 2 // 4 % 5 - 7 / 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7.5 // 2 }} {{ 2 ** 3 }} {{ 1e3 if false else 10 / 5 }}",
    "{{ 'a' ~ 1 ~ none ~ true ~ 1.5 ~ [1, 'b'] ~ {'k': 'v'} }}", "{{ [1,2,3][-1] }}{{ [1,2,3][5] }}{{ 'héllo'[1:3] }}{{ 'abc'[::-1] }}{{ [1,2,3,4,5][1:-1:2] }}",
    "{% for i in range(3) %}{{ loop.index }}/{{ loop.length }}{{ loop.revindex }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }};{% else %}none{% endfor %}",
    "{% for i in [] %}x{% else %}none{% endfor %}", "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }},{% endfor %}",
    "{% for i in range(10) if i is odd %}{% if i == 7 %}{% break %}{% endif %}{% if i == 3 %}{% continue %}{% endif %}{{ i }}{{ loop.index }} {% endfor %}",
    "{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}{% if true %}{% set x = 3 %}{% endif %}{{ x }}",
    "{% set ns = namespace(a=1, b=[]) %}{% for i in [1,2] %}{% set ns.a = ns.a + i %}{% set ns.b = ns.b + [i] %}{% endfor %}{{ ns.a }}{{ ns.b }}",
    "{% set a, b = 1, 'x' %}{{ a }}{{ b }}{% set c %}  block {{ a }}  {% endset %}[{{ c }}]{% set d | upper %}up{% endset %}{{ d }}",
    "{% macro m(a, b='d', c=none) %}{{ a }}-{{ b }}-{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, c=3) }} {{ m(b=2, a=5) }}",
    "{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}", "{% macro w() %}<{{ caller() }}>{% endmacro %}{% call w() %}in{% endcall %}",
    "{% filter upper | trim %}  abc {% endfilter %}", "  {% if true %}\n  yes\n  {% endif %}\n end\n", "a\n   {%- if true -%}  \n b {% endif %}\n\nc", "x {#- comment -#} y {# c #}\nz",
    "  {%+ if true %}a{% endif +%}\nb", "{% raw %}{{ not }} {% x %}{% endraw %}!", "{{ '\\n\\t\\'\\\\' }}{{ \"a\\\"b\" 'c' }}", "{{ undefined_name }}|{{ undefined_name is defined }}|{{ (undefined_name or 'x') }}|{{ undefined_name | default('d') }}|{{ '' | default('e', true) }}",
    "{{ 'abc' is string }}{{ 1 is number }}{{ none is none }}{{ {} is mapping }}{{ [] is iterable }}{{ 'a' is iterable }}{{ 3 is divisibleby 3 }}{{ 4 is even }}{{ true is boolean }}{{ 1 is true }}{{ 2 is eq 2 }}{{ 1.0 is float }}{{ 1 is integer }}",
    "{{ 1 < 2 < 3 }}{{ 1 in [1] }}{{ 'b' in 'abc' }}{{ 'k' in {'k': 1} }}{{ 2 not in [1] }}{{ not 1 == 2 }}{{ 1 == 1.0 }}{{ 'a' < 'b' }}{{ [1] == [1] }}{{ none == false }}",
    "{{ ' a b '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'a,b,,c'.split(',') }}|{{ ' a  b '.split() }}|{{ 'a b c'.split(' ', 1) }}|{{ 'abc'.upper() }}|{{ 'a-b'.replace('-', '+') }}|{{ 'abc'.startswith('a') }}|{{ 'abc'.endswith(('c', 'x')) }}|{{ 'hello world'.title() }}|{{ 'heLLo'.capitalize() }}|{{ 'abcb'.find('b') }}{{ 'abcb'.rfind('b') }}{{ 'abcb'.count('b') }}|{{ ','.join(['a', 'b']) }}|{{ 'a\nb'.splitlines() }}|{{ 'x'.isdigit() }}{{ '12'.isdigit() }}",
    "{{ [3,1,2] | sort }}{{ [3,1,2] | sort(reverse=true) }}{{ ['b','A'] | sort }}{{ [1,1,2] | unique | list }}{{ [1,2,3] | sum }}{{ [1,2] | max }}{{ ['a','b'] | join('-') }}{{ [1,2] | first }}{{ [1,2] | last }}{{ 'abc' | length }}{{ [1,2] | reverse | list }}{{ 'abc' | reverse }}",
    "{{ [{'n': 'x', 'v': 1}, {'n': 'y', 'v': 0}] | selectattr('v') | map(attribute='n') | join(',') }}{{ [1,2,3,4] | select('even') | list }}{{ [1,2,3] | reject('equalto', 2) | list }}{{ ['a', 'b'] | map('upper') | list }}{{ [{'t': 'a'}, {'t': 'b'}] | rejectattr('t', 'equalto', 'a') | list }}",
    "{% for k, v in {'b': 1, 'a': 2} | dictsort %}{{ k }}{{ v }}{% endfor %}{{ {'a': {'b': [1, 2.5, 'é<>&\"', none, true]}} | tojson }}{{ {'a': [1]} | tojson(indent=2) }}{{ {} | tojson }}{{ [] | tojson(indent=2) }}{{ '12' | int + 1 }}{{ '1.5' | float }}{{ 3.7 | int }}{{ 'x' | int }}{{ 2.567 | round(2) }}{{ -3 | abs }}",
    "{{ 5 | round }} {{ 5 | round(2) }} {{ 2.5 | round }} {{ -2.5 | round }} {{ 3.5 | round }} {{ 1.115 | round(2) }} {{ 1.005 | round(2) }} {{ 150 | round(-2) }} {{ 250 | round(-2) }} {{ 1234.5 | round(-2) }} {{ 1e300 | round(3) }} {{ true | round }}",
    "{{ 1.21 | round(1, 'ceil') }} {{ 1.29 | round(1, 'floor') }} {{ 42.55 | round(method='ceil') }} {{ 5 | round(1, 'floor') }} {{ -1.5 | round(0, 'floor') }} {{ 155 | round(-1, method='ceil') }}", "{{ 1.5 | round(0, 'up') }}",
    "{{ \"it's d.e x-y (a) [b] {c} <d> é-ß\" | title }}|{{ \"it's d.e\".title() }}|{{ 'hELLO  wORLD\tfoo' | title }}",
    "{{ 'a\nb\n\nc' | indent(2) }}|{{ 'a\nb' | indent(2, true) }}|{{ '<a>&' | e }}|{{ 'hello world foo' | wordcount }}|{{ 'abc' | replace('b', 'x') }}|{{ ' x ' | trim }}|{{ 5 | string ~ 'a' }}",
    "{{ 'yes' if 1 else 'no' }}{{ 'no' if 0 }}{{ (1, 2)[0] }}{{ {'a': 1}.a }}{{ {'a': 1}['a'] }}{{ {'a': 1}.get('b', 5) }}{{ {'a': 1}.keys() | list }}{{ {'a': 1, 'items': 2}['items'] }}",
    "{{ dict(a=1, b='c') }}{{ range(2, 10, 3) | list }}{{ range(3, 0, -1) | list }}{{ true and 'x' or 'y' }}{{ 0 or [] }}{{ 'a' and '' }}",
    "{% generation %}first{% endgeneration %} and {% for i in [1,2] %}{% generation %}é{{ i }}{% endgeneration %}{% endfor %}", "{{ 100000000000000000.0 }} {{ 1.0 }} {{ 0.1 + 0.2 }} {{ 1e-7 }} {{ 1.5e300 * 2 }}",
    "{{ messages[0].content }}{{ messages[-1]['role'] }}{{ messages | length }}{{ messages[1:] | map(attribute='role') | list }}", "{{ raise_exception('no') }}", "{{ none.x }}", "{{ undefined_name.x }}", "{{ 1 / 0 }}", "{% for i in 5 %}{% endfor %}",
    "{{ 'a' + 1 }}", "{{ 'x' | nosuchfilter }}", "{% nosuchtag %}", "{% if true %}", "{{ (1 }}", "{{ strftime_now('%d %B %Y') }}", "{% set x = messages | selectattr('role', 'eq', 'user') | list %}{{ x[0]['content'] | trim }}{{ x | length }}", "{{ 'a' * 3 }}{{ [1] + [2] }}{{ 'é'.upper() }}{{ 'ß' | upper }}",
]


class Generation(Extension):
    """Notes which characters come from generation blocks, as the extension of `transformers` does."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_mark"), [], [], body).set_lineno(line)

    def _mark(self, caller):
        return "\ue000" + caller() + "\ue001"


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda f: NOW.strftime(f)
    return env


def render(template, context):
    try:
        marked = environment().from_string(template).render(**context)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    text, ranges = b"", []
    for character in marked:
        if character == "\ue000":
            ranges.append([len(text), 0])
        elif character == "\ue001":
            ranges[-1][1] = len(text)
        else:
            text += character.encode()
    return {"text": text.decode(), "generations": ranges}


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    tokens = {"bos_token": "<s>", "eos_token": "</s>"}
    contexts = {
        "talk": {"messages": TALK, "add_generation_prompt": True}, "whole": {"messages": [SYSTEM] + TALK[:2], "add_generation_prompt": False},
        "system": {"messages": [SYSTEM] + TALK, "add_generation_prompt": True}, "picture": {"messages": PICTURE, "add_generation_prompt": True},
        "tools": {"messages": [SYSTEM] + CALL, "tools": TOOLS, "add_generation_prompt": True, "enable_thinking": False},
        "wrong": {"messages": TALK[1:], "add_generation_prompt": True}}
    cases = []
    for name, template in TEMPLATES.items():
        for key, context in contexts.items():
            cases.append({"template": name, "context": key, **render(template, {**context, **tokens})})
    syntax = [{"source": s, **render(s, {**contexts["talk"], **tokens})} for s in SYNTAX]
    value = {"time": int(NOW.replace(tzinfo=datetime.timezone.utc).timestamp()), "templates": TEMPLATES, "contexts": {k: {**v, **tokens} for k, v in contexts.items()},
             "cases": cases, "syntax": syntax}
    (out / "templates.json").write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")
    print(len(TEMPLATES), "templates", len(cases), "cases", len(syntax), "snippets;", sum("error" in c for c in cases), "refusals")
    for s in syntax:
        if "error" in s:
            print(s["source"][:60], "->", s["error"])


main()
