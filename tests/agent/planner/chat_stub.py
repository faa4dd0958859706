"""An OpenAI-compatible server without a model, as a program: the first part of the path is how it behaves.

    python chat_stub.py            # prints its port; http://127.0.0.1:PORT/good/v1 answers

A good answer is the smallest that the schema allows, but with one item where there may be items. What a behaviour was
asked is returned by GET /<behaviour>/requests. A behaviour may have a suffix, "flaky-3", to count for itself.
"""

import contextlib
import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORDS = ("red cube", "it is so", "a")
LONG = 200_000  # characters that are more than its context
FEW = 8  # tokens in which no answer fits
SEEN, LOCK = {}, threading.Lock()


def smallest(schema, named):
    match schema:
        case {"$ref": path}:
            return smallest(named[path.rpartition("/")[2]], named)
        case {"const": value}:
            return value
        case {"enum": [value, *_]}:
            return value
        case {"anyOf": [form, *_]}:
            return smallest(form, named)
        case {"type": "object", "properties": fields}:
            return {name: smallest(field, named) for name, field in fields.items()}
        case {"type": "array", "prefixItems": items}:
            return [smallest(item, named) for item in items]
        case {"type": "array", "items": item}:
            return [smallest(item, named)]
        case {"type": "integer"}:
            return schema.get("minimum", 0)
        case {"type": "string"}:
            return next(words for words in WORDS if re.fullmatch(schema.get("pattern", ".*"), words))


def texts(request):
    """The texts of all turns, in order."""
    for message in request["messages"]:
        content = message["content"]
        for part in content if isinstance(content, list) else [{"type": "text", "text": content}]:
            if part["type"] == "text":
                yield part["text"]


def good(request, key=""):
    wanted = request.get("response_format", {}).get("json_schema", {}).get("schema")
    if wanted is None:
        wanted = json.loads([*texts(request)][-1].split("JSON schema:\n")[-1])
    return json.dumps(smallest(wanted, wanted.get("$defs", {})), separators=(",", ":"))


def chatty(request, key):
    """Takes a schema and does not keep to it; asked in the prompt, it sets a fence around its answer."""
    return "Sure! Pick it up." if "response_format" in request else f"```json\n{good(request)}\n```"


def obedient(request, key):
    """Names whatever skill the instruction tells it to, schema or no schema."""
    wished = re.search(r"Instruction:.*skill (\w+)", "\n".join(texts(request)))
    return json.dumps({"feasible": True, "steps": [{"skill": wished[1]}]}) if wished else good(request)


def choice(content, finish="stop", **more):
    return {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **more}}


def completion(choices, model):
    usage = {"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": model, "choices": choices, "usage": usage}


def ways(**replies):
    """Replies whose message has more than its content."""
    return {name: lambda request, _, more=more: {"content": good(request), **more} for name, more in replies.items()}


REPLIES = {  # behaviour: content of the reply to a request, or the fields of its message
    "good": good, "chatty": chatty, "obedient": obedient,
    "empty": lambda *_: "", "blank": lambda *_: " \n", "none": lambda *_: None,
    "cut": lambda request, _: good(request)[:-2], "prose": lambda *_: "I would pick up the red cube.",
    "wrong": lambda *_: '{"feasible":true,"steps":[{"skill":"fly"}]}', "list": lambda *_: "[]",
    "nested": lambda *_: "[" * 100_000, "nested_keys": lambda *_: '{"a":' * 30_000,
    "digits": lambda *_: '{"verdict":' + "9" * 5000 + "}", "infinite": lambda *_: '{"verdict":1e999}',
    "nan": lambda *_: '{"verdict":NaN}', "surrogate": lambda *_: '{"verdict":"\ud800"}',
    "twice": lambda *_: '{"evidence":"it is so","verdict":"failure","verdict":"success"}',
    "long": lambda *_: json.dumps({"evidence": "x" * 300_000, "verdict": "success"}),
    "echo": lambda _, key: {"content": f"You sent {key}", "reasoning_content": f"the header is {key}"},
    "echo_valid": lambda _, key: json.dumps({"evidence": key.split()[-1], "verdict": "success"}),
    "thinking_aloud": lambda request, _: f"<think>\nthe cube is red\n</think>\n\n{good(request)}",
    **ways(
        truncated={"finish": "length"}, filtered={"finish": "content_filter"}, refusing={"refusal": "I will not"},
        thinking={"reasoning_content": "the cube is red"},
    ),
}
STATUSES = {  # behaviour: status of the n-th request, and what it says; None is no refusal
    "broken": lambda n, *_: (500, "out of memory"), "flaky": lambda n, *_: (500, "not yet") if n == 1 else None,
    "busy": lambda n, *_: (429, "too many") if n == 1 else None, "strict": lambda n, *_: (401, "who are you?"),
    "lost": lambda n, *_: (404, "no such model"), "picky": lambda n, *_: (400, "I do not like it"),
    "plain": lambda n, request, _: (400, "unknown field") if "response_format" in request else None,
    "unsure": lambda n, request, _: (422, "unknown field") if "response_format" in request else None,
    "echo_refusal": lambda n, _, key: (403, f"bad header {key}"),
}
SHAPELESS = ['{"choices":null}', '{"choices":[{}]}', '{"choices":["a"]}', "[[1]]", "3"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        name = self.path.split("/")[1]
        if self.path.endswith("/requests"):
            self.send(200, json.dumps(SEEN.get(name, [])))
        else:
            self.send(200, json.dumps({"object": "list", "data": [{"id": "stub", "object": "model"}]}))

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = self.path.split("/")[1]
        with LOCK:
            SEEN.setdefault(name, []).append(request)
            count = len(SEEN[name])
        self.behave(name.split("-")[0], request, count)

    def behave(self, behaviour, request, count):
        key = self.headers["Authorization"]
        self.model = "another" if behaviour == "another" and count > 1 else request["model"]
        refusal = STATUSES.get(behaviour, lambda *_: None)(count, request, key)
        if refusal:
            self.refuse(*refusal)
        elif behaviour in ("drip", "flood", "reset", "page", "shapeless", "endless", "dripping", "astray"):
            getattr(self, behaviour)(count)
        elif sum(map(len, texts(request))) > LONG:
            self.refuse(400, "this model's maximum context length is 8192 tokens")
        elif request["max_tokens"] < FEW:
            self.reply("{", finish="length")
        else:
            time.sleep(3 if behaviour == "slow" else 0)
            said = REPLIES.get(behaviour, good)(request, key)
            self.reply(**said) if isinstance(said, dict) else self.reply(said)

    def reset(self, count):
        self.close_connection = True

    def page(self, count):
        self.send(200, "<html>Welcome</html>", "text/html")

    def shapeless(self, count):
        self.send(200, SHAPELESS[count % len(SHAPELESS)])

    def reply(self, content, finish="stop", **more):
        self.send(200, json.dumps(completion([choice(content, finish, **more)], self.model)))

    def refuse(self, status, message):
        self.send(status, json.dumps({"error": {"message": message, "type": "bad", "code": status}}))

    def send(self, status, text, kind="application/json"):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drip(self, count, status=200):
        self.send_response(status)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        for _ in range(200):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.05)

    def dripping(self, count):
        self.drip(count, status=500)

    def flood(self, count, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        for _ in range(1000):
            self.wfile.write(b" " * 2**20)
            time.sleep(0.01)

    def endless(self, count):
        self.flood(count, status=500)

    def astray(self, count):
        """A redirection to the same place, and more words than anybody reads beside it."""
        self.flood(count, status=307, Location=self.path)

    def handle(self):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # nobody wants to hear the end of it
            super().handle()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown())).start()  # ends with whoever started it
    server.serve_forever()
