"""A stand-in for the Hugging Face Hub on this machine: as much of its HTTP interface as its library needs for a network."""

import base64
import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

TOKEN = "hf_may_write"


class Hub(ThreadingHTTPServer):
    """Repositories by name, each with files by revision: `repositories["me/net"]["main"]["README.md"]` is bytes."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories = {}
        self.private = set()
        self.agents = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        Thread(target=self.serve_forever, daemon=True).start()
        return super().__enter__()

    def __exit__(self, *error):
        self.shutdown()
        super().__exit__(*error)


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        asked = re.fullmatch(r"/api/models/([^/]+/[^/]+)", self.path)
        if asked:
            there = asked.group(1) in self.server.repositories
            return self.answer(200, b'{"id": "x"}') if there else self.answer(404, error="RepoNotFound")
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        repository, revision, name = found.groups()
        self.server.agents.append(self.headers["user-agent"])
        files = self.server.repositories.get(repository)
        if files is None:
            return self.answer(404, error="RepoNotFound")
        if repository in self.server.private and not self.headers["authorization"]:
            return self.answer(403, error="GatedRepo")
        if revision not in files:
            return self.answer(404, error="RevisionNotFound")
        if name not in files[revision]:
            return self.answer(404, error="EntryNotFound")
        return self.answer(200, files[revision][name])

    do_GET = do_HEAD  # noqa: N815

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        if self.path == "/api/validate-yaml":
            return self.answer(200, b"{}")
        if self.headers["authorization"] != f"Bearer {TOKEN}":
            return self.answer(403, b'{"error": "this token may not write"}')
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            self.server.repositories.setdefault(name, {"main": {}})
            if asked.get("visibility") == "private":
                self.server.private.add(name)
            return self.answer(200, json.dumps({"url": f"{self.server.url}/{name}"}).encode())
        repository, what, revision = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(\w+)/([^/?]+)", self.path).groups()
        files = self.server.repositories[repository]
        if what == "branch":
            files.setdefault(revision, {})
            return self.answer(200, b"{}")
        if what == "preupload":
            said = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            return self.answer(200, json.dumps({"files": said}).encode())
        for line in map(json.loads, body.splitlines()):  # a commit
            if line["key"] == "file":
                files[revision][line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        done = {"commitUrl": f"{self.server.url}/{repository}/commit/{'0' * 40}", "commitOid": "0" * 40}
        return self.answer(200, json.dumps(done).encode())

    def answer(self, status, body=b"", error=None):
        self.send_response(status)
        if error is not None:
            self.send_header("X-Error-Code", error)
        self.send_header("X-Repo-Commit", hashlib.sha1(body).hexdigest())
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
