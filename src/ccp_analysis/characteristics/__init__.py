"""What a plan does when the truth is known: trials are drawn, lose values, and are analysed."""
