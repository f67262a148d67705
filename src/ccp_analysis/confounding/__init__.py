"""How alike the arms were, what weights change, and what teams may differ in unmeasured."""
