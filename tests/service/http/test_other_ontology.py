"""An ontology of another field, without a response model, is served like any other."""

from __future__ import annotations

import time
from typing import Any

from hepagraph.inference import Reasoner
from hepagraph.service.doors import Doors
from hepagraph.service.http import create_app


def test_a_toy_is_served(skin: Reasoner, running: Any) -> None:
    doors = Doors(skin)
    doors.warm()
    with running(create_app(doors)) as client:
        end = time.monotonic() + 30
        while client.get("/ready").status_code != 200 and time.monotonic() < end:
            time.sleep(0.05)
        assert client.get("/ready").status_code == 200
        assert client.get("/openapi.json").status_code == 200
        answer = client.post("/v1/posterior", json={"case": {"lesions": [{"findings": {}}]}})
        assert set(answer.json()["lesions"][0]["posterior"]) == set(skin.entities())
        refused = client.post("/v1/response", json={"case": {"lesions": [{"findings": {}, "response": {}}]}})
        assert refused.status_code == 422
        assert "no response model" in refused.text
