"""Persons' rights: finding what is held on somebody, giving it out, erasing it, and keeping it out afterwards."""
