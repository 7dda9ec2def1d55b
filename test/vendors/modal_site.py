"""
`kits/modal/modal_app.py` without an account: `graph` prints what the modal package made of it; `serve PORT` answers POST / as its web
endpoint would, by the package's own class machinery on this machine.
"""

import json
import sys
import warnings

import modal

import modal_app

# `registered_*` leave in modal 1.7.
warnings.simplefilter("ignore")
app = modal_app.app


def graph():
    """Names and resources."""
    (function,) = app.registered_functions.values()
    spec = function._spec_
    volumes = {path: repr(volume) for path, volume in spec.volumes.items()}
    return {
        "modal": modal.__version__,
        "app": app.name,
        "functions": list(app.registered_functions),
        "classes": list(app.registered_classes),
        "web": list(app.registered_web_endpoints),
        "gpu": spec.gpus,
        "memory": spec.memory,
        "volumes": volumes,
    }


def serve(port):
    """The class is entered at the first call: no volume can be committed here."""
    import uvicorn
    from fastapi import FastAPI

    modal_app.weights.commit = lambda: None
    site, kit = FastAPI(), modal_app.Kit()

    @site.post("/")
    def predict(job: dict) -> dict:
        return kit.web.local(job)

    uvicorn.run(site, host="127.0.0.1", port=port, log_level="info")


if sys.argv[1] == "graph":
    print(json.dumps(graph()))
else:
    serve(int(sys.argv[2]))
