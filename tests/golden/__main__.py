"""Writes the golden events again: ``python -m tests.golden``, with a CHANGELOG line, until the first release."""

import json

import msgspec

from ledger.topics import EVENTS
from tests.codec.test_columnar import GOLDEN, sample

if __name__ == "__main__":
    events = {
        event.TOPIC: {
            "fields": list(event.__struct_fields__),
            "hex": msgspec.msgpack.encode(sample(event)).hex(),
        }
        for event in EVENTS
    }
    GOLDEN.write_text(json.dumps(events, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
