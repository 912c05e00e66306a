"""Pictures of predictions, as PNG or SVG files. Only here is matplotlib imported, when something is drawn."""
