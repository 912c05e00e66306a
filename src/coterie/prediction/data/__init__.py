"""Where what is learnt comes from: cut-offs, events, who is eligible, and what came of them."""
