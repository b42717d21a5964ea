#!/usr/bin/env python3
"""`januspro pull` beside Python's huggingface_hub: `hub.py FOLDER`, which has januspro.

Both fetch the same model from a small Hub on 127.0.0.1, which sends large files to a second server.
Their caches must be the same, name by name; each must find whole what the other has fetched, fetch
nothing of it again, and take it away. A server with a certificate that nobody knows must be refused.
Prints one line; exits 1 on a difference.
SPDX-License-Identifier: MIT
"""
import hashlib
import http.server
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from pathlib import Path

SCRATCH = Path(tempfile.mkdtemp(prefix="januspro-hub-"))
# Read by huggingface_hub as it is imported. Its other transport is no part of this.
os.environ.update(HF_HOME=str(SCRATCH / "home"), HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_TELEMETRY="1",
                  HF_HUB_DISABLE_PROGRESS_BARS="1", NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")

from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download  # noqa: E402
from transformers import AutoConfig, AutoTokenizer  # noqa: E402

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "tiny-hf"
REPO, COMMIT, NEXT = "org/tiny", "1" * 40, "2" * 40
LARGE = (".safetensors", ".bin", ".png")


def git_name(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def name_of(file, data):
    return hashlib.sha256(data).hexdigest() if file.endswith(LARGE) else git_name(data)


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, headers, body=b""):
        self.send_response(status)
        for key, value in {**headers, "Content-Length": len(body)}.items():
            self.send_header(key, str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = urllib.parse.urlparse(self.path).path
        hub = self.server.hub
        self.server.asked.append((self.command, path))
        if path.startswith("/stored/"):
            body = next(d for f in hub.revisions.values() for n, d in f.items() if name_of(n, d) == path[8:])
            return self.answer(200, {"ETag": '"other"'}, body)
        if path.startswith(f"/api/models/{REPO}/"):
            kind, revision = path.removeprefix(f"/api/models/{REPO}/").split("/", 1)
            return self.listing(kind, hub.commit(revision))
        commit, file = path.removeprefix(f"/{REPO}/resolve/").split("/", 1)
        commit = hub.commit(commit)
        data = hub.revisions[commit].get(file)
        if data is None:
            return self.answer(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        tag = f'"{name_of(file, data)}"'
        if not file.endswith(LARGE):
            return self.answer(200, {"X-Repo-Commit": commit, "ETag": tag}, data)
        return self.answer(302, {"X-Repo-Commit": commit, "X-Linked-Etag": tag, "X-Linked-Size": len(data),
                                 "Location": f"{hub.storage}/stored/{name_of(file, data)}"})

    def listing(self, kind, commit):
        rows = []
        for file, data in self.server.hub.revisions[commit].items():
            row = {"type": "file", "path": file, "rfilename": file, "size": len(data), "oid": git_name(data),
                   "blobId": git_name(data)}
            if file.endswith(LARGE):
                sha = name_of(file, data)
                row["oid"] = row["blobId"] = git_name(sha.encode())
                row["lfs"] = {"oid": sha, "sha256": sha, "size": len(data), "pointerSize": 134}
            rows.append(row)
        body = rows if kind == "tree" else {"id": REPO, "sha": commit, "siblings": rows}
        self.answer(200, {"Content-Type": "application/json"}, json.dumps(body).encode())


class Hub:
    """Two servers: the Hub, and where it sends large files."""

    def __init__(self):
        files = {path.name: path.read_bytes() for path in GOLDEN.iterdir()}
        files |= {"README.md": b"# tiny", "teaser.png": b"\x89PNG", "pytorch_model.bin": b"PK"}
        self.revisions = {COMMIT: files, NEXT: files | {"generation_config.json": b'{"do_sample": false}'}}
        self.main = COMMIT
        self.servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
        for server in self.servers:
            server.hub, server.asked = self, []
            threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url, self.storage = (f"http://127.0.0.1:{s.server_port}" for s in self.servers)

    def commit(self, revision):
        return self.main if revision == "main" else revision

    def fetched(self):
        """Names of files whose bytes were asked for since the last call."""
        asked = [path for server in self.servers for command, path in server.asked if command == "GET"]
        for server in self.servers:
            server.asked.clear()
        return sorted(path.rsplit("/", 1)[1] for path in asked if not path.startswith("/api/"))


def tree(cache):
    """Files and links of a model's folder; huggingface_hub's own notes left out."""
    root = cache / "models--org--tiny"
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if name.startswith("trees/"):
            continue
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


class Parity:
    def __init__(self, programs):
        self.program = programs / "januspro"
        self.hub = Hub()
        self.bad = []

    def expect(self, ok, what):
        if not ok:
            self.bad.append(what)

    def ours(self, cache, *words, code=0, endpoint=None):
        environment = os.environ | {"HF_HUB_CACHE": str(cache), "HF_ENDPOINT": endpoint or self.hub.url}
        done = subprocess.run([self.program, *words], capture_output=True, text=True, env=environment)
        self.expect(done.returncode == code, f"januspro {' '.join(words)}: {done.returncode} {done.stderr.strip()}")
        return done.stdout if code == 0 else done.stderr

    def theirs(self, cache, **more):
        return snapshot_download(REPO, cache_dir=cache, endpoint=self.hub.url, **more)

    def pulled_here_found_there(self, cache):
        path = self.ours(cache, "pull", REPO).strip()
        self.needed = sorted(p.name for p in Path(path).iterdir())
        self.expect(self.needed == sorted(p.name for p in GOLDEN.iterdir()), f"we fetched {self.needed}")
        self.hub.fetched()
        self.expect(self.theirs(cache, local_files_only=True) == path, "they do not find our snapshot")
        self.expect(hf_hub_download(REPO, "config.json", cache_dir=cache, local_files_only=True)
                    == f"{path}/config.json", "they do not find our file")
        config = AutoConfig.from_pretrained(REPO, cache_dir=cache, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(REPO, cache_dir=cache, local_files_only=True)
        self.expect(config.model_type == "janus" and tokenizer("a red ball").input_ids, "transformers reads other things")
        scan = scan_cache_dir(cache)
        self.expect(not scan.warnings and [r.repo_id for r in scan.repos] == [REPO], f"their scan: {scan.warnings}")
        ours = json.loads(self.ours(cache, "list", "--json"))
        self.expect([r.size_on_disk for r in scan.repos] == [ours["bytes"]], "sizes differ")
        self.expect([set(r.refs) for r in scan.repos] == [{"main"}], "refs differ")
        self.expect(self.theirs(cache, allow_patterns=self.needed) == path, "they pull elsewhere")
        self.expect(self.hub.fetched() == [], "they fetch again what we have")

    def pulled_there_found_here(self, cache, same):
        path = self.theirs(cache, allow_patterns=self.needed)
        self.expect(tree(cache) == tree(same), "the two caches differ")
        self.hub.fetched()
        row = json.loads(self.ours(cache, "list", "--json"))
        self.expect(row["complete"] and row["path"] == path and row["refs"] == ["main"], f"we list {row}")
        self.expect(json.loads(self.ours(cache, "info", REPO, "--json"))["path"] == path, "-m finds something else")
        before = tree(cache)
        self.expect(json.loads(self.ours(cache, "pull", REPO, "--json"))["fetched"] == 0, "we fetch what they have")
        self.expect(self.hub.fetched() == [] and tree(cache) == before, "our pull changes their cache")

    def a_new_commit(self, one, other):
        self.hub.main = NEXT
        self.ours(one, "pull", REPO)
        self.expect(self.hub.fetched() == ["generation_config.json"], "we fetch more than what changed")
        self.theirs(other, allow_patterns=self.needed)
        self.expect(tree(one) == tree(other), "the caches differ after a new commit")
        scan_cache_dir(one).delete_revisions(COMMIT).execute()
        self.ours(other, "rm", f"{REPO}@{COMMIT}")
        self.expect(tree(one) == tree(other), "the caches differ after a revision was removed")

    def the_common_store(self, cache):
        """Blobs as their other transport leaves them: links into a store of the whole cache."""
        try:
            from huggingface_hub.utils import _shared_blobs as store
        except ImportError:
            return "no common store in this huggingface_hub"
        snapshot = self.theirs(cache, local_files_only=True, allow_patterns=self.needed)
        blob = (Path(snapshot) / "model.safetensors").resolve()
        size = blob.stat().st_size
        done = store.publish_blob_to_shared_store(blob_path=str(blob), xet_hash="a" * 64, cache_dir=cache, expected_size=size)
        self.expect(done and blob.is_symlink(), "their store took nothing")
        self.ours(cache, "info", REPO)
        freed = json.loads(self.ours(cache, "rm", REPO, "--json"))["freed"]
        self.expect(freed > size and not store.shared_store_blob_paths(cache), "the common store keeps what nobody needs")
        return "common store swept"

    def an_unknown_certificate(self, cache):
        if not shutil.which("openssl"):
            return "no openssl to make a certificate with"
        key, certificate = SCRATCH / "key.pem", SCRATCH / "certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
                        "-days", "1", "-subj", "/CN=127.0.0.1"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.hub, server.asked = self.hub, []
        server.handle_error = lambda *_: None
        threading.Thread(target=server.serve_forever, daemon=True).start()
        text = self.ours(cache, "pull", REPO, code=1, endpoint=f"https://127.0.0.1:{server.server_port}")
        self.expect("certificate is not trusted" in text and not server.asked, f"unknown certificate: {text}")
        return "unknown certificate refused"

    def run(self):
        one, other = SCRATCH / "one", SCRATCH / "other"
        self.pulled_here_found_there(one)
        self.pulled_there_found_here(other, one)
        self.a_new_commit(one, other)
        notes = [self.the_common_store(other), self.an_unknown_certificate(one)]
        self.ours(one, "rm", REPO)
        self.expect(tree(one) == {} and not scan_cache_dir(one).repos, "rm leaves something")
        return notes


def main():
    try:
        parity = Parity(Path(sys.argv[1]))
        notes = parity.run()
    finally:
        shutil.rmtree(SCRATCH, ignore_errors=True)
    print("hub parity: " + ("; ".join(parity.bad) or "one cache for both; " + ", ".join(notes)))
    sys.exit(1 if parity.bad else 0)


if __name__ == "__main__":
    main()
