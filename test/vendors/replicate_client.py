"""What `replicate.vendors.ts` does with Replicate's Python client: `replicate_client.py VERB URL PHOTO [WEBHOOK]`, JSON out."""

import asyncio
import base64
import json
import re
import sys
import time

import replicate.exceptions
from replicate.client import Client
from replicate.webhook import InvalidSignatureError, Webhooks

MODEL = "surefoot/relief"
ENDS = ("succeeded", "failed", "canceled", "aborted")

verb, url, photo, *more = sys.argv[1:]
client = Client(api_token="any", base_url=url)


def data_uri():
    with open(photo, "rb") as file:
        return "data:image/jpeg;base64," + base64.b64encode(file.read()).decode()


def start(**rest):
    return client.models.predictions.create(MODEL, input={"image": data_uri()}, **rest)


def wait(prediction):
    while prediction.status not in ENDS:
        time.sleep(0.1)
        prediction.reload()
    return prediction


def run():
    """The short way: an open file in, an output out, blocking and polling."""
    blocking = client.run(MODEL, input={"image": open(photo, "rb")})
    polling = client.run(MODEL, input={"image": open(photo, "rb")}, wait=False)
    return {"urls": [str(blocking), str(polling)]}


def predictions():
    """Create, reload, list, cancel, and one that is not there."""
    made = start()
    fractions = []
    while made.status not in ENDS:
        time.sleep(0.05)
        made.reload()
        if made.progress is not None:
            fractions.append(made.progress.percentage)
    listed = [one.id for one in client.predictions.list()]
    other = start()
    other.cancel()
    try:
        client.predictions.get("nobody")
        missing = None
    except replicate.exceptions.ReplicateError as error:
        missing = error.status
    return {
        "status": made.status,
        "output": made.output,
        "rising": fractions == sorted(fractions),
        "listed": made.id in listed,
        "canceled": wait(other).status,
        "missing": missing,
    }


def by_version():
    """A version by its id, as `owner/name:version` and on its own."""
    model = client.models.get(MODEL)
    version = model.latest_version.id
    one = wait(client.predictions.create(version=version, input={"image": data_uri()}))
    output = client.run(f"{MODEL}:{version}", input={"image": data_uri()})
    versions = [each.id for each in model.versions.list()]
    return {"name": f"{model.owner}/{model.name}", "status": one.status, "output": str(output), "known": version in versions}


def files():
    """Stored, shown, listed, deleted."""
    with open(photo, "rb") as file:
        made = client.files.create(file)
    same = client.files.get(made.id)
    listed = [one.id for one in client.files.list()]
    client.files.delete(made.id)
    try:
        client.files.get(made.id)
        after = 200
    except replicate.exceptions.ReplicateError as error:
        after = error.status
    return {"size": made.size, "same": same.size, "type": made.content_type, "listed": made.id in listed, "after": after}


def stream():
    """A model whose output is a file says that it streams nothing, as Replicate's do."""
    try:
        return {"events": [str(event) for event in start(stream=True).stream()]}
    except replicate.exceptions.ReplicateError as error:
        return {"refused": error.type}


def asynchronous():
    """The asynchronous half of the client."""
    async def all_of_it():
        output = await client.async_run(MODEL, input={"image": data_uri()})
        made = await client.models.predictions.async_create(MODEL, input={"image": data_uri()})
        await made.async_wait()
        return {"output": str(output), "status": made.status}

    return asyncio.run(all_of_it())


def webhook():
    """A prediction whose end is told to an address; `check` then takes what arrived there."""
    made = start(webhook=more[0], webhook_events_filter=["completed"])
    return {"id": made.id, "status": wait(made).status}


def check():
    """Whether the client's own check takes a webhook, and refuses it with another body."""
    headers, body = json.loads(more[0]), more[1]
    secret = client.webhooks.default.secret()
    Webhooks.validate(headers=headers, body=body, secret=secret)
    try:
        Webhooks.validate(headers=headers, body=body + " ", secret=secret)
    except InvalidSignatureError:
        return {"valid": True, "forged": "refused", "key": bool(re.match(r"whsec_", secret.key))}
    return {"valid": True, "forged": "taken"}


verbs = [run, predictions, by_version, files, stream, asynchronous, webhook, check]
print(json.dumps({each.__name__: each for each in verbs}[verb]()))
