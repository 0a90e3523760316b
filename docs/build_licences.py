"""Write docs/ontology/licences.md from the mapping sets: python docs/build_licences.py."""

from __future__ import annotations

from pathlib import Path

from hepagraph.ontology.sssom import licence_notes, load_licences, load_mappings

TARGET = Path(__file__).resolve().parent / "ontology" / "licences.md"

if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(licence_notes(load_mappings(), load_licences()), encoding="utf-8")
