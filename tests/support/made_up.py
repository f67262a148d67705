"""What is asked of the implementation of a made-up study of ten teams."""

from __future__ import annotations

STEPS = ("explained", "network_map", "goals")
TEAMS = [f"T{number:02d}" for number in range(1, 11)]
ARMS = dict(zip(TEAMS, ["intervention", "control"] * 5, strict=True))
M = 3

ASKED = {
    "reach": {"variable": "explained_month6", "code": "yes", "label": "Materials explained"},
    "steps": [{"id": step, "label": step} for step in STEPS],
    "fidelity": {"instrument": "fidelity", "visit": "month6", "high": 14},
    "exposures": {
        "uptake": "Explained",
        "fidelity": "Per point",
        "dose": "Per contact",
        "high_fidelity": "High against low",
    },
    "practitioners": {
        "profession": "profession",
        "of_interest": "social_worker",
        "trained": {"variable": "trained", "code": "yes", "label": "Trained"},
    },
    "ratings": [
        {
            "id": "leaflet",
            "label": "Leaflet",
            "who": "practitioners",
            "items": {"use_leaflet": "Useful", "clear_leaflet": "Clear"},
        },
        {
            "id": "leaflet_users",
            "label": "Leaflet, by users",
            "who": "participants",
            "visit": "month6",
            "beside": "leaflet",
            "items": {"rate_useful": "Useful", "rate_clear": "Clear"},
        },
    ],
    "barriers": [{"id": "bar_time", "label": "No time", "domain": "individuals"}],
}
