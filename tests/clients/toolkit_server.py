"""Serves a model through the handlers of the SageMaker inference toolkit itself: `python toolkit_server.py MODEL_DIR`.

The toolkit brings a Java server of its own for that; this one calls the same entry. Its port goes to standard output.
"""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sagemaker_inference.transformer import Transformer


class Context:
    """What the toolkit asks its server for, and tells it, in one request."""

    def __init__(self, headers, model_dir):
        self.headers, self.status, self.content_type = headers, 200, None
        self.system_properties = {"model_dir": model_dir}
        self.request_processor = [self]

    def get_request_properties(self):
        return self.headers

    def set_response_content_type(self, _, content_type):
        self.content_type = content_type

    def set_response_status(self, code=200, phrase="", idx=0):
        self.status = int(code)


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    transformer = Transformer()
    turn = threading.Lock()

    def do_GET(self):
        self.reply(200 if self.path == "/ping" else 404, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        context = Context(dict(self.headers), sys.argv[1])
        with self.turn:
            (answer,) = self.transformer.transform([{"body": body}], context)
        self.reply(context.status, answer if isinstance(answer, bytes) else str(answer).encode(), context.content_type)

    def reply(self, status, body, content_type=None):
        self.send_response(status)
        self.send_header("Content-Type", content_type or "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        return


if __name__ == "__main__":
    sys.path.insert(0, f"{sys.argv[1]}/code")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    print(server.server_port, flush=True)
    server.serve_forever()
