#!/usr/bin/env python3
"""A PostgreSQL of its own while a command runs: `postgres.py COMMAND…`, which finds its address in
JANUSPRO_TEST_POSTGRES. It listens on loopback, belongs to the user `postgres` where root asks, as it
refuses root, and leaves nothing behind. Exits as the command does, with 77 where no PostgreSQL is
installed. SPDX-License-Identifier: MIT
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile


class Postgres:
    def __init__(self):
        folders = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda f: int(f.parent.name))
        found = shutil.which("pg_ctl") or (folders and folders[-1] / "pg_ctl")
        if not found:
            raise FileNotFoundError("no PostgreSQL is installed")
        self.programs = pathlib.Path(found).parent
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="januspro-postgres-"))
        self.user = {}
        if os.geteuid() == 0:
            self.user = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(self.folder, "postgres", "postgres")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"postgresql://januspro@127.0.0.1:{self.port}/postgres"
        self.run("initdb", "-D", self.folder / "data", "-U", "januspro", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()

    def run(self, program, *arguments):
        subprocess.run([self.programs / program, *arguments], check=True, stdout=subprocess.DEVNULL,
                       stdin=subprocess.DEVNULL, cwd=self.folder, **self.user)

    def control(self, verb, *arguments):
        self.run("pg_ctl", "-D", self.folder / "data", "-s", "-w", verb, *arguments)

    def start(self):
        options = f"-h 127.0.0.1 -p {self.port} -k '{self.folder}'"
        self.control("start", "-l", self.folder / "log", "-o", options)

    def stop(self, how="immediate"):
        self.control("stop", "-m", how)

    def signal(self, number):
        """To every process of it."""
        main = int((self.folder / "data/postmaster.pid").read_text().split()[0])
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(main)], capture_output=True, text=True).stdout
        for process in (main, *map(int, children.split())):
            os.kill(process, number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.signal(signal.SIGCONT)
            self.stop()
        except (OSError, subprocess.CalledProcessError):
            pass  # it is stopped already
        shutil.rmtree(self.folder)


def main():
    try:
        postgres = Postgres()
    except FileNotFoundError as missing:
        print(f"SKIPPED: {missing}")
        return 77
    with postgres:
        return subprocess.run(sys.argv[1:], env={**os.environ, "JANUSPRO_TEST_POSTGRES": postgres.address}).returncode


if __name__ == "__main__":
    sys.exit(main())
