"""Whether it is to be trusted: what is checked before, said beside and watched after."""
