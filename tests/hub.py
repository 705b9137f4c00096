"""Serve a fake of the Hugging Face Hub on loopback, with the API that `huggingface_hub` needs to upload a folder."""

import base64
import json
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def standing_in():
    """Yield the state of the fake Hub: repositories (private or not), their files, and the tokens it received."""
    hub = SimpleNamespace(repositories={}, files={}, tokens=set(), refuses=False)
    server = uvicorn.Server(uvicorn.Config(_app(hub), host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    hub.address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield hub
    server.should_exit = True
    thread.join()


def _app(hub):
    app = FastAPI()
    _add_repositories(app, hub)
    _add_uploads(app, hub)
    return app


def _add_repositories(app, hub):
    @app.post("/api/repos/create")
    async def create(request: Request):
        asked = await request.json()
        hub.tokens.add(request.headers["authorization"])
        name = "/".join(part for part in (asked.get("organization"), asked["name"]) if part)
        if hub.refuses:
            return JSONResponse({"error": "You don't have the rights to create a model here"}, 403)
        if name in hub.repositories:
            return JSONResponse({"error": "You already created it", "url": f"{hub.address}/{name}"}, 409)
        hub.repositories[name] = asked["visibility"] == "private"
        return {"url": f"{hub.address}/{name}"}

    @app.get("/api/models/{owner}/{name}")
    async def info(owner: str, name: str):
        repository = f"{owner}/{name}"
        if repository not in hub.repositories:
            return JSONResponse({"error": "Repository not found"}, 404, headers={"X-Error-Code": "RepoNotFound"})
        return {"id": repository, "private": hub.repositories[repository], "sha": COMMIT, "siblings": []}


def _add_uploads(app, hub):
    @app.get("/api/models/{owner}/{name}/tree/main")
    async def tree(owner: str, name: str):
        files = hub.files.get(f"{owner}/{name}", {})
        return [{"type": "file", "path": path, "size": len(content), "oid": "0"} for path, content in files.items()]

    @app.post("/api/validate-yaml")
    async def validate():
        return {"errors": [], "warnings": []}

    @app.post("/api/models/{owner}/{name}/preupload/main")
    async def preupload(request: Request):
        files = (await request.json())["files"]
        return {"files": [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in files]}

    @app.post("/api/models/{owner}/{name}/commit/main")
    async def commit(owner: str, name: str, request: Request):
        for line in (await request.body()).splitlines():
            entry = json.loads(line)
            if entry["key"] == "deletedFile":
                del hub.files[f"{owner}/{name}"][entry["value"]["path"]]
            if entry["key"] == "file":
                content = base64.b64decode(entry["value"]["content"])
                hub.files.setdefault(f"{owner}/{name}", {})[entry["value"]["path"]] = content
        return {"success": True, "commitOid": COMMIT, "commitUrl": f"{hub.address}/{owner}/{name}/commit/{COMMIT}"}
